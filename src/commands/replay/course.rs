//! Races blocks one after the other. Errors and Ctrl-C keep the results of earlier blocks.
//!
//! [`Runner`] measures a block and verifies every sample. This file prepares the block and collects the results.

use super::{
    ahead::Eta,
    pictures::{Pictures, picture},
    watched::{Seen, watch_all},
};
use crate::{
    block::{Phase, ReplayJob, prepare},
    commands::{
        Context,
        cached::{Selection, Source},
        caught::caught,
        conditions::RaceNotes,
        interrupt, machine,
        rows::Block,
    },
    execution::ExecuteError,
    insight::Study,
    measure::{
        Contender, End, Iterations, Plan, Race, RunError, Runner, Stopwatch, SystemClock, Warmup,
    },
    progress::Progress,
    report::{BlockPicture, Failure, PreparationRow, Row, SelfCheckRow, Watched, counted},
    threads::WorkerPool,
};
use eyre::WrapErr;
use std::{num::NonZeroU32, ops::ControlFlow, sync::Arc, time::Duration};
use tokio::sync::oneshot::{Receiver, error::TryRecvError};

/// Assumed numbers of iterations per block for the estimated time left, if the flags say `auto`.
const USUAL_WARM_UP: u64 = 4;
const USUAL_ROUNDS: u64 = 20;

/// Number of runs that time the transactions for the bounds. The shortest times hardly change after a few runs.
const RUNS_FOR_BOUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// Everything that the races of all blocks share.
pub(super) struct RaceTrack<'a> {
    context: &'a Context,
    runner: Runner,
    /// Threads on all cores for preparation, which is not part of a sample.
    crew: WorkerPool,
    interrupted: Receiver<()>,
    /// Latency of first reads from every block's pre-state.
    state_latency: Duration,
    pictures: Pictures,
}

/// Results of all races.
#[derive(Default)]
pub(super) struct Raced {
    pub(super) rows: Vec<Row>,
    pub(super) failures: Vec<Failure>,
    pub(super) self_checks: Vec<SelfCheckRow>,
    pub(super) preparation: Vec<PreparationRow>,
    pub(super) watched: Vec<Watched>,
    pub(super) pictures: Vec<BlockPicture>,
    pub(super) course: RaceNotes,
}

impl<'a> RaceTrack<'a> {
    pub(super) fn new(
        plan: Plan,
        limit: Duration,
        state_latency: Duration,
        pictures: Pictures,
        context: &'a Context,
    ) -> eyre::Result<Self> {
        let interrupted = interrupt::watch().wrap_err("cannot watch for Ctrl-C")?;
        let runner = Runner::new(plan, limit)?;
        let crew = WorkerPool::new(machine::cores())?;
        Ok(Self { context, runner, crew, interrupted, state_latency, pictures })
    }

    /// Clock of the samples.
    pub(super) const fn clock(&self) -> &SystemClock {
        self.runner.clock()
    }

