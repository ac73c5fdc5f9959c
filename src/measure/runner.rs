//! Runs a block through a plan: the only place where executors are timed.
//!
//! The rounds are here: warm-up rounds until every contestant is warm, then timed ones, everybody once
//! in each. A round that was cut short does not count for anybody, so that what is compared was always
//! measured side by side. A contestant whose outcome is wrong once has no times at all. What is inside
//! the timer is in `track`.

use super::{
    clock::{Clock, SystemClock},
    counters::Counters,
    plan::{Contestant, Iterations, Plan, Warmup},
    reference::Reference,
    sample::Sample,
    stats::Speedup,
    track::{LapKind, Meter, Track},
    warmup::MOST_ROUNDS,
};
use crate::{
    block::ReplayJob,
    executor::{
        ExecuteError, ExecutionMode, ExecutionStats, Executor, Pinning, PoolError, SideBySide,
        WorkerPool,
    },
    trie::TrieError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    ops::ControlFlow,
    time::Duration,
};

/// The interval of a speedup is narrow enough at this share of the speedup to either side.
pub const PRECISE: f64 = 0.02;

/// The fewest rounds after which an interval is believed to be as narrow as it looks.
const FEWEST_ROUNDS: u32 = 10;

/// Why a block has no result at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its outcome could be right, and nobody can tell.
    #[error("the state root after the block cannot be computed from the witness")]
    Root(#[from] TrieError),
    /// The thread that races cannot be kept on its core.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Not one round was completed.
    #[error("interrupted before the first timed round was complete")]
    Interrupted,
}

/// What one block's rounds gave.
#[derive(Clone, Debug)]
pub struct Race {
    /// How each contestant ended; the baseline is the first.
    pub finishes: Vec<Finish>,
    /// How the baseline did once more, and several of it at once, if that was asked for.
    pub self_checks: Vec<Finish>,
    /// Timed rounds that everybody completed.
    pub rounds: u32,
    /// Rounds before those.
    pub warmup: u32,
    /// Whether everybody was warm then; always, where the number of rounds was given.
    pub settled: bool,
    /// Why there were no more rounds.
    pub end: End,
}

/// Why a race ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything that was asked for was done.
    Done,
    /// The time was up before every interval was narrow enough.
    TimeLimit,
    /// Somebody stopped it.
    Interrupted,
}

/// How one contestant ended on one block.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Who.
    pub contestant: Contestant,
    /// The times of a contestant that was right in every lap, or what was wrong.
    pub result: Result<Measured, String>,
}

/// What the laps of one contestant took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What really ran.
    pub mode: ExecutionMode,
    /// Timed laps, in the order of the rounds.
    pub samples: Vec<Sample>,
    /// Work of the timed laps, in the same order.
    pub stats: Vec<ExecutionStats>,
}

/// Makes a contestant's executor for a block.
pub(super) type Prepare = fn(Contestant, &ReplayJob) -> Result<Box<dyn Executor>, ExecuteError>;

/// Warm thread pools, and the plan that they serve.
#[derive(Debug)]
pub struct Runner<C = SystemClock, P = Prepare> {
    plan: Plan,
    pools: BTreeMap<NonZeroUsize, WorkerPool>,
    prepare: P,
    meter: Meter<C>,
}

impl Runner {
    /// Starts a pool for every number of threads in the plan.
    ///
    /// # Errors
    /// If the system has no more threads to give, or would not pin them.
    pub fn new(plan: Plan) -> Result<Self, PoolError> {
        let prepare: Prepare = |contestant, job| match contestant {
            _ if contestant.is_side_by_side() => Ok(Box::new(SideBySide)),
            Contestant { executor, threads } => executor.contender(job, threads),
        };
        Self::with(plan, SystemClock::start(), prepare)
    }
}

