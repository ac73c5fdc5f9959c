//! A run of an executor that is watched, and verified like any other.

use crate::{
    block::ReplayJob,
    executor::{BlockOutcome, Executor, WorkerPool},
    insight::{Trace, timeline::watch},
    measure::{Readiness, SystemClock, line_up},
    verify::{self, Verdict},
};
use eyre::WrapErr;
use std::num::NonZeroUsize;

/// How an executor is watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    pub(super) count: NonZeroUsize,
    /// What its threads do when a run begins.
    pub(super) readiness: Readiness,
}

/// Executes the block so many times under watch, each time with threads that are as ready as in a race, and takes the run
/// of median length: a single one may be the one in which the system gave memory or took a processor away.
///
/// # Errors
/// The block is invalid, the pre-state lacks what it reads, or its witness what the state root needs.
pub(super) fn watched(
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
    Runs { count, readiness }: Runs,
) -> eyre::Result<(Trace, Verdict)> {
    let clock = SystemClock::start();
    let run = |_| {
        line_up(&clock, readiness, executor, (job, pool));
        watch(executor, job, pool)
    };
    let mut all = (0..count.get()).map(run).collect::<Result<Vec<_>, _>>()?;
    all.sort_by_key(|(_, trace)| trace.total);
    let (execution, trace) = all.swap_remove(count.get() / 2);
    Ok((trace, check(job, &execution.outcome, pool)?))
}

/// Holds an outcome against the block's header, as far as the pre-state allows.
///
/// # Errors
/// If the witness lacks what the state root needs.
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
