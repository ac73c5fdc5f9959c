//! Computes how much slower or faster a contender became between two runs.
//!
//! A run gives each contender one cost per iteration on each block. The cost is its time, or its time relative
//! to the baseline's in the same iteration. The change on a block is the ratio of the two medians. A ratio
//! above 1 means slower. Its interval comes from resampling the iterations of both runs.
//!
//! Two processes differ by more than their iterations show, because memory addresses and hash seeds differ.
//! Such differences move each block slightly, in either direction. Over several blocks they appear as scatter.
//! [`overall`] therefore resamples blocks, and [`stands_out`] requires that a block changed by much more than
//! blocks scatter.
//!
//! [`stands_out`] also requires that the fast iterations of a block are slower than the median before. The
//! system may run all threads on one core for a while, which slows most iterations of a block. The very fastest
//! iteration is no evidence: a disturbed baseline makes all other contenders look fast in its iteration.

use super::bootstrap::{RESAMPLES, interval, resample};
use super::stats::median_ratio;
use super::warnings::FEWEST_ROUNDS;

/// The fewest blocks from which scatter can be estimated.
pub const FEWEST_BLOCKS: usize = 5;

/// A block stands out if it changed by more than this number of standard errors. The limit is far higher than
/// for a single comparison, because a report compares hundreds.
const STANDS_OUT: f64 = 5.0;

/// Factor from the median absolute deviation to the standard deviation, for a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// A ratio of costs, new / base, with its 95 % interval. Above 1 the new run is slower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The ratio.
    pub ratio: f64,
    /// Lower end of the interval.
    pub ci_low: f64,
    /// Upper end of the interval.
    pub ci_high: f64,
}

/// The judgement of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Slower by more than the threshold and the noise.
    Slower,
    /// Faster by more than the threshold and the noise.
    Faster,
    /// Not slower by more than the threshold.
    Same,
    /// The data neither show nor exclude a slowdown by more than the threshold.
    Unclear(Doubt),
}

/// The reason that a judgement is unclear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The noise floor exceeds the threshold.
    Noise,
    /// The interval reaches beyond the threshold.
    Interval,
    /// There are too few iterations for an interval.
    FewIterations,
    /// Other load on the machine may explain the slowdown, because a side is a single run with few blocks.
    SingleRun,
}

impl Change {
    /// Judges the change. For a slowdown the ratio must exceed the `noise` that the runs measured, and the whole
    /// interval must exceed `threshold`. The contrary claim needs an interval that ends below the threshold, and a
    /// noise floor within it. Both limits are shares: 0.05 is 5 %.
    pub fn judge(&self, threshold: f64, noise: f64) -> Judgement {
        let (enough, limit) = (1.0 + noise, 1.0 + threshold);
        let Self { ratio, ci_low, ci_high } = *self;
        if ratio > enough && ci_low > limit {
            Judgement::Slower
        } else if ratio * enough < 1.0 && ci_high * limit < 1.0 {
            Judgement::Faster
        } else if noise > threshold {
            Judgement::Unclear(Doubt::Noise)
        } else if ci_high > limit {
            Judgement::Unclear(Doubt::Interval)
        } else {
            Judgement::Same
        }
    }
}

/// The change of one contender on one block.
#[derive(Clone, Debug)]
pub struct BlockChange {
    /// The ratio and its interval.
    pub change: Change,
    /// Resampled ratios.
    draws: Vec<f64>,
    /// Standard error of the logarithm of the ratio.
    error: f64,
    /// Number of iterations of the shorter run.
    rounds: usize,
    /// Cost of a fast iteration of the new run / median of the base run.
    fast: f64,
}

impl BlockChange {
    /// Compares the costs of two runs. `None` if a run is empty, or if a cost is not positive and finite.
    pub fn between(base: &[f64], new: &[f64], seed: u64) -> Option<Self> {
        let valid = |cost: &f64| cost.is_finite() && *cost > 0.0;
        if !base.iter().chain(new).all(valid) {
            return None;
        }
        let ratio = median_ratio(&mut new.to_vec())? / median_ratio(&mut base.to_vec())?;
        let fast = fast(new)? / median_ratio(&mut base.to_vec())?;
        let before = resample(&sorted(base), seed, median_ratio);
        let after = resample(&sorted(new), !seed, median_ratio);
        let draws: Vec<f64> = after.iter().zip(&before).map(|(new, base)| new / base).collect();
        let error = deviation(&draws.iter().map(|draw| draw.ln()).collect::<Vec<_>>());
        let rounds = base.len().min(new.len());
        let change = change(ratio, draws.clone(), rounds)?;
        Some(Self { change, draws, error, rounds, fast })
    }
}