    /// Races every block, with one block in memory at a time. An error of one block does not stop the others, except
    /// with `fail_fast`. Ctrl-C ends the races and keeps the results so far.
    pub(super) fn race_all(&mut self, selection: Selection, fail_fast: bool) -> Raced {
        let count = selection.blocks.len();
        let weight = |found: &eyre::Result<Source>| {
            found.as_ref().map_or(0, |source| source.weight(self.context))
        };
        let weights = selection.blocks.iter().map(|(_, found)| weight(found)).collect();
        let mut ahead = Eta::new(weights, self.laps_per_block());
        let progress = Progress::projected(self.context.chatter, "samples");
        if !self.runner.has_counters() {
            progress.note("hardware counters are unavailable; see kernel.perf_event_paranoid");
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

    /// Adds the result of a block. Breaks if the race ends.
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

    /// Assumed number of samples per block, used until a block has ended. The exact number is unknown with `auto`.
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
        (warmup + timed) * plan.entrants().len() as u64
    }

    /// Prepares a block, measures its transactions for the bounds, races it and profiles it. The block is freed before
    /// this returns.
    ///
    /// # Errors
    /// If the block cannot be read, proved or executed, or if Ctrl-C arrives before its first complete iteration.
    fn race(
        &mut self,
        number: u64,
        source: Source,
        progress: &Progress,
        ahead: &mut Eta,
    ) -> eyre::Result<BlockRaced> {
        let place = source.place(self.context);
        let mut times = PhaseTimes::start();
        let recorded = source.load(self.context)?;
        let job = self
            .crew
            .install(|| prepare(recorded, |phase| times.enter(phase)))
            .wrap_err_with(|| format!("{place} cannot be replayed"))?;
        let preparation = times.finish(&job);
        // The bounds do not model the latency of state, so the study precedes it.
        let mut job = Arc::new(job);
        let study = self.study(&job)?;
        if let Some(job) = Arc::get_mut(&mut job) {
            job.state_latency = self.state_latency;
        }
        let interrupted = &mut self.interrupted;
        let mut race = self.runner.race(&job, || {
            ahead.lap();
            progress.step_to(ahead.share());
            // A closed channel means that the handler has ended. It is no interrupt.
            match interrupted.try_recv() {
                Ok(()) => ControlFlow::Break(()),
                Err(TryRecvError::Empty | TryRecvError::Closed) => ControlFlow::Continue(()),
            }
        })?;
        let rounds = race.rounds;
        progress.note(&format!(
            "block {number}: {} transactions, {rounds} iterations after {} warm-up iterations",
            job.transactions.len(),
            race.warmup
        ));
        let Seen { watched, schedules } = self.watch(&job, &study, &mut race);
        let seed = self.runner.plan().rounds.seed;
        let block = Block { job: &job, race: &race, study: &study, seed };
        let (rows, self_checks) = (block.rows()?, block.self_checks()?);
        let picture = match self.pictures {
            Pictures::Wanted => {
                let contenders = self.runner.plan().contenders().iter();
                let threads = contenders.map(|contender| contender.threads).collect();
                picture(&job, &study, threads, schedules)
            }
            Pictures::Unwanted => None,
        };
        Ok(BlockRaced { rows, self_checks, preparation, watched, picture, race })
    }

    /// Measures the transactions for the bounds.
    fn study(&mut self, job: &Arc<ReplayJob>) -> Result<Study, ExecuteError> {
        let study = Study::of(job, RUNS_FOR_BOUNDS)?;
        let (mut timed, job) = (study.clone(), job.clone());
        let take = move |alone: &WorkerPool| {
            timed.times.take_worker(&job, alone, RUNS_FOR_BOUNDS).ok().map(|()| timed)
        };
        // If `block-stm` cannot execute the block, its own row says so; the baseline's times remain.
        let taken = self.runner.run_on(Contender::BASELINE.threads, take);
        Ok(taken.ok().flatten().unwrap_or(study))
    }

    /// Profiles the executors. After Ctrl-C it skips this, so that the results appear immediately.
    fn watch(&mut self, job: &Arc<ReplayJob>, study: &Study, race: &mut Race) -> Seen {
        match race.end {
            End::Interrupted => Seen::default(),
            End::Done | End::TimeLimit => {
                watch_all(job, study, race, &mut self.runner, self.pictures)
            }
        }
    }
}

/// Results of one block: the race, its profiles and its picture.
struct BlockRaced {
    rows: Vec<Row>,
    self_checks: Vec<SelfCheckRow>,
    preparation: PreparationRow,
    watched: Vec<Watched>,
    picture: Option<BlockPicture>,
    race: Race,
}

impl Raced {
    /// Adds a block. Breaks after Ctrl-C, and with `fail_fast` after a mismatch.
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

/// Times the steps of a block's preparation, in wall-clock time. The steps do not overlap and are not part of any
/// speedup.
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
