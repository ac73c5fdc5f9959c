//! Computes figures over several blocks: medians by fork, means of bounds, and the hottest contracts.

use super::{AnalysedBlock, AnalysisReport};
use crate::{
    insight::{Bounds, Ordered, Place},
    measure::stats::geometric_mean,
};
use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    time::Duration,
};

/// Medians over the blocks of one fork. Blocks without transactions are excluded.
#[derive(Debug)]
pub(super) struct ForkMedians<'a> {
    pub(super) fork: &'a str,
    pub(super) blocks: usize,
    pub(super) parallelism: Option<f64>,
    pub(super) independent: Option<f64>,
    pub(super) longest_share: Option<f64>,
    /// One bound for each thread count.
    pub(super) bounds: Vec<Option<f64>>,
}

/// Medians of each fork, oldest first. With several forks, the medians of all blocks come last.
pub(super) fn medians<'a>(
    report: &'a AnalysisReport,
    threads: &[NonZeroUsize],
) -> Vec<ForkMedians<'a>> {
    let mut blocks: Vec<_> = report.blocks.iter().collect();
    blocks.retain(|block| block.facts.transactions > 0);
    blocks.sort_by_key(|block| block.facts.number);
    let mut forks: Vec<(&str, Vec<&AnalysedBlock>)> = Vec::new();
    for block in &blocks {
        match forks.iter_mut().find(|(fork, _)| *fork == block.facts.fork) {
            Some((_, of_fork)) => of_fork.push(block),
            None => forks.push((&block.facts.fork, vec![block])),
        }
    }
    if forks.len() > 1 {
        forks.push(("all", blocks));
    }
    forks.into_iter().map(|(fork, blocks)| of_fork(fork, &blocks, threads)).collect()
}

fn of_fork<'a>(
    fork: &'a str,
    blocks: &[&AnalysedBlock],
    threads: &[NonZeroUsize],
) -> ForkMedians<'a> {
    let median_of = |value: &dyn Fn(&AnalysedBlock) -> Option<f64>| {
        median(blocks.iter().filter_map(|block| value(block)).collect())
    };
    let bound =
        |on: &NonZeroUsize| median_of(&|block| block.bounds_at(*on).map(|bounds| bounds.fields));
    ForkMedians {
        fork,
        blocks: blocks.len(),
        parallelism: median_of(&|block| block.analysis.parallelism()),
        independent: median_of(&|block| block.share(block.analysis.independent)),
        longest_share: median_of(&AnalysedBlock::longest_share),
        bounds: threads.iter().map(bound).collect(),
    }
}

impl AnalysedBlock {
    /// The bounds at a thread count; `None` if they were not requested.
    pub(super) fn bounds_at(&self, threads: NonZeroUsize) -> Option<&Bounds> {
        self.analysis.bounds.iter().find(|bounds| bounds.threads == threads)
    }
}

/// The median. For an even count it is the mean of the two middle values.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// Geometric mean of one kind of bound over all blocks.
pub(super) fn mean_bound(
    report: &AnalysisReport,
    threads: NonZeroUsize,
    bound: fn(&Bounds) -> f64,
) -> Option<f64> {
    let bounds = report.blocks.iter().filter_map(|block| block.bounds_at(threads));
    geometric_mean(&bounds.map(bound).collect::<Vec<_>>())
}

/// Growth factor of the critical path without a refinement, as a geometric mean.
pub(super) fn path_growth(report: &AnalysisReport, ordered: Ordered) -> Option<f64> {
    let growth = |block: &AnalysedBlock| {
        let path = block.analysis.critical_path;
        let cost = block.analysis.ordered.iter().find(|cost| cost.ordered == ordered)?;
        (!path.is_zero()).then(|| cost.critical_path.div_duration_f64(path))
    };
    geometric_mean(&report.blocks.iter().filter_map(growth).collect::<Vec<_>>())
}

/// A contract, over all blocks in which it is a hot spot.
#[derive(Debug)]
pub(super) struct HotContract {
    pub(super) chain_id: u64,
    pub(super) place: Place,
    pub(super) blocks: usize,
    pub(super) pairs: usize,
    /// Share of the critical paths of all blocks together.
    pub(super) path_share: f64,
    /// Number of blocks in which its removal would raise the bound most.
    pub(super) worst_in: usize,
}

/// The `count` contracts with the most time on critical paths over all blocks.
pub(super) fn hottest(report: &AnalysisReport, count: usize) -> Vec<HotContract> {
    let paths: Duration = report.blocks.iter().map(|block| block.analysis.critical_path).sum();
    let worst = worst_counts(report);
    let mut sums: BTreeMap<(u64, Place), (Duration, usize, usize)> = BTreeMap::new();
    for block in &report.blocks {
        for spot in &block.analysis.contracts {
            let sum = sums.entry((block.facts.chain_id, spot.place)).or_default();
            *sum = (sum.0 + spot.path_time, sum.1 + 1, sum.2 + spot.pairs);
        }
    }
    let mut hot: Vec<_> = sums.into_iter().collect();
    hot.sort_by_key(|(_, (time, ..))| std::cmp::Reverse(*time));
    let contract =
        |((chain_id, place), (time, blocks, pairs)): ((u64, Place), (Duration, _, _))| {
            let worst_in = worst.get(&(chain_id, place.address())).copied().unwrap_or_default();
            let path_share = if paths.is_zero() { 0.0 } else { time.div_duration_f64(paths) };
            HotContract { chain_id, place, blocks, pairs, path_share, worst_in }
        };
    hot.into_iter().take(count).map(contract).collect()
}

fn worst_counts(report: &AnalysisReport) -> HashMap<(u64, alloy_primitives::Address), usize> {
    let mut counts = HashMap::new();
    for block in &report.blocks {
        if let Some(spot) = block.analysis.worst() {
            *counts.entry((block.facts.chain_id, spot.place.address())).or_default() += 1;
        }
    }
    counts
}
