//! Computes medians, speedups and their intervals.
//!
//! Sample times are skewed and have outliers. All statistics therefore use medians and resampling, and none
//! assumes a normal distribution. Intervals are 95 % bootstrap intervals (`bootstrap`).
//!
//! A speedup is *paired within iterations*. It is the median over the iterations of baseline time / contender
//! time. A lower clock speed or other load slows a whole iteration. It cancels in the ratio, and changes
//! neither the speedup nor its interval.
//!
//! The caller pairs the iterations, and verifies the outcomes. The interval covers the noise between the
//! iterations of one process. It does not cover differences between processes, builds or machines.
//! [`change`](super::change) compares separate runs.
//!
//! Source: T. Kalibera and R. Jones, *Rigorous Benchmarking in Reasonable Time*, ISMM 2013, for ratios
//! with bootstrap intervals and for the levels at which benchmarks vary.

use std::time::Duration;

use super::bootstrap::{interval, resample};

pub use super::bootstrap::RESAMPLES;

/// Reason that a statistic cannot be computed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum StatsError {
    /// The series is empty.
    #[error("there are no samples to summarise; measure at least one iteration")]
    NoSamples,

    /// The two series have different lengths.
    #[error("the baseline has {baseline} samples and the contender {contender}; pair them first")]
    Unpaired { baseline: usize, contender: usize },

    /// A time is zero, so that its ratio is zero or undefined.
    #[error("iteration {round} (from 0) has a time of zero, so it has no ratio")]
    NoTime { round: usize },
}

/// A median time and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The median, as [`median`] defines it.
    pub median: Duration,
    /// Lower end of the 95 % interval of the median.
    pub ci_low: Duration,
    /// Upper end of the 95 % interval of the median.
    pub ci_high: Duration,
}

impl Summary {
    /// Summarises the times of one contender. Their order does not matter. The same times and seed give the
    /// same interval.
    ///
    /// The interval of a single time is that time itself, and says nothing about the spread. The interval
    /// contains the median, except with negligible probability.
    ///
    /// # Errors
    /// [`StatsError::NoSamples`] for an empty series.
    pub fn of(times: &[Duration], seed: u64) -> Result<Self, StatsError> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let estimates = resample(&sorted, seed, middle_time);
        let ends = interval(estimates, times.len(), Ord::cmp);
        let (ci_low, ci_high) = ends.ok_or(StatsError::NoSamples)?;
        Ok(Self { median: median(times)?, ci_low, ci_high })
    }
}

/// The ratio of the baseline's times to a contender's, with a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speedup {
    /// Median over the iterations of baseline / contender. Above 1 the contender is faster.
    pub ratio: f64,
    /// Lower end of the 95 % interval of the ratio.
    pub ci_low: f64,
    /// Upper end of the 95 % interval of the ratio.
    pub ci_high: f64,
}

impl Speedup {
    /// Compares two series of the same iterations: position *i* of both comes from iteration *i*. The order of
    /// the iterations does not matter. The same iterations and seed give the same interval. The interval of a
    /// single iteration is its ratio itself.
    ///
    /// # Errors
    /// [`StatsError::Unpaired`] if the lengths differ, [`StatsError::NoSamples`] for empty series,
    /// [`StatsError::NoTime`] if a time is zero.
    pub fn paired(
        baseline: &[Duration],
        contender: &[Duration],
        seed: u64,
    ) -> Result<Self, StatsError> {
        let mut ratios = ratios(baseline, contender)?;
        // The generator draws by position. Sorting makes the interval independent of the order.
        ratios.sort_unstable_by(f64::total_cmp);
        let estimates = resample(&ratios, seed, median_ratio);
        let ends = interval(estimates, ratios.len(), f64::total_cmp);
        let (ci_low, ci_high) = ends.ok_or(StatsError::NoSamples)?;
        let ratio = median_ratio(&mut ratios).ok_or(StatsError::NoSamples)?;
        Ok(Self { ratio, ci_low, ci_high })
    }

    /// The geometric mean of the speedups on several blocks. The interval covers the noise between iterations
    /// for these blocks, not for other blocks. `None` as for [`geometric_mean`].
    ///
    /// The blocks were measured separately, so their errors are independent. On a logarithmic scale, the
    /// distances to the ends of the intervals add up in quadrature.
    pub fn overall(speedups: &[Self]) -> Option<Self> {
        let mean =
            |side: fn(&Self) -> f64| geometric_mean(&speedups.iter().map(side).collect::<Vec<_>>());
        let ratio = mean(|speedup| speedup.ratio)?;
        // Both means must exist, so that no logarithm below is infinite.
        mean(|speedup| speedup.ci_low).and(mean(|speedup| speedup.ci_high))?;
        let error = |side: fn(&Self) -> f64| {
            let squares =
                speedups.iter().map(|speedup| (side(speedup) / speedup.ratio).ln().powi(2));
            squares.sum::<f64>().sqrt() / speedups.len() as f64
        };
        let ci_low = ratio * (-error(|speedup| speedup.ci_low)).exp();
        let ci_high = ratio * error(|speedup| speedup.ci_high).exp();
        Some(Self { ratio, ci_low, ci_high })
    }

    /// Half the width of the interval, relative to the ratio.
    pub fn precision(&self) -> f64 {
        (self.ci_high - self.ci_low) / (2.0 * self.ratio)
    }
}

/// The median: the middle time, or the mean of the middle two, rounded down to a nanosecond.
///
/// # Errors
/// [`StatsError::NoSamples`] for an empty series.
pub fn median(times: &[Duration]) -> Result<Duration, StatsError> {
    middle_time(&mut times.to_vec()).ok_or(StatsError::NoSamples)
}

/// The geometric mean of ratios. "Twice as fast" and "half as fast" cancel in it. `None` without ratios, or if
/// one is not positive and finite.
pub fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    let positive = ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0);
    (positive && !ratios.is_empty()).then(|| {
        let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
        (logarithms / ratios.len() as f64).exp()
    })
}

/// Baseline / contender of each iteration.
fn ratios(baseline: &[Duration], contender: &[Duration]) -> Result<Vec<f64>, StatsError> {
    if baseline.len() != contender.len() {
        return Err(StatsError::Unpaired { baseline: baseline.len(), contender: contender.len() });
    }
    let ratio = |(round, (base, other)): (usize, (&Duration, &Duration))| {
        let timed = !base.is_zero() && !other.is_zero();
        timed.then(|| base.div_duration_f64(*other)).ok_or(StatsError::NoTime { round })
    };
    baseline.iter().zip(contender).enumerate().map(ratio).collect()
}

/// The median ratio. For an even number it is the geometric mean of the middle two, so that the inverse ratios
/// have the inverse median. The function reorders the slice, which is faster than a full sort.
pub(super) fn median_ratio(ratios: &mut [f64]) -> Option<f64> {
    let (lower, upper) = middle_two(ratios, f64::total_cmp)?;
    Some(if lower == upper { upper } else { (lower * upper).sqrt() })
}

fn middle_time(times: &mut [Duration]) -> Option<Duration> {
    let (lower, upper) = middle_two(times, Ord::cmp)?;
    Some(lower + (upper - lower) / 2)
}

/// The middle two of an even number of values, or the middle value twice.
fn middle_two<T: Copy>(
    values: &mut [T],
    order: fn(&T, &T) -> std::cmp::Ordering,
) -> Option<(T, T)> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(count / 2, order);
    let upper = *upper;
    let lower = below.iter().copied().max_by(order).filter(|_| count.is_multiple_of(2));
    Some((lower.unwrap_or(upper), upper))
}

#[cfg(test)]
mod tests;
