//! A run of an executor that is watched, and verified like any other.

use crate::{
    block::ReplayJob,
    executor::{BlockOutcome, Executor, WorkerPool},
    insight::{Trace, timeline::watch},
    trie::UpdatedTrie,
    verify::{self, Verdict},
};
use eyre::WrapErr;

/// Executes the block so many times, to warm up, and then once under watch.
///
/// # Errors
/// The block is invalid, the pre-state lacks what it reads, or its witness what the state root needs.
pub(super) fn watched(
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
    warm_up: usize,
) -> eyre::Result<(Trace, Verdict)> {
    for _ in 0..warm_up {
        executor.execute(job, pool)?;
    }
    let (execution, trace) = watch(executor, job, pool)?;
    Ok((trace, check(job, &execution.outcome, pool)?))
}

fn check(job: &ReplayJob, outcome: &BlockOutcome, pool: &WorkerPool) -> eyre::Result<Verdict> {
    let trie = pool
        .install(|| job.trie_after(&outcome.post_state))
        .wrap_err("the state root after the block cannot be computed from the witness")?;
    Ok(verify::check(job, outcome, trie.as_ref().map(UpdatedTrie::root)))
}