/// The median of a contender's changes over blocks; `None` without blocks.
///
/// The mean would not be robust. Other load slows some blocks of a run by tenths, which dominates a mean over a
/// few tens of blocks. [`stands_out`] detects changes of less than half of the blocks.
///
/// From five blocks on, the interval comes from resampling blocks. Their scatter contains the noise between
/// iterations and the differences between processes. With fewer blocks, only the iterations are resampled.
pub fn overall(blocks: &[&BlockChange], seed: u64) -> Option<Change> {
    let mut ratios: Vec<f64> = blocks.iter().map(|block| block.change.ratio).collect();
    let median = median_ratio(&mut ratios)?;
    if blocks.len() >= FEWEST_BLOCKS {
        let draws = resample(&sorted(&ratios), seed, median_ratio);
        return change(median, draws, blocks.len());
    }
    let draw = |at: usize| {
        let drawn = blocks.iter().filter_map(|block| block.draws.get(at).copied());
        median_ratio(&mut drawn.collect::<Vec<_>>())
    };
    let rounds = blocks.iter().map(|block| block.rounds).min()?;
    change(median, (0..RESAMPLES).filter_map(draw).collect(), rounds)
}

/// Whether the interval of [`overall`] has a basis: enough blocks, or enough iterations on each of them.
pub fn has_interval(blocks: &[&BlockChange]) -> bool {
    let fewest = blocks.iter().map(|block| block.rounds).min().unwrap_or(0);
    blocks.len() >= FEWEST_BLOCKS || fewest >= FEWEST_ROUNDS as usize
}

/// Positions of the blocks on which the contender became slower by more than `threshold`. Both the median and a
/// fast iteration must be slower. The change must exceed the scatter of iterations and blocks.
pub fn stands_out(blocks: &[&BlockChange], threshold: f64) -> Vec<usize> {
    let logs: Vec<f64> = blocks.iter().map(|block| block.change.ratio.ln()).collect();
    let middle = median_by(&logs);
    let deviations: Vec<f64> = logs.iter().map(|log| (log - middle).abs()).collect();
    let errors: Vec<f64> = blocks.iter().map(|block| block.error.powi(2)).collect();
    let spread = (MAD_TO_DEVIATION * median_by(&deviations)).powi(2) - median_by(&errors);
    let scatter = if blocks.len() < FEWEST_BLOCKS { 0.0 } else { spread.max(0.0) };
    let out = |(_, block): &(usize, &&BlockChange)| {
        let noise = (block.error.powi(2) + scatter).sqrt();
        let judged = block.change.judge(threshold, 0.0) == Judgement::Slower;
        judged && block.fast > 1.0 + threshold && block.change.ratio.ln() > STANDS_OUT * noise
    };
    blocks.iter().enumerate().filter(out).map(|(position, _)| position).collect()
}

/// The first decile, but not the minimum if there are several values.
fn fast(costs: &[f64]) -> Option<f64> {
    let last = costs.len().checked_sub(1)?;
    sorted(costs).get((costs.len() / 10).max(1).min(last)).copied()
}

fn change(ratio: f64, draws: Vec<f64>, rounds: usize) -> Option<Change> {
    let (ci_low, ci_high) = interval(draws, rounds, f64::total_cmp)?;
    Some(Change { ratio, ci_low, ci_high })
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation; zero for an empty slice.
fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values).unwrap_or_default();
    let squares: Vec<f64> = values.iter().map(|value| (value - middle).powi(2)).collect();
    mean(&squares).unwrap_or_default().sqrt()
}

/// The upper median; zero for an empty slice.
fn median_by(values: &[f64]) -> f64 {
    let values = sorted(values);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
