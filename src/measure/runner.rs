//! Runs a block through a plan.
//!
//! This module holds the iterations: warm-up iterations until every contender is warm, then timed ones. Each
//! iteration runs every contender once. An incomplete iteration is dropped for all contenders, so that compared
//! samples always come from the same iterations. A contender with one wrong outcome has no times. The timer
//! itself is in `lap`.

use super::{
    clock::{Clock, SystemClock},
    counters::Counters,
    energy::EnergyMeter,
    lap::Meter,
    plan::{Contender, Iterations, Plan, Rounds, Warmup},
    reference::Reference,
    sample::Sample,
    stats::Speedup,
    track::{ContenderRun, LapKind},
    warmup::MOST_ROUNDS,
};
use crate::{
    block::ReplayJob,
    execution::{ExecuteError, ExecutionMode, ExecutionStats, Executor},
    executors::{ExecutorKind, SideBySide},
    threads::{ExecutionLimit, Watchdog, WatchdogError, WorkerPool},
    trie::TrieError,
};
use std::{collections::BTreeSet, num::NonZeroUsize, ops::ControlFlow, sync::Arc, time::Duration};

/// An interval is narrow enough if its half width is at most this share of the speedup.
pub const PRECISE: f64 = 0.02;

/// The fewest iterations before the width of an interval is trusted.
const FEWEST_ROUNDS: u32 = 10;

/// Reason that a block has no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The outcome cannot be verified.
    #[error("the state root after the block cannot be computed from the witness")]
    Root(#[from] TrieError),
    /// A run was abandoned, or its threads cannot be started.
    #[error(transparent)]
    Watchdog(#[from] WatchdogError),
    /// No timed iteration was completed.
    #[error("interrupted before the first timed iteration was complete")]
    Interrupted,
}

/// Result of one block's iterations.
#[derive(Clone, Debug)]
pub struct Race {
    /// The executor that speedups are relative to.
    pub baseline: ExecutorKind,
    /// Results of the contenders; the baseline is the first.
    pub results: Vec<ContenderResult>,
    /// Results of the A/A run and of the concurrent baselines; empty without an A/A run.
    pub self_checks: Vec<ContenderResult>,
    /// Timed iterations that all contenders completed.
    pub rounds: u32,
    /// Warm-up iterations.
    pub warmup: u32,
    /// Whether all contenders were warm. Always true for a fixed number of warm-up iterations.
    pub settled: bool,
    /// Reason that the iterations ended.
    pub end: End,
}

/// Reason that the iterations of a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All iterations were completed, or all intervals were narrow enough.
    Done,
    /// The time limit was reached before every interval was narrow enough.
    TimeLimit,
    /// The run was interrupted.
    Interrupted,
}

/// Result of one contender on one block.
#[derive(Clone, Debug)]
pub struct ContenderResult {
    /// The contender.
    pub contender: Contender,
    /// Samples of a contender without a wrong outcome, or the first error.
    pub result: Result<Measured, String>,
}

/// Samples of one contender on one block.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Mode of the execution.
    pub mode: ExecutionMode,
    /// Timed samples, in the order of the iterations.
    pub samples: Vec<Sample>,
    /// Statistics of the timed samples, in the same order.
    pub stats: Vec<ExecutionStats>,
}

/// Creates a contender's executor for a block.
pub(super) type Prepare = fn(Contender, &ReplayJob) -> Result<Box<dyn Executor>, ExecuteError>;

/// A plan and its running thread pools.
#[derive(Debug)]
pub struct Runner<C = SystemClock, P = Prepare> {
    plan: Plan,
    /// Leads a pool for each number of threads of the contenders.
    watchdog: Watchdog,
    prepare: Arc<P>,
    meter: Meter<C>,
}

