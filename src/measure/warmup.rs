//! When a contestant is warm: when running it again makes it no faster.
//!
//! Noise only ever adds time, so the best lap is the one to watch. Whether the timed laps that follow
//! stay as they are is another question, which [`spread::drift`](super::spread::drift) answers.

use std::time::Duration;

/// The rounds that may bring a new best time without proving that more are needed.
const WATCHED: usize = 2;

/// The fewest rounds: the first is cold, and those that are watched need one to be compared with.
const FEWEST: usize = WATCHED + 1;

/// A best time that falls by less than this share is none.
const GAIN: f64 = 0.02;

/// After so many rounds it is given up, and the report says so.
pub const MOST_ROUNDS: u32 = 20;

/// Whether the last laps of a contestant were no faster than the best before them.
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
    fn a_contestant_is_warm_once_two_laps_bring_no_new_best() {
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
