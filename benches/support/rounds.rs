//! Interleaved rounds, and tables of what they showed.

use blockrace::measure::{Stopwatch, stats::median};
use std::{env, time::Duration};

/// How many rounds are measured: `BLOCKRACE_ROUNDS`, or else `usual`.
pub(crate) fn rounds(usual: usize) -> usize {
    let asked = env::var("BLOCKRACE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    asked.unwrap_or(usual).max(1)
}

/// Runs all contestants in every round, each round beginning with the next one, and returns the
/// median time of each. A first round is not counted. Results are dropped after the clock.
pub(crate) fn medians<T, const N: usize>(
    rounds: usize,
    contestants: [&dyn Fn() -> T; N],
) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..=rounds {
        for turn in 0..N {
            let contestant = (round + turn) % N;
            let mut stopwatch = Stopwatch::start();
            let _result = contestants[contestant]();
            let time = stopwatch.lap();
            if round > 0 {
                times[contestant].push(time);
            }
        }
    }
    times.map(|times| median(&times).expect("there is a round"))
}