impl Runner {
    /// Starts a pool for every number of threads in the plan.
    ///
    /// # Errors
    /// The system cannot start or pin the threads.
    pub fn new(plan: Plan, limit: impl Into<ExecutionLimit>) -> Result<Self, WatchdogError> {
        let prepare: Prepare = |contender, job| match contender {
            _ if contender.is_side_by_side() => {
                Ok(Box::new(SideBySide::prepare(contender.executor, job)?))
            }
            Contender { executor, threads } => executor.contender(job, threads),
        };
        Self::with(plan, SystemClock::start(), prepare, limit)
    }
}

impl<C, P> Runner<C, P>
where
    C: Clock + Clone + Send + 'static,
    P: Fn(Contender, &ReplayJob) -> Result<Box<dyn Executor>, ExecuteError> + Send + Sync + 'static,
{
    /// Like [`Runner::new`], with the caller's clock and executors.
    pub(super) fn with(
        plan: Plan,
        clock: C,
        prepare: P,
        limit: impl Into<ExecutionLimit>,
    ) -> Result<Self, WatchdogError> {
        // Counters cover only threads that start after them.
        let Rounds { readiness, pinning, .. } = plan.rounds;
        let (counters, energy) = (Counters::open(), EnergyMeter::open().map(Arc::new));
        let meter = Meter { clock, counters, energy, readiness, pinning };
        let all: BTreeSet<_> =
            plan.contenders().iter().map(|contender| contender.threads).collect();
        let watchdog = Watchdog::with(all.into_iter().collect(), pinning, limit)?;
        Ok(Self { plan, watchdog, prepare: Arc::new(prepare), meter })
    }

    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs `work` on the warm threads of the plan's contenders with `threads` threads.
    ///
    /// # Errors
    /// As [`Watchdog::run_on`].
    pub fn run_on<R: Send + 'static>(
        &mut self,
        threads: NonZeroUsize,
        work: impl FnOnce(&WorkerPool) -> R + Send + 'static,
    ) -> Result<R, RunError> {
        Ok(self.watchdog.run_on(threads, work)?)
    }

    /// The clock of the samples.
    pub const fn clock(&self) -> &C {
        &self.meter.clock
    }

    /// Whether hardware counters are available.
    pub const fn has_counters(&self) -> bool {
        self.meter.counters.is_some()
    }

    /// Runs all contenders over one block. `after_lap` is called after each sample and may end the run.
    /// Complete iterations then count.
    ///
    /// # Errors
    /// The outcome cannot be verified because the state root cannot be computed; no timed iteration was
    /// complete; or the calling thread cannot be pinned as planned.
    pub fn race(
        &mut self,
        job: &Arc<ReplayJob>,
        after_lap: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Race, RunError> {
        let mut tracks = Vec::new();
        for contender in self.plan.entrants() {
            let (prepare, job) = (self.prepare.clone(), job.clone());
            let prepare = move || prepare(contender, &job);
            tracks.push(ContenderRun::new(contender, &mut self.watchdog, prepare));
        }
        let reference = self.reference(job);
        BlockRace { job, tracks, reference, runner: self, after_lap }.run()
    }

    /// The outcome of an untimed run in block order, which others are compared with.
    fn reference(&mut self, job: &Arc<ReplayJob>) -> Reference {
        let job = job.clone();
        self.watchdog.run(move |pool| Reference::of(&job, pool)).unwrap_or_default()
    }
}

/// The iterations of one block.
struct BlockRace<'a, C, P, F> {
    runner: &'a mut Runner<C, P>,
    job: &'a Arc<ReplayJob>,
    tracks: Vec<ContenderRun>,
    reference: Reference,
    after_lap: F,
}

