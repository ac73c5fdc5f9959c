//! Medians, speedups, and how sure one may be of them.
//!
//! Timings are skewed and have outliers, so everything here rests on medians and on resampling, and
//! nothing assumes a normal distribution. Intervals are 95 % bootstrap intervals (`bootstrap`).
//!
//! A speedup is *paired within rounds*: it is the median over the rounds of the time of the baseline /
//! the time of the contender next to it. What slows a whole round down, such as a lower clock or a busy
//! neighbour, cancels in each of these ratios, and so moves neither the speedup nor its interval.
//!
//! Which rounds belong together, and that the timed results were right, is left to the caller. The
//! interval covers the noise between rounds of one process; it knows nothing of what differs from
//! one process, build or machine to the next, which needs runs of its own
//! ([`change`](super::change)).
//!
//! Source: T. Kalibera and R. Jones, *Rigorous Benchmarking in Reasonable Time*, ISMM 2013, for ratios
//! with bootstrap intervals and for the levels at which benchmarks vary.

use std::time::Duration;

use super::bootstrap::{interval, resample};

pub use super::bootstrap::RESAMPLES;

/// Why no statistic can be computed from a series of timings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum StatsError {
    /// An empty series.
    #[error("there are no timings to summarise; measure at least one round")]
    NoSamples,

    /// Two series that are not of the same rounds.
    #[error("the baseline has {baseline} rounds and the contender {contender}; pair them first")]
    Unpaired { baseline: usize, contender: usize },

    /// A ratio would divide by zero, or be zero.
    #[error("round {round} (from 0) took no measurable time, so it gives no ratio")]
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
    /// Summarises the timings of one contender. Their order does not matter, and the same timings
    /// and seed give the same interval.
    ///
    /// The interval of a single timing is that timing itself: it says nothing about the spread. The
    /// median lies in the interval, short of a chance that is far too small to meet.
    ///
    /// # Errors
    /// [`StatsError::NoSamples`] if there are no timings.
    pub fn of(times: &[Duration], seed: u64) -> Result<Self, StatsError> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let estimates = resample(&sorted, seed, middle_time);
        let ends = interval(estimates, times.len(), Ord::cmp);
        let (ci_low, ci_high) = ends.ok_or(StatsError::NoSamples)?;
        Ok(Self { median: median(times)?, ci_low, ci_high })
    }
}

/// How many times faster a contender is than the baseline, with a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speedup {
    /// Median over the rounds of baseline / contender: above 1 the contender is faster.
    pub ratio: f64,
    /// Lower end of the 95 % interval of the ratio.
    pub ci_low: f64,
    /// Upper end of the 95 % interval of the ratio.
    pub ci_high: f64,
}

impl Speedup {
    /// Compares two series of the same rounds: position *i* of both comes from round *i*. In which
    /// order the rounds are listed does not matter, and the same rounds and seed give the same
    /// interval. The interval of a single round is its ratio itself.
    ///
    /// # Errors
    /// [`StatsError::Unpaired`] if the lengths differ, [`StatsError::NoSamples`] if there are no
    /// rounds, [`StatsError::NoTime`] if a timing is zero.
    pub fn paired(
        baseline: &[Duration],
        contender: &[Duration],
        seed: u64,
    ) -> Result<Self, StatsError> {
        let mut ratios = ratios(baseline, contender)?;
        // The generator draws by position: sorted ratios make the interval independent of the
        // order.
        ratios.sort_unstable_by(f64::total_cmp);
        let estimates = resample(&ratios, seed, median_ratio);
        let ends = interval(estimates, ratios.len(), f64::total_cmp);
        let (ci_low, ci_high) = ends.ok_or(StatsError::NoSamples)?;
        let ratio = median_ratio(&mut ratios).ok_or(StatsError::NoSamples)?;
        Ok(Self { ratio, ci_low, ci_high })
    }

    /// The geometric mean of the speedups on several blocks, with an interval that holds the noise of
    /// the rounds: these blocks, measured again, not other blocks. `None` as for [`geometric_mean`].
    ///
    /// The blocks were measured apart, so that their errors are independent: on a logarithmic scale
    /// the distances to the ends of the intervals add up in quadrature.
    pub fn overall(speedups: &[Self]) -> Option<Self> {
        let mean =
            |side: fn(&Self) -> f64| geometric_mean(&speedups.iter().map(side).collect::<Vec<_>>());
        let ratio = mean(|speedup| speedup.ratio)?;
        // Both are needed, so that no logarithm below is infinite.
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

/// The median of some timings: the middle one, or the mean of the middle two, to the nanosecond
/// below.
///
/// # Errors
/// [`StatsError::NoSamples`] if there are no timings.
pub fn median(times: &[Duration]) -> Result<Duration, StatsError> {
    middle_time(&mut times.to_vec()).ok_or(StatsError::NoSamples)
}

/// The geometric mean of some ratios, the mean that treats "twice as fast" and "half as fast" as
/// opposites. `None` if there are no ratios, or if one is not a positive finite number.
pub fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    let positive = ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0);
    (positive && !ratios.is_empty()).then(|| {
        let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
        (logarithms / ratios.len() as f64).exp()
    })
}

/// Baseline / contender of each round.
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

/// The middle of some ratios, of two middle ones the geometric mean, so that the inverse ratios have
/// the inverse middle. Reorders them, which spares a full sort.
pub(super) fn median_ratio(ratios: &mut [f64]) -> Option<f64> {
    let (lower, upper) = middle_two(ratios, f64::total_cmp)?;
    Some(if lower == upper { upper } else { (lower * upper).sqrt() })
}

fn middle_time(times: &mut [Duration]) -> Option<Duration> {
    let (lower, upper) = middle_two(times, Ord::cmp)?;
    Some(lower + (upper - lower) / 2)
}

/// The middle two of an even number of values, or twice the middle one.
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
