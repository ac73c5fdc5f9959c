//! Races blocks one after the other, and keeps what was measured whatever happens next.

use super::{
    ahead::Ahead,
    pictures::{Pictures, picture},
    watched::{Seen, watch_all},
};
use crate::{
    block::{Phase, ReplayJob, prepare},
    commands::{
        Context,
        cached::{Selection, Source},
        caught::caught,
        conditions::Course,
        interrupt, machine,
        rows::Block,
    },
    executor::{ExecuteError, WorkerPool},
    insight::Study,
    measure::{
        Contestant, End, Iterations, Plan, Race, RunError, Runner, Stopwatch, SystemClock, Warmup,
    },
    progress::Progress,
    report::{BlockPicture, Failure, PreparationRow, Row, SelfCheckRow, Watched, counted},
};
use eyre::WrapErr;
use std::{num::NonZeroU32, ops::ControlFlow, time::Duration};
use tokio::sync::oneshot::{Receiver, error::TryRecvError};

/// How many rounds a block is thought to need, for the time that is left, where nobody says.
const USUAL_WARM_UP: u64 = 4;
const USUAL_ROUNDS: u64 = 20;

/// How often transactions are timed for the bounds. The shortest time of each hardly changes after some
/// runs.
const RUNS_FOR_BOUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// Where blocks are raced.
pub(super) struct RaceTrack<'a> {
    context: &'a Context,
    runner: Runner,
    /// For preparing, which is not timed: all cores.
    crew: WorkerPool,
    interrupted: Receiver<()>,
    /// Of every block's pre-state.
    state_latency: Duration,
    pictures: Pictures,
}

/// What all races gave.
#[derive(Default)]
pub(super) struct Raced {
    pub(super) rows: Vec<Row>,
    pub(super) failures: Vec<Failure>,
    pub(super) self_checks: Vec<SelfCheckRow>,
    pub(super) preparation: Vec<PreparationRow>,
    pub(super) watched: Vec<Watched>,
    pub(super) pictures: Vec<BlockPicture>,
    pub(super) course: Course,
}

impl<'a> RaceTrack<'a> {
    pub(super) fn new(
        plan: Plan,
        state_latency: Duration,
        pictures: Pictures,
        context: &'a Context,
    ) -> eyre::Result<Self> {
        let interrupted = interrupt::watch().wrap_err("cannot watch for Ctrl-C")?;
        let runner = Runner::new(plan)?;
        let crew = WorkerPool::new(machine::cores())?;
        Ok(Self { context, runner, crew, interrupted, state_latency, pictures })
    }

    /// What laps are timed by.
    pub(super) const fn clock(&self) -> &SystemClock {
        self.runner.clock()
    }

    /// Races every block, one in memory at a time. What fails for one does not stop the rest, unless
    /// that is asked for. Ctrl-C ends it, and what was measured until then stays.
    pub(super) fn race_all(&mut self, selection: Selection, fail_fast: bool) -> Raced {
        let count = selection.blocks.len();
        let weight = |found: &eyre::Result<Source>| {
            found.as_ref().map_or(0, |source| source.weight(self.context))
        };
        let weights = selection.blocks.iter().map(|(_, found)| weight(found)).collect();
        let mut ahead = Ahead::new(weights, self.laps_per_block());
        let progress = Progress::projected(self.context.chatter, "laps");
        if !self.runner.has_counters() {
            progress.note("the system does not let us count instructions and cycles");
        }
        let mut raced = Raced::default();
        for (position, (number, found)) in selection.blocks.into_iter().enumerate() {
            progress.at(format!("block {number}, {} of {count}", position + 1));
            ahead.begin_block();
            let race = |source| self.race(number, source, &progress, &mut ahead);
            let block = caught(|| found.and_then(race));
            if self.add(&mut raced, number, block, &progress, fail_fast).is_break() {
                let left = count - position - 1;
                match &mut raced.course.interrupted {
                    Some(not_run) => *not_run += left,
                    None if left > 0 => {
                        progress.note(&format!("--fail-fast: {} not run", counted(left, "block")));
                    }
                    None => {}
                }
                break;
            }
        }
        progress.finish();
        raced
    }