impl<C, P, F> BlockRace<'_, C, P, F>
where
    C: Clock + Clone + Send + 'static,
    F: FnMut() -> ControlFlow<()>,
{
    fn run(mut self) -> Result<Race, RunError> {
        let began = self.runner.meter.clock.wall();
        let mut orders = self.runner.plan.orders(self.job.hash);
        let mut warmup = 0;
        while self.needs_warm_up(warmup) {
            if self.round(LapKind::WarmUp, orders.next())?.is_break() {
                return Err(RunError::Interrupted);
            }
            warmup += 1;
        }
        let settled = match self.runner.plan.rounds.warmup {
            Warmup::Rounds(_) => true,
            Warmup::UntilSteady => self.tracks.iter().all(ContenderRun::is_warm),
        };
        let (mut rounds, mut next_look) = (0, FEWEST_ROUNDS);
        let end = loop {
            if let Some(end) = self.end(rounds, &mut next_look, began) {
                break end;
            }
            if self.round(LapKind::Timed, orders.next())?.is_break() {
                break End::Interrupted;
            }
            rounds += 1;
        };
        if rounds == 0 {
            return Err(RunError::Interrupted);
        }
        let finish = |track: ContenderRun| track.finish(rounds as usize);
        let mut results: Vec<_> = self.tracks.into_iter().map(finish).collect();
        let self_checks = results.split_off(self.runner.plan.contenders().len());
        // A baseline with one wrong outcome is no baseline.
        let wrong = self_checks.iter().find_map(|finish| finish.result.as_ref().err());
        if let (Some(wrong), Some(baseline)) = (wrong, results.first_mut()) {
            baseline.result = Err(format!("A/A run: {wrong}"));
        }
        let baseline = self.runner.plan.baseline();
        Ok(Race { baseline, results, self_checks, rounds, warmup, settled, end })
    }

    fn needs_warm_up(&self, done: u32) -> bool {
        match self.runner.plan.rounds.warmup {
            Warmup::Rounds(rounds) => done < rounds,
            Warmup::UntilSteady => {
                done < MOST_ROUNDS && !self.tracks.iter().all(ContenderRun::is_warm)
            }
        }
    }

    /// Runs every contender once, unless `after_lap` ends the run.
    fn round(
        &mut self,
        kind: LapKind,
        order: Option<Vec<usize>>,
    ) -> Result<ControlFlow<()>, RunError> {
        let Runner { watchdog, meter, .. } = &mut *self.runner;
        for index in order.unwrap_or_default() {
            let Some(track) = self.tracks.get_mut(index) else { continue };
            match track.run(kind, meter, (self.job, watchdog), &mut self.reference) {
                Err(RunError::Interrupted) => return Ok(ControlFlow::Break(())),
                run => run?,
            }
            if (self.after_lap)().is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether the timed iterations are complete, and the reason.
    fn end(&self, rounds: u32, next_look: &mut u32, began: Duration) -> Option<End> {
        match self.runner.plan.rounds.iterations {
            Iterations::Rounds(wanted) => (rounds >= wanted.get()).then_some(End::Done),
            Iterations::UntilPrecise { limit } => {
                // A check after every iteration would stop at an interval that is narrow by chance. The growing
                // distance between checks also keeps resampling cheap.
                if rounds >= *next_look {
                    *next_look = rounds + rounds / 2;
                    if self.is_precise() {
                        return Some(End::Done);
                    }
                }
                let elapsed = self.runner.meter.clock.wall().saturating_sub(began);
                (rounds > 0 && elapsed >= limit).then_some(End::TimeLimit)
            }
        }
    }

    /// Whether the interval of every speedup is narrow enough. A contender without a speedup needs no more
    /// iterations.
    fn is_precise(&self) -> bool {
        let mut tracks = self.tracks.iter();
        let Some(baseline) = tracks.next().and_then(ContenderRun::times) else { return true };
        let seed = self.runner.plan.rounds.seed;
        tracks.filter_map(ContenderRun::times).all(|times| {
            let speedup = Speedup::paired(&baseline, &times, seed);
            speedup.map_or(true, |speedup| speedup.precision() <= PRECISE)
        })
    }
}

#[cfg(test)]
mod tests;
