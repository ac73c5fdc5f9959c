//! Rounds as `replay` runs them: everybody once in each, in an order that is shuffled anew.

use blockrace::measure::{
    Stopwatch,
    stats::{Speedup, median},
};
use rand::{SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};
use std::{env, time::Duration};

/// How many rounds are measured: `BLOCKRACE_ROUNDS`, or else `usual`.
pub(crate) fn rounds(usual: usize) -> usize {
    let asked = env::var("BLOCKRACE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    asked.unwrap_or(usual).max(1)
}

/// What one contestant's laps took, by round.
#[derive(Debug)]
pub(crate) struct Laps(Vec<Duration>);

impl Laps {
    pub(crate) fn median(&self) -> Duration {
        median(&self.0).expect("there is a round")
    }

    /// How many times as fast as a baseline, paired within rounds.
    pub(crate) fn speedup(&self, baseline: &Self) -> f64 {
        Speedup::paired(&baseline.0, &self.0, 0).expect("rounds take time").ratio
    }
}

/// Runs all contestants in every round. A first round is not counted. Results are dropped after the clock.
pub(crate) fn race<T, const N: usize>(rounds: usize, contenders: [&dyn Fn() -> T; N]) -> [Laps; N] {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
    let mut order: [usize; N] = std::array::from_fn(|contender| contender);
    let mut laps = [const { Laps(Vec::new()) }; N];
    for round in 0..=rounds {
        order.shuffle(&mut rng);
        for contender in order {
            let mut stopwatch = Stopwatch::start();
            let _result = contenders[contender]();
            let time = stopwatch.lap();
            if round > 0 {
                laps[contender].0.push(time);
            }
        }
    }
    laps
}
