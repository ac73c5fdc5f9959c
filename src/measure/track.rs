//! One contestant's way through the rounds of one block.
//!
//! What is inside the timer is [`Meter::lap`], one function for every executor, the baseline included:
//! from a ready [`ReplayJob`] to a complete outcome. The state root is timed apart. Verification and
//! dropping what was built are not timed.

use super::{
    clock::{Clock, timed, timed_with_cpu},
    counters::Counters,
    plan::{Contestant, Readiness},
    reference::{Reference, chain},
    runner::{Finish, Measured, RunError},
    sample::Sample,
    warmup::is_warm,
};
use crate::{
    block::ReplayJob,
    executor::{ExecuteError, Execution, ExecutionMode, ExecutionStats, Executor, WorkerPool},
    trie::TrieError,
};
use alloy_primitives::B256;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

/// Whether the times of a lap count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LapKind {
    /// They show whether the contestant is warm, and are dropped.
    WarmUp,
    /// They do.
    Timed,
}

/// What laps are measured with.
#[derive(Debug)]
pub(super) struct Meter<C> {
    pub(super) clock: C,
    pub(super) counters: Option<Counters>,
    pub(super) readiness: Readiness,
}

/// What comes before each lap: whoever worked in another one sleeps, and whoever is to work in this one is awake, if that
/// is asked for.
pub fn line_up(
    clock: &impl Clock,
    readiness: Readiness,
    executor: &dyn Executor,
    (job, pool): (&ReplayJob, &WorkerPool),
) {
    clock.until_quiet();
    if readiness == Readiness::Awake && executor.has_work_for_others(job, pool) {
        pool.rouse();
    }
}

/// What one timed execution gave.
struct Lap {
    execution: Execution,
    /// `None` where the pre-state has no proof.
    root: Result<Option<B256>, TrieError>,
    sample: Sample,
}

impl<C: Clock> Meter<C> {
    /// Executes once, timed, and computes the state root, timed apart. `Err` if the executor gave up on the block.
    fn lap(
        &mut self,
        executor: &dyn Executor,
        job: &ReplayJob,
        pool: &WorkerPool,
    ) -> Result<Lap, String> {
        let clock = &self.clock;
        line_up(clock, self.readiness, executor, (job, pool));
        let execute = || catch_unwind(AssertUnwindSafe(|| executor.execute(job, pool)));
        let run = || timed_with_cpu(clock, execute);
        let ((execution, execute, cpu), counts) = match &mut self.counters {
            Some(counters) => counters.during(run),
            None => (run(), None),
        };
        let execution = match execution {
            Ok(Ok(execution)) => execution,
            // The block was executed when it was prepared, so it is valid: the executor is wrong.
            Ok(Err(error)) => return Err(chain(&error)),
            Err(_) => return Err("it panicked; this is a bug".to_owned()),
        };
        let root_of = || pool.install(|| job.trie_after(&execution.outcome.post_state));
        let (trie, root) = timed(clock, root_of);
        let hash = trie.map(|trie| trie.map(|trie| trie.root()));
        let root = matches!(hash, Ok(Some(_))).then_some(root);
        Ok(Lap { root: hash, execution, sample: Sample { execute, root, cpu, counts } })
    }
}

/// One contestant's laps so far.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) contestant: Contestant,
    /// Made for the block; `None` if it could not be.
    executor: Option<Box<dyn Executor>>,
    mode: Option<ExecutionMode>,
    warm_up: Vec<Duration>,
    samples: Vec<Sample>,
    stats: Vec<ExecutionStats>,
    wrong: Option<String>,
}

impl Track {
    /// Makes the contestant's executor for the block, or notes why it has none.
    pub(super) fn new(
        contestant: Contestant,
        prepare: impl FnOnce() -> Result<Box<dyn Executor>, ExecuteError>,
    ) -> Self {
        let (executor, wrong) = match catch_unwind(AssertUnwindSafe(prepare)) {
            Ok(Ok(executor)) => (Some(executor), None),
            Ok(Err(error)) => (None, Some(chain(&error))),
            Err(_) => (None, Some("it panicked before it began; this is a bug".to_owned())),
        };
        Self {
            contestant,
            executor,
            mode: None,
            warm_up: Vec::new(),
            samples: Vec::new(),
            stats: Vec::new(),
            wrong,
        }
    }

    /// Runs one lap, unless an earlier one was wrong. An outcome is verified against the header once,
    /// and others of the same block by being equal to it.
    pub(super) fn run<C: Clock>(
        &mut self,
        kind: LapKind,
        meter: &mut Meter<C>,
        (job, pool): (&ReplayJob, &WorkerPool),
        reference: &mut Reference,
    ) -> Result<(), RunError> {
        let Some(executor) = self.executor.as_deref().filter(|_| self.wrong.is_none()) else {
            return Ok(());
        };
        let Lap { execution, root, sample } = match meter.lap(executor, job, pool) {
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
        // One lap that fell back is not forgotten.
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

    /// Whether more laps to warm up would be in vain.
    pub(super) fn is_warm(&self) -> bool {
        self.wrong.is_some() || is_warm(&self.warm_up)
    }

    /// Execution times of the laps that count; `None` if a lap was wrong.
    pub(super) fn times(&self) -> Option<Vec<Duration>> {
        let times = || self.samples.iter().map(|sample| sample.execute).collect();
        self.wrong.is_none().then(times)
    }

    /// What came of it, keeping as many timed laps as there were whole rounds.
    pub(super) fn finish(mut self, rounds: usize) -> Finish {
        self.samples.truncate(rounds);
        self.stats.truncate(rounds);
        let Self { contestant, mode, samples, stats, wrong, .. } = self;
        let measured = mode.map(|mode| Measured { mode, samples, stats });
        let result = match (wrong, measured) {
            (None, Some(measured)) => Ok(measured),
            (wrong, _) => Err(wrong.unwrap_or_else(|| "it never ran".to_owned())),
        };
        Finish { contestant, result }
    }
}
