//! Iterations as in `replay`: each runs all contenders once, in a new random order.

use blockrace::measure::{
    Stopwatch,
    stats::{Speedup, median},
};
use rand::{SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};
use std::{env, time::Duration};

/// Number of measured iterations: `BLOCKRACE_ROUNDS`, or else `usual`.
pub(crate) fn rounds(usual: usize) -> usize {
    let asked = env::var("BLOCKRACE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    asked.unwrap_or(usual).max(1)
}

/// Times of one contender, by iteration.
#[derive(Debug)]
pub(crate) struct Laps(Vec<Duration>);

impl Laps {
    pub(crate) fn median(&self) -> Duration {
        median(&self.0).expect("there is an iteration")
    }

    /// Speedup over a baseline, paired within iterations.
    pub(crate) fn speedup(&self, baseline: &Self) -> f64 {
        Speedup::paired(&baseline.0, &self.0, 0).expect("iterations take time").ratio
    }
}

/// Runs all contenders in each iteration. The first iteration is a warm-up. Results are dropped
/// outside the timer.
pub(crate) fn race<T, const N: usize>(
    rounds: usize,
    contestants: [&dyn Fn() -> T; N],
) -> [Laps; N] {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
    let mut order: [usize; N] = std::array::from_fn(|contestant| contestant);
    let mut laps = [const { Laps(Vec::new()) }; N];
    for round in 0..=rounds {
        order.shuffle(&mut rng);
        for contestant in order {
            let mut stopwatch = Stopwatch::start();
            let _result = contestants[contestant]();
            let time = stopwatch.lap();
            if round > 0 {
                laps[contestant].0.push(time);
            }
        }
    }
    laps
}
