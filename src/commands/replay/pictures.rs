//! What a block's own dependencies look like, for the reports that draw them.

use crate::{
    block::ReplayJob,
    executor::ExecutorKind,
    insight::{self, Analysis, Dependency, Graph, Model, Place, Study},
    report::{
        BlockPicture,
        analysis::short_place,
        picture::{HotSpot, Schedule},
    },
};
use std::{cmp::Reverse, num::NonZeroUsize};

/// Whether somebody draws blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pictures {
    Wanted,
    /// Nobody looks, so nobody has to find out.
    Unwanted,
}

/// What is known of a block, with schedules that were seen; `None` for one without transactions.
pub(super) fn picture(
    job: &ReplayJob,
    study: &Study,
    mut threads: Vec<NonZeroUsize>,
    schedules: Vec<Schedule>,
) -> Option<BlockPicture> {
    threads.sort_unstable();
    threads.dedup();
    let analysis = Analysis::of(study, &threads);
    let graph = study.graph(Model::Fields);
    // That of all executors which do not know beforehand what a transaction will read.
    let bound = |threads: &NonZeroUsize| {
        study.bound(ExecutorKind::BlockStm, *threads).map(|bound| (*threads, bound))
    };
    // Waiting for the state can overlap as it likes, which no bound here knows of.
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
        dependencies: analysis.dependencies,
        schedules,
    })
}

/// How many transactions depend on another one there.
fn dependents(graph: &Graph, study: &Study, place: &Place) -> usize {
    let is_there = |dependency: &Dependency| {
        Place::of(dependency.at, &study.names).is_some_and(|at| at == *place)
    };
    graph.dependencies().iter().filter(|all| all.iter().any(is_there)).count()
}
