//! Decides when a contender is warm: further iterations make it no faster.
//!
//! Noise only adds time, so the shortest sample is the indicator. [`spread::drift`](super::spread::drift)
//! checks whether the timed samples stay stable.

use std::time::Duration;

/// Number of last iterations without a new minimum that prove a contender warm.
const WATCHED: usize = 2;

/// The fewest iterations. The last ones need an earlier one for comparison, and the first one is cold.
const FEWEST: usize = WATCHED + 1;

/// A minimum must fall by at least this share to count as new.
const GAIN: f64 = 0.02;

/// Limit of the warm-up iterations. The report warns if a contender is not warm by then.
pub const MOST_ROUNDS: u32 = 20;

/// Whether the last samples of a contender were no faster than the best one before them.
pub(super) fn is_warm(laps: &[Duration]) -> bool {
    if laps.len() < FEWEST {
        return false;
    }
    let (before, watched) = laps.split_at(laps.len() - WATCHED);
    match (before.iter().min(), watched.iter().min()) {
        (Some(before), Some(watched)) => *watched >= before.mul_f64(1.0 - GAIN),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warm(laps: &[u64]) -> bool {
        is_warm(&laps.iter().copied().map(Duration::from_micros).collect::<Vec<_>>())
    }

    #[test]
    fn a_contender_is_warm_after_two_samples_without_a_new_minimum() {
        for (laps, expected) in [
            (&[][..], false),
            (&[100, 100], false),
            (&[100, 100, 100], true),
            (&[900, 500, 300], false),
            (&[900, 500, 300, 299, 298], true),
            (&[900, 500, 300, 310, 200], false),
            (&[300, 900, 301], true),
        ] {
            assert_eq!(warm(laps), expected, "{laps:?}");
        }
    }
}
