//! Takes one sample: an execution, its state root and its verification.
//!
//! The timer is in [`execute`], which all executors share, the baseline included. It runs from a prepared
//! [`ReplayJob`] to a complete outcome. The state root has a separate timer. An executor that computes the root beside
//! the execution runs once more for a time of both. Verification and dropping the outcome are not timed.
//!
//! All of it runs on the watchdog's thread. Memory is then freed by the thread that allocated it. Otherwise the
//! allocator would collect it in a later sample, inside the timer.

use super::{
    clock::{Clock, timed, timed_with_cpu},
    counters::Counters,
    energy::EnergyMeter,
    plan::Readiness,
    reference::{Reference, chain},
    runner::RunError,
    sample::Sample,
};
use crate::{
    block::{ReplayJob, TrieAfter},
    execution::{BlockOutcome, Execution, ExecutionMode, ExecutionStats, Executor},
    threads::{BoundCaller, Pinning, Watchdog, WatchdogError, WorkerPool, watchdog::panic_message},
    trie::TrieError,
};
use alloy_primitives::B256;
use std::{
    any::Any,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// The clock and counters of the samples.
#[derive(Debug)]
pub(super) struct Meter<C> {
    pub(super) clock: C,
    pub(super) counters: Option<Counters>,
    pub(super) energy: Option<Arc<EnergyMeter>>,
    pub(super) readiness: Readiness,
    pub(super) pinning: Pinning,
}

/// Prepares the threads for a sample. Waits until the threads of the previous sample sleep. If `readiness` asks
/// for it, wakes the workers of this sample.
pub fn prepare_workers(
    clock: &impl Clock,
    readiness: Readiness,
    executor: &dyn Executor,
    (job, pool): (&ReplayJob, &WorkerPool),
) {
    clock.until_quiet();
    if readiness == Readiness::Awake && executor.has_work_for_others(job, pool) {
        pool.wake_workers();
    }
}

/// An outcome and its state root, to be verified. The root is `None` if the pre-state has no proof.
type Judged = (BlockOutcome, Result<Option<B256>, TrieError>);

/// Result of one timed execution.
struct Lap {
    execution: Execution,
    /// `None` if the pre-state has no proof.
    root: Result<Option<B256>, TrieError>,
    /// The result of the execution beside which the root was computed, if there was one.
    beside: Option<Judged>,
    sample: Sample,
}

/// A sample of a right outcome.
pub(super) struct VerifiedLap {
    pub(super) sample: Sample,
    pub(super) stats: ExecutionStats,
    pub(super) mode: ExecutionMode,
}

impl<C: Clock + Clone + Send + 'static> Meter<C> {
    /// Executes once and verifies the outcome by `reference`. The inner `Err` says why there is no right outcome.
    ///
    /// # Errors
    /// The run was interrupted, or the outcome cannot be verified.
    pub(super) fn lap(
        &mut self,
        executor: &Arc<dyn Executor>,
        job: &Arc<ReplayJob>,
        (watchdog, threads): (&mut Watchdog, NonZeroUsize),
        reference: &mut Reference,
    ) -> Result<Result<VerifiedLap, String>, RunError> {
        let (executor, job, clock) = (executor.clone(), job.clone(), self.clock.clone());
        let (readiness, pinning, energy) = (self.readiness, self.pinning, self.energy.clone());
        let mut counters = self.counters.take();
        let mut known = reference.clone();
        let run = move |pool: &WorkerPool| {
            let lap = bound(pinning).and_then(|_bound| {
                prepare_workers(&clock, readiness, &*executor, (&job, pool));
                let meters = (&clock, &mut counters, energy.as_deref());
                let lap = execute(&*executor, &job, pool, meters)?;
                if !executor.has_root_beside(&job, pool) {
                    return Ok(lap);
                }
                prepare_workers(&clock, readiness, &*executor, (&job, pool));
                lap.with_root_beside(&*executor, &job, pool, &clock)
            });
            let verified = lap.map(|lap| lap.verify(&job, &mut known));
            (verified, counters, known)
        };
        // Counters stay with an abandoned run: later samples have none.
        match watchdog.run_on(threads, run) {
            Ok((verified, counters, known)) => {
                self.counters = counters;
                *reference = known;
                verified.unwrap_or_else(|gave_up| Ok(Err(gave_up)))
            }
            Err(WatchdogError::Interrupted) => Err(RunError::Interrupted),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

/// Pins the calling thread to its core if the plan asks for that.
fn bound(pinning: Pinning) -> Result<Option<BoundCaller>, String> {
    match pinning {
        Pinning::Free => Ok(None),
        Pinning::Pinned => WorkerPool::bind_caller().map(Some).map_err(|error| chain(&error)),
    }
}

fn execute(
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
    (clock, counters, energy): (&impl Clock, &mut Option<Counters>, Option<&EnergyMeter>),
) -> Result<Lap, String> {
    let attempt = || catch_unwind(AssertUnwindSafe(|| executor.execute(job, pool)));
    let run = || timed_with_cpu(clock, attempt);
    let before = energy.and_then(EnergyMeter::read);
    let ((execution, execute, cpu), counts) = match counters {
        Some(counters) => counters.during(run),
        None => (run(), None),
    };
    let energy_uj = energy.zip(before).and_then(|(meter, before)| meter.since(&before));
    let execution = match execution {
        Ok(Ok(execution)) => execution,
        // The block was executed when it was prepared, so it is valid: the executor is wrong.
        Ok(Err(error)) => return Err(chain(&error)),
        Err(panic) => return Err(panicked(&*panic)),
    };
    let compute = || pool.install(|| job.trie_after(&execution.outcome.post_state));
    let (trie, root) = timed(clock, compute);
    let hash = root_of(trie);
    let root = matches!(hash, Ok(Some(_))).then_some(root);
    let sample = Sample { execute, root, whole: None, cpu, counts, energy_uj };
    Ok(Lap { root: hash, execution, beside: None, sample })
}

impl Lap {
    /// Executes once more and computes the state root beside that, timed together.
    fn with_root_beside(
        mut self,
        executor: &dyn Executor,
        job: &ReplayJob,
        pool: &WorkerPool,
        clock: &impl Clock,
    ) -> Result<Self, String> {
        let execute = || catch_unwind(AssertUnwindSafe(|| executor.execute_with_root(job, pool)));
        let (result, whole) = timed(clock, execute);
        let (execution, trie) = match result {
            Ok(Ok(both)) => both,
            Ok(Err(error)) => return Err(chain(&error)),
            Err(panic) => return Err(panicked(&*panic)),
        };
        self.sample.whole = Some(whole);
        self.execution.stats.early_root = execution.stats.early_root;
        self.beside = Some((execution.outcome, root_of(trie)));
        Ok(self)
    }

    /// Verifies all outcomes. The inner `Err` is the first difference.
    fn verify(
        self,
        job: &ReplayJob,
        reference: &mut Reference,
    ) -> Result<Result<VerifiedLap, String>, RunError> {
        let Self { execution, root, beside, sample } = self;
        let Execution { outcome, stats, mode, leftovers: _freed_later } = execution;
        for (outcome, root) in std::iter::once((outcome, root)).chain(beside) {
            if let Some(fault) = reference.fault(job, outcome, root)? {
                return Ok(Err(fault));
            }
        }
        Ok(Ok(VerifiedLap { sample, stats, mode }))
    }
}

fn root_of(trie: TrieAfter<'_>) -> Result<Option<B256>, TrieError> {
    trie.map(|trie| trie.map(|trie| trie.root()))
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    WatchdogError::Panicked { message: panic_message(panic) }.to_string()
}
