//! Profiles runs of an executor, and verifies their outcome.

use super::{BlockSource, race::rows::facts};
use crate::{
    block::{ReplayJob, prepare},
    execution::{BlockOutcome, Executor},
    executors::ExecutorKind,
    insight::{Trace, timeline::watch},
    measure::{Readiness, SystemClock, prepare_workers},
    report::BlockFacts,
    threads::{ExecutionLimit, Watchdog, WorkerPool},
    verify::{self, Verdict, VerifiedTo},
};
use eyre::WrapErr;
use std::{num::NonZeroUsize, sync::Arc};

/// Number of profiled runs of [`profile_block`], and the state of the workers before each.
const RUNS: Runs =
    Runs { count: NonZeroUsize::new(9).expect("not zero"), readiness: Readiness::Awake };

/// Executions of the profiled runs. The preparation of the executor counts as one.
const EXECUTIONS: u32 = 10;

/// A profiled run of an executor over one block.
#[derive(Debug)]
pub struct Profiled {
    /// The block.
    pub job: Arc<ReplayJob>,
    /// Its facts.
    pub facts: BlockFacts,
    /// Depth of the verification.
    pub verified_to: VerifiedTo,
    /// The activities of each thread. They are meaningless if the run does not match.
    pub trace: Trace,
    /// Whether the run matches the block's header.
    pub verdict: Verdict,
    /// The outcome of the run.
    pub outcome: BlockOutcome,
}

/// Profiles several runs of an executor over one block, without a race. Returns the run of median length. Each
/// execution has the limit.
///
/// # Errors
/// If the block cannot be read, proved or executed, or if the executor panics or hangs.
pub fn profile_block(
    source: BlockSource,
    executor: ExecutorKind,
    threads: NonZeroUsize,
    limit: ExecutionLimit,
) -> eyre::Result<Profiled> {
    let mut watchdog = Watchdog::new(threads, limit)?;
    let (place, confirmed) = (source.place(), source.confirmation().cloned());
    let recorded = source.load()?;
    let prepared = watchdog.run(|pool| pool.install(|| prepare(recorded, |_| ())))?;
    let job = Arc::new(prepared.wrap_err_with(|| format!("{place} cannot be replayed"))?);
    let shared = job.clone();
    let ((trace, verdict), outcome) = watchdog.run_several(EXECUTIONS, move |pool| {
        let prepared = executor.prepare(&shared, pool.threads())?;
        profile_outcome(executor, &*prepared, &shared, pool, RUNS)
    })??;
    let (facts, verified_to) = (facts(&job, confirmed), VerifiedTo::of(&job));
    Ok(Profiled { job, facts, verified_to, trace, verdict, outcome })
}

/// Settings of the profiled runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    pub(crate) count: NonZeroUsize,
    /// State of the workers at the start of a run.
    pub(crate) readiness: Readiness,
}

/// Profiles `count` runs of the block and returns the run of median length. A single run could be an outlier, in
/// which the system provided memory or took a processor away. The workers start each run in the same state as in a
/// race.
///
/// # Errors
/// The block is invalid, the pre-state lacks a value that it reads, or the witness lacks nodes that the state root
/// needs.
pub(crate) fn profile(
    kind: ExecutorKind,
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
    runs: Runs,
) -> eyre::Result<(Trace, Verdict)> {
    profile_outcome(kind, executor, job, pool, runs).map(|(profile, _)| profile)
}

/// As [`profile`], and returns the outcome of the run.
fn profile_outcome(
    kind: ExecutorKind,
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
    Runs { count, readiness }: Runs,
) -> eyre::Result<((Trace, Verdict), BlockOutcome)> {
    let clock = SystemClock::start();
    let run = |_| {
        prepare_workers(&clock, readiness, executor, (job, pool));
        watch(kind, executor, job, pool)
    };
    let mut all = (0..count.get()).map(run).collect::<Result<Vec<_>, _>>()?;
    all.sort_by_key(|(_, trace)| trace.total);
    let (execution, trace) = all.swap_remove(count.get() / 2);
    let verdict = check(job, &execution.outcome, pool)?;
    Ok(((trace, verdict), execution.outcome))
}

/// Compares an outcome with the block's header, to the depth that the pre-state allows.
///
/// # Errors
/// If the witness lacks nodes that the state root needs.
pub(crate) fn check(
    job: &ReplayJob,
    outcome: &BlockOutcome,
    pool: &WorkerPool,
) -> eyre::Result<Verdict> {
    let root = pool
        .install(|| job.root_after(&outcome.post_state))
        .wrap_err("the state root after the block cannot be computed from the witness")?;
    Ok(verify::check(job, outcome, root))
}
