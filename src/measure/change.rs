//! By how much something became slower or faster from one run to another.
//!
//! A run gives each contender a series of costs on each block, one for each round: its time, or its
//! time relative to the baseline's in the same round. The change on a block is the ratio of the two
//! medians; above 1 it became slower. Its interval comes from drawing the rounds of both runs again.
//!
//! Two processes differ by more than their rounds show: memory lies elsewhere, hash seeds differ.
//! Such differences move each block by a little, in either direction. Over several blocks they show as
//! scatter, so [`overall`] draws blocks again, and [`stands_out`] asks of a block that it changed by
//! much more than blocks scatter. It asks as well that even its fast rounds are slower than the usual
//! one was: threads that a system puts on one core for a while slow down most rounds of a block. The fastest round of
//! all says nothing of that, since one in which the baseline was disturbed makes everybody else look fast.

use super::bootstrap::{RESAMPLES, interval, resample};
use super::stats::median_ratio;

/// The fewest blocks whose scatter says anything.
pub const FEWEST_BLOCKS: usize = 5;

/// A block stands out that changed by so many standard errors. Far more than for a single comparison,
/// as a report compares hundreds.
const STANDS_OUT: f64 = 5.0;

/// How many standard deviations a normal distribution's median absolute deviation is short of one.
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

/// What a change comes to, given what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// By more than the threshold and beyond noise.
    Slower,
    /// The same in the other direction.
    Faster,
    /// Neither.
    Same,
}

impl Change {
    /// Slower or faster by more than the `noise` that the runs themselves found, and, with all of the interval, by more
    /// than `threshold`. Both are shares: 0.05 is 5 %.
    pub fn judge(&self, threshold: f64, noise: f64) -> Judgement {
        let (enough, threshold) = (1.0 + noise, 1.0 + threshold);
        let Self { ratio, ci_low, ci_high } = *self;
        if ratio > enough && ci_low > threshold {
            Judgement::Slower
        } else if ratio * enough < 1.0 && ci_high * threshold < 1.0 {
            Judgement::Faster
        } else {
            Judgement::Same
        }
    }
}

/// The change of one contender on one block.
#[derive(Clone, Debug)]
pub struct BlockChange {
    /// How much, and how sure.
    pub change: Change,
    /// What the change could as well have been.
    draws: Vec<f64>,
    /// Standard error of the logarithm of the ratio.
    error: f64,
    /// Of the run that has fewer.
    rounds: usize,
    /// A fast round's new cost / the median before.
    fast: f64,
}

impl BlockChange {
    /// Compares the costs of two runs, of which neither may be empty nor hold what is not positive and
    /// finite; `None` otherwise.
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

/// The median of a contender's changes over blocks. `None` without blocks.
///
/// Not their mean: whatever else a machine does meanwhile makes some blocks of one run slower by tenths, which a mean over
/// a few tens of blocks does not survive. What changes less than half of the blocks is for [`stands_out`] to tell.
///
/// From five blocks on, its interval comes from drawing blocks again: their scatter holds the noise of
/// rounds as well as what differs between processes. With fewer, only the rounds are drawn again.
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

/// Which of a contender's blocks became slower by more than `threshold`, the median as well as a
/// fast round, and by more than rounds and blocks scatter. By position.
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

/// The lowest tenth, but not the very lowest of several.
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

/// Zero if there is nothing.
fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values).unwrap_or_default();
    let squares: Vec<f64> = values.iter().map(|value| (value - middle).powi(2)).collect();
    mean(&squares).unwrap_or_default().sqrt()
}

/// The upper median; zero if there is nothing.
fn median_by(values: &[f64]) -> f64 {
    let values = sorted(values);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