impl<C, P> Runner<C, P>
where
    C: Clock,
    P: Fn(Contestant, &ReplayJob) -> Result<Box<dyn Executor>, ExecuteError>,
{
    /// The same with a clock and executors of the caller's.
    pub(super) fn with(plan: Plan, clock: C, prepare: P) -> Result<Self, PoolError> {
        // Counters follow the threads that are started after them.
        let meter = Meter { clock, counters: Counters::open(), readiness: plan.rounds.readiness };
        let all: BTreeSet<_> =
            plan.contestants().iter().map(|contestant| contestant.threads).collect();
        let pool = |threads| Ok((threads, WorkerPool::with(threads, plan.rounds.pinning)?));
        let pools = all.into_iter().map(pool).collect::<Result<_, PoolError>>()?;
        Ok(Self { plan, pools, prepare, meter })
    }

    /// What is being measured.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The warm threads of everybody in the plan who has as many.
    pub fn pool(&self, threads: NonZeroUsize) -> Option<&WorkerPool> {
        self.pools.get(&threads)
    }

    /// The clock that laps are timed by.
    pub const fn clock(&self) -> &C {
        &self.meter.clock
    }

    /// Whether the system lets us count instructions and cycles.
    pub const fn has_counters(&self) -> bool {
        self.meter.counters.is_some()
    }

    /// Races all contestants over one block. `after_lap` is called between laps, and may end the race;
    /// the rounds that are complete then count.
    ///
    /// # Errors
    /// If the block's state root has no proof, so that no outcome can be verified; if not one timed
    /// round was complete; if the calling thread cannot be pinned as the plan says.
    pub fn race(
        &mut self,
        job: &ReplayJob,
        after_lap: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Race, RunError> {
        let _bound = match self.plan.rounds.pinning {
            Pinning::Free => None,
            Pinning::Pinned => Some(WorkerPool::bind_caller()?),
        };
        let track = |contestant| Track::new(contestant, || (self.prepare)(contestant, job));
        let tracks = self.plan.starters().into_iter().map(track).collect();
        let pool = self.pools.values().next();
        let reference = pool.map(|pool| Reference::of(job, pool)).unwrap_or_default();
        Heat { job, tracks, reference, runner: self, after_lap }.run()
    }
}

/// One block's race.
struct Heat<'a, C, P, F> {
    runner: &'a mut Runner<C, P>,
    job: &'a ReplayJob,
    tracks: Vec<Track>,
    reference: Reference,
    after_lap: F,
}

impl<C: Clock, P, F: FnMut() -> ControlFlow<()>> Heat<'_, C, P, F> {
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
            Warmup::UntilSteady => self.tracks.iter().all(Track::is_warm),
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
        let finish = |track: Track| track.finish(rounds as usize);
        let mut finishes: Vec<_> = self.tracks.into_iter().map(finish).collect();
        let self_checks = finishes.split_off(self.runner.plan.contestants().len());
        // A baseline that is wrong once is none.
        let wrong = self_checks.iter().find_map(|finish| finish.result.as_ref().err());
        if let (Some(wrong), Some(baseline)) = (wrong, finishes.first_mut()) {
            baseline.result = Err(format!("once more: {wrong}"));
        }
        Ok(Race { finishes, self_checks, rounds, warmup, settled, end })
    }

    fn needs_warm_up(&self, done: u32) -> bool {
        match self.runner.plan.rounds.warmup {
            Warmup::Rounds(rounds) => done < rounds,
            Warmup::UntilSteady => done < MOST_ROUNDS && !self.tracks.iter().all(Track::is_warm),
        }
    }

    /// Everybody once, unless it is stopped on the way.
    fn round(
        &mut self,
        kind: LapKind,
        order: Option<Vec<usize>>,
    ) -> Result<ControlFlow<()>, RunError> {
        let Runner { pools, meter, .. } = &mut *self.runner;
        for index in order.unwrap_or_default() {
            let Some(track) = self.tracks.get_mut(index) else { continue };
            if let Some(pool) = pools.get(&track.contestant.threads) {
                track.run(kind, meter, (self.job, pool), &mut self.reference)?;
            }
            if (self.after_lap)().is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether there have been rounds enough, and why.
    fn end(&self, rounds: u32, next_look: &mut u32, began: Duration) -> Option<End> {
        match self.runner.plan.rounds.iterations {
            Iterations::Rounds(wanted) => (rounds >= wanted.get()).then_some(End::Done),
            Iterations::UntilPrecise { limit } => {
                // To look after every round would be to wait for an interval that happens to be
                // narrow. Looking ever more seldom also keeps the resampling cheap.
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

    /// Whether the interval of every speedup is narrow enough. Who has none needs no more rounds.
    fn is_precise(&self) -> bool {
        let mut tracks = self.tracks.iter();
        let Some(baseline) = tracks.next().and_then(Track::times) else { return true };
        let seed = self.runner.plan.rounds.seed;
        tracks.filter_map(Track::times).all(|times| {
            let speedup = Speedup::paired(&baseline, &times, seed);
            speedup.map_or(true, |speedup| speedup.precision() <= PRECISE)
        })
    }
}

#[cfg(test)]
mod tests;
