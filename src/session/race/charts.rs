//! Collects a block's dependencies, bounds and schedules for the charts of the HTML report.

use crate::{
    block::ReplayJob,
    executors::ExecutorKind,
    insight::{self, Analysis, Edge, Graph, Model, Place, Start, Study, schedule::critical_path},
    report::{
        BlockPicture,
        analysis::short_place,
        picture::{HotSpot, PathStep, Schedule},
    },
};
use alloy_consensus::Transaction as _;
use std::{cmp::Reverse, num::NonZeroUsize, time::Duration};

/// Whether a report draws charts of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charts {
    /// The report has the data of charts.
    Drawn,
    /// No format of the report draws charts, so their data are not computed.
    Omitted,
}

/// Returns the data of a block's charts, with the profiled schedules. `None` for a block without transactions.
pub(super) fn picture(
    job: &ReplayJob,
    study: &Study,
    mut threads: Vec<NonZeroUsize>,
    schedules: Vec<Schedule>,
    baseline: ExecutorKind,
) -> Option<BlockPicture> {
    threads.sort_unstable();
    threads.dedup();
    let analysis = Analysis::of(study, &threads);
    let graph = study.graph(Model::Fields);
    // The bound of `block-stm` holds for every executor without oracle knowledge.
    let bound = |threads: &NonZeroUsize| {
        study.bound(ExecutorKind::BLOCK_STM, *threads, baseline).map(|bound| (*threads, bound))
    };
    // The bounds do not model the latency of state, which can overlap freely.
    let threads = if job.state_latency.is_zero() { threads } else { Vec::new() };
    let conflict = |spot: &insight::HotSpot| HotSpot {
        place: short_place(&spot.place, job.chain.id()),
        transactions: dependents(&graph, study, &spot.place),
    };
    let mut conflicts: Vec<_> = analysis.fields.iter().map(conflict).collect();
    conflicts.sort_by_key(|spot| Reverse(spot.transactions));
    Some(BlockPicture {
        block: job.hash,
        critical_path_share: analysis.parallelism()?.recip(),
        bounds: threads.iter().filter_map(bound).collect(),
        conflicts,
        critical_path: path(job, study, &graph),
        dependencies: analysis.dependencies,
        schedules,
    })
}

/// The transactions of the critical path.
fn path(job: &ReplayJob, study: &Study, graph: &Graph) -> Vec<PathStep> {
    let gas = study.gas();
    let path = critical_path(&study.tasks(graph, Start::AtOnce));
    let step = |(tx, part): (usize, u64)| {
        let transaction = job.transactions.get(tx)?;
        Some(PathStep {
            tx,
            hash: *transaction.tx_hash(),
            to: transaction.to(),
            gas: gas.get(tx).copied().unwrap_or_default(),
            time: Duration::from_nanos(part),
        })
    };
    path.parts.into_iter().filter_map(step).collect()
}

/// Number of transactions that depend on another transaction at `place`.
fn dependents(graph: &Graph, study: &Study, place: &Place) -> usize {
    let is_there =
        |dependency: &Edge| Place::of(dependency.at, &study.names).is_some_and(|at| at == *place);
    graph.dependencies().iter().filter(|all| all.iter().any(is_there)).count()
}
