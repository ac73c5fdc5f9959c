//! Collects the samples of one contender on one block.
//!
//! The timer is in [`Meter::lap`], which all executors share, the baseline included. It runs from a prepared
//! [`ReplayJob`] to a complete outcome. The state root has a separate timer. Verification and dropping the
//! outcome are not timed.

use super::{
    clock::{Clock, timed, timed_with_cpu},
    counters::Counters,
    energy::EnergyMeter,
    plan::{Contender, Readiness},
    reference::{Reference, chain},
    runner::{ContenderResult, Measured, RunError},
    sample::Sample,
    warmup::is_warm,
};
use crate::{
    block::ReplayJob,
    execution::{ExecuteError, Execution, ExecutionMode, ExecutionStats, Executor},
    threads::{BoundCaller, Pinning, Watchdog, WatchdogError, WorkerPool, watchdog::panic_message},
    trie::TrieError,
};
use alloy_primitives::B256;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// Whether the times of a sample count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LapKind {
    /// Warm-up: the times only show whether the contender is warm.
    WarmUp,
    /// The times count.
    Timed,
}

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

/// Result of one timed execution.
struct Lap {
    execution: Execution,
    /// `None` if the pre-state has no proof.
    root: Result<Option<B256>, TrieError>,
    sample: Sample,
}

impl<C: Clock + Clone + Send + 'static> Meter<C> {
    /// Executes once, timed, and computes the state root, timed apart. Both run on the watchdog's threads.
    /// The inner `Err` says why there is no outcome.
    fn lap(
        &mut self,
        executor: &Arc<dyn Executor>,
        job: &Arc<ReplayJob>,
        watchdog: &mut Watchdog,
    ) -> Result<Result<Lap, String>, RunError> {
        let (executor, job, clock) = (executor.clone(), job.clone(), self.clock.clone());
        let (readiness, pinning, energy) = (self.readiness, self.pinning, self.energy.clone());
        let mut counters = self.counters.take();
        let run = move |pool: &WorkerPool| {
            let lap = bound(pinning).and_then(|_bound| {
                prepare_workers(&clock, readiness, &*executor, (&job, pool));
                lap(&*executor, &job, pool, (&clock, &mut counters, energy.as_deref()))
            });
            (lap, counters)
        };
        // Counters stay with an abandoned run: later samples have none.
        match watchdog.run(run) {
            Ok((lap, counters)) => {
                self.counters = counters;
                Ok(lap)
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

fn lap(
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
    (clock, counters, energy): (&impl Clock, &mut Option<Counters>, Option<&EnergyMeter>),
) -> Result<Lap, String> {
    let execute = || catch_unwind(AssertUnwindSafe(|| executor.execute(job, pool)));
    let run = || timed_with_cpu(clock, execute);
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
    let root_of = || pool.install(|| job.trie_after(&execution.outcome.post_state));
    let (trie, root) = timed(clock, root_of);
    let hash = trie.map(|trie| trie.map(|trie| trie.root()));
    let root = matches!(hash, Ok(Some(_))).then_some(root);
    Ok(Lap { root: hash, execution, sample: Sample { execute, root, cpu, counts, energy_uj } })
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    WatchdogError::Panicked { message: panic_message(panic) }.to_string()
}

/// The samples of one contender so far.
#[derive(Debug)]
pub(super) struct ContenderRun {
    pub(super) contender: Contender,
    /// The executor for this block; `None` if its creation failed.
    executor: Option<Arc<dyn Executor>>,
    mode: Option<ExecutionMode>,
    warm_up: Vec<Duration>,
    samples: Vec<Sample>,
    stats: Vec<ExecutionStats>,
    wrong: Option<String>,
}

impl ContenderRun {
    /// Creates the executor for the block, or records the error.
    pub(super) fn new(
        contender: Contender,
        watchdog: &mut Watchdog,
        prepare: impl FnOnce() -> Result<Box<dyn Executor>, ExecuteError> + Send + 'static,
    ) -> Self {
        let (executor, wrong) = match watchdog.run(move |_| prepare()) {
            Ok(Ok(executor)) => (Some(Arc::from(executor)), None),
            Ok(Err(error)) => (None, Some(chain(&error))),
            Err(error) => (None, Some(format!("before its first execution: {error}"))),
        };
        Self {
            contender,
            executor,
            mode: None,
            warm_up: Vec::new(),
            samples: Vec::new(),
            stats: Vec::new(),
            wrong,
        }
    }

    /// Takes one sample, unless an earlier outcome was wrong. The first outcome of a block is verified against
    /// the header. Later outcomes must be equal to it.
    pub(super) fn run<C: Clock + Clone + Send + 'static>(
        &mut self,
        kind: LapKind,
        meter: &mut Meter<C>,
        (job, watchdog): (&Arc<ReplayJob>, &mut Watchdog),
        reference: &mut Reference,
    ) -> Result<(), RunError> {
        let Some(executor) = self.executor.as_ref().filter(|_| self.wrong.is_none()) else {
            return Ok(());
        };
        let Lap { execution, root, sample } = match meter.lap(executor, job, watchdog)? {
            Ok(lap) => lap,
            Err(gave_up) => {
                self.wrong = Some(gave_up);
                return Ok(());
            }
        };
        let Execution { outcome, stats, mode, leftovers: _freed_later } = execution;
        if let Some(fault) = reference.fault(job, outcome, root)? {
            self.wrong = Some(fault);
            return Ok(());
        }
        // A single fallback decides the mode of the row.
        if !matches!(self.mode, Some(ExecutionMode::FellBack(_))) {
            self.mode = Some(mode);
        }
        match kind {
            LapKind::WarmUp => self.warm_up.push(sample.execute),
            LapKind::Timed => {
                self.samples.push(sample);
                self.stats.push(stats);
            }
        }
        Ok(())
    }

    /// Whether further warm-up samples are useless.
    pub(super) fn is_warm(&self) -> bool {
        self.wrong.is_some() || is_warm(&self.warm_up)
    }

    /// Execution times of the timed samples; `None` after a wrong outcome.
    pub(super) fn times(&self) -> Option<Vec<Duration>> {
        let times = || self.samples.iter().map(|sample| sample.execute).collect();
        self.wrong.is_none().then(times)
    }

    /// The result of the contender. It keeps one timed sample per complete iteration.
    pub(super) fn finish(mut self, rounds: usize) -> ContenderResult {
        self.samples.truncate(rounds);
        self.stats.truncate(rounds);
        let Self { contender, mode, samples, stats, wrong, .. } = self;
        let measured = mode.map(|mode| Measured { mode, samples, stats });
        let result = match (wrong, measured) {
            (None, Some(measured)) => Ok(measured),
            (wrong, _) => Err(wrong.unwrap_or_else(|| "the executor did not run".to_owned())),
        };
        ContenderResult { contender, result }
    }
}
