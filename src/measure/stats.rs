//! Medians, speedups, and how sure one may be of them.
//!
//! Timings are skewed and have outliers, so everything here rests on medians and on resampling, and
//! nothing assumes a normal distribution. Intervals are 95 % percentile bootstrap intervals: draw
//! as many rounds as there were, with replacement, compute the statistic again, repeat this
//! [`RESAMPLES`] times, and cut the same share off both ends of the results.
//!
//! A speedup is a ratio of medians that is *paired within rounds*: round *i* of the baseline ran
//! next to round *i* of the contender, so both are resampled by the same rounds. What slows a whole
//! round down, such as a lower clock or a busy neighbour, then cancels and does not widen the
//! interval.
//!
//! Which rounds belong together, and that the timed results were right, is left to the caller. The
//! interval covers the noise between rounds of one process; it knows nothing of what differs from
//! one process, build or machine to the next, which needs runs of its own.
//!
//! Such an interval is a little too narrow where rounds are few: in simulation, 95 % intervals of 15
//! log-normal timings hold the true median about 93 times in 100.
//!
//! Sources: B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13,
//! for percentile intervals; T. Kalibera and R. Jones, *Rigorous Benchmarking in Reasonable Time*,
//! ISMM 2013, for ratios with bootstrap intervals and for the levels at which benchmarks vary.

use std::cmp::Ordering;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;

/// How often the rounds are drawn again for one interval. At 2,000, the ends of the interval rest
/// on 50 results at either side, and a row of a report still costs only milliseconds.
pub const RESAMPLES: usize = 2_000;

/// The interval starts and ends at this place from either end of the sorted results. It leaves
/// 2.5 % on each side: the integer part of (`RESAMPLES` + 1) · 0.025.
const TAIL: usize = (RESAMPLES + 1) * 25 / 1_000;

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

        let middle = |times: &mut [Duration]| median_by(times, |time| *time);
        let estimates = bootstrap(&sorted, seed, middle);
        let (ci_low, ci_high) = interval(estimates, Ord::cmp).ok_or(StatsError::NoSamples)?;
        Ok(Self { median: median(times)?, ci_low, ci_high })
    }
}

/// How many times faster a contender is than the baseline, with a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speedup {
    /// Median of the baseline / median of the contender: above 1 the contender is faster.
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
        let mut rounds = pair(baseline, contender)?;
        // The generator draws by position: sorted rounds make the interval independent of the
        // order.
        rounds.sort_unstable();

        let estimates = bootstrap(&rounds, seed, ratio_of_medians);
        let (ci_low, ci_high) = interval(estimates, f64::total_cmp).ok_or(StatsError::NoSamples)?;
        let ratio = ratio_of_medians(&mut rounds).ok_or(StatsError::NoSamples)?;
        Ok(Self { ratio, ci_low, ci_high })
    }
}

/// The median of some timings: the middle one, or the mean of the middle two, to the nanosecond
/// below.
///
/// # Errors
/// [`StatsError::NoSamples`] if there are no timings.
pub fn median(times: &[Duration]) -> Result<Duration, StatsError> {
    median_by(&mut times.to_vec(), |time| *time).ok_or(StatsError::NoSamples)
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

/// A round: the time of the baseline, and of the contender.
type Round = (Duration, Duration);

fn pair(baseline: &[Duration], contender: &[Duration]) -> Result<Vec<Round>, StatsError> {
    if baseline.len() != contender.len() {
        return Err(StatsError::Unpaired { baseline: baseline.len(), contender: contender.len() });
    }
    let rounds: Vec<Round> = baseline.iter().copied().zip(contender.iter().copied()).collect();
    match rounds.iter().position(|(base, other)| base.is_zero() || other.is_zero()) {
        Some(round) => Err(StatsError::NoTime { round }),
        None => Ok(rounds),
    }
}

fn ratio_of_medians(rounds: &mut [Round]) -> Option<f64> {
    let baseline = median_by(rounds, |(baseline, _)| *baseline)?;
    let contender = median_by(rounds, |(_, contender)| *contender)?;
    Some(baseline.div_duration_f64(contender))
}

/// The median of one time of each round. Reorders the rounds, which spares a full sort.
fn median_by<R>(rounds: &mut [R], time: impl Fn(&R) -> Duration) -> Option<Duration> {
    let count = rounds.len();
    if count == 0 {
        return None;
    }
    let (below, upper, _) = rounds.select_nth_unstable_by_key(count / 2, &time);
    let upper = time(upper);
    match below.iter().map(time).max() {
        Some(lower) if count.is_multiple_of(2) => Some(lower + (upper - lower) / 2),
        _ => Some(upper),
    }
}

/// The statistic of each of [`RESAMPLES`] draws of as many rounds as there are, with replacement.
///
/// The generator is named, and not the library's standard one, because that may become another with
/// any release and a seed must keep its meaning.
fn bootstrap<R: Copy, T>(
    rounds: &[R],
    seed: u64,
    statistic: impl Fn(&mut [R]) -> Option<T>,
) -> Vec<T> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut drawn = Vec::with_capacity(rounds.len());
    let draw = |_| {
        drawn.clear();
        drawn.extend(rounds.iter().filter_map(|_| rounds.choose(&mut rng)));
        statistic(&mut drawn)
    };
    (0..RESAMPLES).filter_map(draw).collect()
}

/// What is left between the tails of the bootstrapped estimates.
fn interval<T: Copy>(
    mut estimates: Vec<T>,
    order: impl FnMut(&T, &T) -> Ordering,
) -> Option<(T, T)> {
    estimates.sort_unstable_by(order);
    let low = estimates.get(TAIL - 1)?;
    let high = estimates.get(estimates.len().checked_sub(TAIL)?)?;
    Some((*low, *high))
}

#[cfg(test)]
mod tests;