    /// Takes up what came of a block.
    fn add(
        &self,
        raced: &mut Raced,
        number: u64,
        block: eyre::Result<BlockRaced>,
        progress: &Progress,
        fail_fast: bool,
    ) -> ControlFlow<()> {
        match block {
            Ok(block) => raced.take(block, fail_fast),
            Err(error) if matches!(error.downcast_ref(), Some(RunError::Interrupted)) => {
                raced.course.interrupted = Some(1);
                ControlFlow::Break(())
            }
            Err(error) => {
                progress.note(&format!("block {number}: {error:#}"));
                raced.failures.push(Failure { block: number, what: format!("{error:#}") });
                if fail_fast { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
    }

    /// Laps of a block as they are thought to be, as long as none was raced: warm-up and, with `auto`, the rounds
    /// themselves are as many as they need to be.
    fn laps_per_block(&self) -> u64 {
        let plan = self.runner.plan();
        let warmup = match plan.rounds.warmup {
            Warmup::Rounds(rounds) => rounds.into(),
            Warmup::UntilSteady => USUAL_WARM_UP,
        };
        let timed = match plan.rounds.iterations {
            Iterations::Rounds(rounds) => rounds.get().into(),
            Iterations::UntilPrecise { .. } => USUAL_ROUNDS,
        };
        (warmup + timed) * plan.starters().len() as u64
    }

    /// Makes a block ready, studies it for the bounds, races it, and runs it under watch; all of it is gone from
    /// memory when this returns.
    ///
    /// # Errors
    /// If the block cannot be read, proved or executed, or was interrupted before its first whole round.
    fn race(
        &mut self,
        number: u64,
        source: Source,
        progress: &Progress,
        ahead: &mut Ahead,
    ) -> eyre::Result<BlockRaced> {
        let place = source.place(self.context);
        let mut times = PhaseTimes::start();
        let recorded = source.load(self.context)?;
        let mut job = self
            .crew
            .install(|| prepare(recorded, |phase| times.enter(phase)))
            .wrap_err_with(|| format!("{place} cannot be replayed"))?;
        let preparation = times.finish(&job);
        // Before state takes time to read: bounds do not know of that.
        let study = self.study(&job)?;
        job.state_latency = self.state_latency;
        let interrupted = &mut self.interrupted;
        let mut race = self.runner.race(&job, || {
            ahead.lap();
            progress.step_to(ahead.share());
            // A closed channel means that nobody watches, which is no interrupt.
            match interrupted.try_recv() {
                Ok(()) => ControlFlow::Break(()),
                Err(TryRecvError::Empty | TryRecvError::Closed) => ControlFlow::Continue(()),
            }
        })?;
        let rounds = race.rounds;
        progress.note(&format!(
            "block {number}: {} transactions, {rounds} rounds after {}",
            job.transactions.len(),
            race.warmup
        ));
        let Seen { watched, schedules } = self.watch(&job, &study, &mut race);
        let seed = self.runner.plan().rounds.seed;
        let block = Block { job: &job, race: &race, study: &study, seed };
        let (rows, self_checks) = (block.rows()?, block.self_checks()?);
        let picture = match self.pictures {
            Pictures::Wanted => {
                let contestants = self.runner.plan().contestants().iter();
                let threads = contestants.map(|contestant| contestant.threads).collect();
                picture(&job, &study, threads, schedules)
            }
            Pictures::Unwanted => None,
        };
        Ok(BlockRaced { rows, self_checks, preparation, watched, picture, race })
    }

    /// What the bounds follow from.
    fn study(&self, job: &ReplayJob) -> Result<Study, ExecuteError> {
        let mut study = Study::of(job, RUNS_FOR_BOUNDS)?;
        if let Some(alone) = self.runner.pool(Contestant::BASELINE.threads) {
            // Where it fails, the baseline's times remain: whether `block-stm` can execute the block is for its own laps
            // to tell, and no reason to lose those of the others.
            let _ = caught(|| Ok(study.times.take_worker(job, alone, RUNS_FOR_BOUNDS)?));
        }
        Ok(study)
    }

    /// Who is interrupted wants to see what there is, not to wait for more.
    fn watch(&self, job: &ReplayJob, study: &Study, race: &mut Race) -> Seen {
        match race.end {
            End::Interrupted => Seen::default(),
            End::Done | End::TimeLimit => watch_all(job, study, race, &self.runner, self.pictures),
        }
    }
}

/// What one block's race gave, with what was found out besides.
struct BlockRaced {
    rows: Vec<Row>,
    self_checks: Vec<SelfCheckRow>,
    preparation: PreparationRow,
    watched: Vec<Watched>,
    picture: Option<BlockPicture>,
    race: Race,
}

impl Raced {
    /// Adds a block. Ends the whole race where somebody interrupted, or a result was wrong and that is to end it.
    fn take(&mut self, block: BlockRaced, fail_fast: bool) -> ControlFlow<()> {
        let BlockRaced { rows, self_checks, preparation, watched, picture, race } = block;
        let wrong = rows.iter().any(|row| row.verdict.figures().is_none());
        self.rows.extend(rows);
        self.self_checks.extend(self_checks);
        self.preparation.push(preparation);
        self.watched.extend(watched);
        self.pictures.extend(picture);
        self.course.never_warm += usize::from(!race.settled);
        match race.end {
            End::Done => {}
            End::TimeLimit => self.course.out_of_time += 1,
            End::Interrupted => {
                self.course.interrupted = Some(0);
                return ControlFlow::Break(());
            }
        }
        if wrong && fail_fast { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Times the steps of making a block ready, in wall-clock time. They overlap with nothing and are in no speedup.
struct PhaseTimes {
    stopwatch: Stopwatch,
    running: Option<Phase>,
    row: PreparationRow,
}

impl PhaseTimes {
    fn start() -> Self {
        Self { stopwatch: Stopwatch::start(), running: None, row: PreparationRow::default() }
    }

    fn enter(&mut self, phase: Phase) {
        self.end_running();
        self.running = Some(phase);
    }

    fn end_running(&mut self) {
        let lap = self.stopwatch.lap();
        let step = match self.running {
            None => &mut self.row.decode,
            Some(Phase::Senders) => &mut self.row.senders,
            Some(Phase::Witness) => &mut self.row.witness,
            Some(Phase::Flatten) => &mut self.row.flatten,
        };
        *step += lap;
    }

    fn finish(mut self, job: &ReplayJob) -> PreparationRow {
        self.end_running();
        PreparationRow { chain_id: job.chain.id(), number: job.header.number, ..self.row }
    }
}
