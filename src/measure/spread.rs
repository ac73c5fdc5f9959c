//! Detects outliers, unevenness and drift in a series of samples.
//!
//! Findings are counted and reported. No sample is ever dropped. Series are in the order of measurement.

use std::time::Duration;

use super::{sample::Sample, stats::median};

/// The fewest samples for quartiles and trends.
const FEWEST: usize = 8;

/// A trend must be this number of standard deviations away from zero. One series in a thousand without a trend
/// exceeds this limit.
const TREND: f64 = 3.29;

/// Smaller changes are not reported as drift. The share is relative to the first half.
const SMALLEST_DRIFT: f64 = 0.02;

/// Counts the outliers: samples more than one and a half interquartile ranges outside the quartiles (J. W.
/// Tukey, *Exploratory Data Analysis*, 1977). Zero for fewer than eight samples.
pub fn outliers(times: &[Duration]) -> usize {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    if sorted.len() < FEWEST {
        return 0;
    }
    let quarter = sorted.len() / 4;
    let (lower, upper) = (sorted[quarter], sorted[sorted.len() - 1 - quarter]);
    let reach = (upper - lower) * 3 / 2;
    let fence = lower.saturating_sub(reach)..=upper.saturating_add(reach);
    times.iter().filter(|time| !fence.contains(*time)).count()
}

/// From this number of used CPUs on, threads run in parallel.
const SIDE_BY_SIDE: f64 = 1.5;

/// Up to this number of used CPUs, threads take turns on one core.
const IN_TURN: f64 = 1.1;

/// Counts the samples in which all threads ran on one core although they run in parallel in others. The system
/// sometimes keeps threads on one core for a whole sample while another core is idle. Zero if the threads never
/// run in parallel.
pub fn turns(samples: &[Sample]) -> usize {
    let in_use = |sample: &Sample| {
        Some(sample.cpu?.as_secs_f64() / sample.execute.max(Duration::from_nanos(1)).as_secs_f64())
    };
    let in_use: Vec<_> = samples.iter().filter_map(in_use).collect();
    let side_by_side = in_use.iter().any(|processors| *processors >= SIDE_BY_SIDE);
    let in_turn = in_use.iter().filter(|processors| **processors <= IN_TURN);
    if side_by_side { in_turn.count() } else { 0 }
}

/// Ratio of a slow sample to a fast one: ninth decile / first decile. `None` for fewer than eight samples.
pub fn unevenness(times: &[Duration]) -> Option<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let quick = sorted.get(sorted.len() / 10)?;
    let slow = sorted.get(sorted.len() - 1 - sorted.len() / 10)?;
    (sorted.len() >= FEWEST && !quick.is_zero()).then(|| slow.div_duration_f64(*quick))
}

/// The change from the first half of a series to the second, relative to the first; `None` without a
/// significant trend, or for a series that is too short.
///
/// The test is Mann and Kendall's. It compares the number of rising pairs of samples with the number of falling
/// pairs (H. B. Mann, *Nonparametric Tests Against Trend*, Econometrica 13, 1945).
pub fn drift(times: &[Duration]) -> Option<f64> {
    let count = times.len();
    if count < FEWEST {
        return None;
    }
    let pairs = times
        .iter()
        .enumerate()
        .flat_map(|(at, early)| times.iter().skip(at + 1).map(move |late| late.cmp(early) as i64));
    let rising = pairs.sum::<i64>() as f64;
    let count = count as f64;
    let deviation = (count * (count - 1.0) * (2.0 * count + 5.0) / 18.0).sqrt();
    if rising.abs() < TREND * deviation {
        return None;
    }
    let (first, second) = times.split_at(times.len() / 2);
    let change = median(second).ok()?.div_duration_f64(median(first).ok()?) - 1.0;
    (change.is_finite() && change.abs() > SMALLEST_DRIFT).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

    fn us(times: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        times.into_iter().map(Duration::from_micros).collect()
    }

    #[test]
    fn samples_on_one_core_are_counted_if_threads_otherwise_run_in_parallel() {
        let lap = |cpu| Sample {
            whole: None,
            execute: Duration::from_millis(10),
            root: None,
            cpu: Some(Duration::from_millis(cpu)),
            counts: None,
            energy_uj: None,
        };
        assert_eq!(turns(&[lap(19), lap(10), lap(18), lap(11)]), 2);
        assert_eq!(turns(&[lap(10), lap(10)]), 0, "a single thread cannot take turns");
        assert_eq!(turns(&[Sample { cpu: None, ..lap(0) }]), 0);
    }

    #[test]
    fn outliers_on_either_side_are_counted() {
        let mut times = us(100..120);
        assert_eq!(outliers(&times), 0);
        times.extend(us([200, 10]));
        assert_eq!(outliers(&times), 2);
    }

    #[test]
    fn several_slow_samples_make_a_series_uneven_and_one_does_not() {
        let slow_for = |laps: usize| {
            let times = (0..20).map(|lap| if lap < laps { 140 } else { 100 });
            unevenness(&us(times)).expect("the series is long enough")
        };
        assert_eq!([slow_for(0), slow_for(1), slow_for(5)], [1.0, 1.0, 1.4]);
        assert_eq!(unevenness(&us([100; 7])), None);
    }

    #[test]
    fn a_short_series_has_neither_outliers_nor_drift() {
        let few = us([1, 2, 3, 4, 5, 6, 1_000]);
        assert_eq!(outliers(&few), 0);
        assert_eq!(drift(&few), None);
    }

    #[test]
    fn the_drift_of_a_falling_series_is_its_relative_gain() {
        let warming = us((0..20).map(|round| 1_000 - 20 * round));
        let change = drift(&warming).expect("the series falls");
        assert!((change + 0.22).abs() < 0.01, "{change}");
    }

    #[test]
    fn a_tiny_trend_is_no_drift() {
        assert_eq!(drift(&us((0..20).map(|round| 100_000 + round))), None);
    }

    #[test]
    fn noise_without_a_trend_rarely_drifts() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        let mut noise = || us((0..20).map(|_| rng.random_range(900..1_100)));
        let drifting = (0..1_000).filter(|_| drift(&noise()).is_some()).count();
        assert!(drifting <= 5, "{drifting} of 1000");
    }
}
