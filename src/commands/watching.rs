//! Profiles runs of an executor, and verifies their outcome.

use crate::{
    block::ReplayJob,
    execution::{BlockOutcome, Executor},
    executors::ExecutorKind,
    insight::{Trace, timeline::watch},
    measure::{Readiness, SystemClock, prepare_workers},
    threads::WorkerPool,
    verify::{self, Verdict},
};
use eyre::WrapErr;
use std::num::NonZeroUsize;

/// Settings of the profiled runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    pub(super) count: NonZeroUsize,
    /// State of the workers at the start of a run.
    pub(super) readiness: Readiness,
}

/// Profiles `count` runs of the block and returns the run of median length. A single run could be an outlier, in
/// which the system provided memory or took a processor away. The workers start each run in the same state as in a
/// race.
///
/// # Errors
/// The block is invalid, the pre-state lacks a value that it reads, or the witness lacks nodes that the state root
/// needs.
pub(super) fn watched(
    kind: ExecutorKind,
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
    Runs { count, readiness }: Runs,
) -> eyre::Result<(Trace, Verdict)> {
    let clock = SystemClock::start();
    let run = |_| {
        prepare_workers(&clock, readiness, executor, (job, pool));
        watch(kind, executor, job, pool)
    };
    let mut all = (0..count.get()).map(run).collect::<Result<Vec<_>, _>>()?;
    all.sort_by_key(|(_, trace)| trace.total);
    let (execution, trace) = all.swap_remove(count.get() / 2);
    Ok((trace, check(job, &execution.outcome, pool)?))
}

/// Compares an outcome with the block's header, to the depth that the pre-state allows.
///
/// # Errors
/// If the witness lacks nodes that the state root needs.
pub(super) fn check(
    job: &ReplayJob,
    outcome: &BlockOutcome,
    pool: &WorkerPool,
) -> eyre::Result<Verdict> {
    let root = pool
        .install(|| job.root_after(&outcome.post_state))
        .wrap_err("the state root after the block cannot be computed from the witness")?;
    Ok(verify::check(job, outcome, root))
}
