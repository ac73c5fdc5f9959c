//! Races executors over blocks, one block after the other. Errors and interrupts keep the results of earlier blocks.
//!
//! [`Runner`] measures a block and verifies every sample. This module prepares the block and collects the results
//! ([`rows`]). After its iterations, each block is profiled in further runs ([`profiles`]). The times of these runs are
//! not part of the samples.

mod charts;
mod eta;
mod options;
mod prepared;
mod profiles;
pub(super) mod rows;
mod warnings;

pub use self::{charts::Charts, options::RaceOptions, warnings::merged_warnings};

use self::{
    charts::picture,
    eta::{Eta, samples_per_block},
    prepared::{Group, PhaseTimes, Prepared, groups, prepare_group},
    profiles::{Profiles, profile_all},
    rows::Block,
    warnings::{RaceNotes, Surroundings, warnings},
};
use super::{
    BlockSource, Observer, SelectedBlock, Selection, caught::caught, machine, passing::failure,
    provenance,
};
use crate::{
    block::{MergedCounts, ReplayJob},
    executors::ExecutorKind,
    insight::Study,
    measure::{End, Race, RunError, Runner, cgroup, load::LoadWatch},
    report::{
        BlockPicture, Failure, PreparationRow, ProfiledRun, Report, Row, SelfCheckRow, Settings,
        counted, tables::RacedBlock,
    },
    threads::{Watchdog, WatchdogError, WorkerPool},
};
use alloy_primitives::BlockNumber;
use eyre::WrapErr;
use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU32, NonZeroUsize},
    ops::ControlFlow,
    sync::Arc,
};

/// Number of runs that time the transactions for the bounds. The shortest times hardly change after a few runs.
const RUNS_FOR_BOUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// Executions of a study: the timed runs, one that records the accesses, and a reserve.
const EXECUTIONS_OF_STUDY: u32 = RUNS_FOR_BOUNDS.get() + 2;

/// Executions that the time of a preparation may equal. It also hashes the witness and recovers the senders.
const EXECUTIONS_OF_PREPARATION: u32 = 4;

/// The result of [`race`].
#[derive(Debug)]
pub struct Raced {
    /// The report. It has the results so far if the race was interrupted.
    pub report: Report,
    /// Whether the race was interrupted.
    pub is_interrupted: bool,
}

/// Races executors over the blocks of a selection. An error of one block does
/// not stop the others, except with [`RaceOptions::fail_fast`].
///
/// After each sample, `interrupt` tells whether to stop. The results so far are kept.
///
/// # Errors
/// If the threads cannot be started. An error of a block is part of the report.
pub fn race(
    selection: Selection,
    options: &RaceOptions,
    observer: &dyn Observer,
    interrupt: &mut dyn FnMut() -> ControlFlow<()>,
) -> eyre::Result<Raced> {
    race_and_keep(selection, options, observer, interrupt, &mut |_| Ok(()))
}

/// As [`race`]. `keep` receives each block as soon as its race is complete.
///
/// # Errors
/// As [`race`], and the error of `keep`.
pub fn race_and_keep(
    selection: Selection,
    options: &RaceOptions,
    observer: &dyn Observer,
    interrupt: &mut dyn FnMut() -> ControlFlow<()>,
    keep: &mut dyn FnMut(RacedBlock<'_>) -> eyre::Result<()>,
) -> eyre::Result<Raced> {
    let mut settings = options.settings(&selection.query, &selection.named);
    let mut track = RaceTrack::new(options, observer, interrupt)?;
    let clock = *track.runner.clock();
    let watch = LoadWatch::start(&clock);
    let races = track.race_all(selection.blocks, keep)?;
    let load = watch.finish();
    races.note_carried(&mut settings);
    let BlockRaces { rows, failures, self_checks, preparation, profiled, pictures, notes, .. } =
        races;
    let mut report = Report {
        provenance: provenance(),
        machine: machine::describe(),
        settings,
        rows,
        failures,
        self_checks,
        preparation,
        profiled,
        warnings: vec![],
        pictures,
        explorer: None,
    };
    report.warnings = warnings(&report, notes, Surroundings { load, limits: cgroup::limits() });
    Ok(Raced { report, is_interrupted: notes.interrupted.is_some() })
}

/// Everything that the races of all blocks share.
struct RaceTrack<'a> {
    options: &'a RaceOptions,
    runner: Runner,
    /// Threads on all cores for preparation, which is not part of a sample.
    crew: Watchdog,
    observer: &'a dyn Observer,
    interrupt: &'a mut dyn FnMut() -> ControlFlow<()>,
}

/// Results of all races.
#[derive(Default)]
struct BlockRaces {
    rows: Vec<Row>,
    failures: Vec<Failure>,
    self_checks: Vec<SelfCheckRow>,
    preparation: Vec<PreparationRow>,
    profiled: Vec<ProfiledRun>,
    pictures: Vec<BlockPicture>,
    notes: RaceNotes,
    /// Number of blocks that contain what an executor knows beforehand, by the executor's name.
    carried: BTreeMap<&'static str, usize>,
}

impl<'a> RaceTrack<'a> {
    fn new(
        options: &'a RaceOptions,
        observer: &'a dyn Observer,
        interrupt: &'a mut dyn FnMut() -> ControlFlow<()>,
    ) -> eyre::Result<Self> {
        let limit = &options.execution_limit;
        let runner = Runner::new(options.plan(), limit.clone())?;
        let crew = Watchdog::new(machine::cores(), limit.clone())?;
        Ok(Self { options, runner, crew, observer, interrupt })
    }

    /// Races every block, with one block in memory at a time.
    fn race_all(
        &mut self,
        blocks: Vec<SelectedBlock>,
        keep: &mut dyn FnMut(RacedBlock<'_>) -> eyre::Result<()>,
    ) -> eyre::Result<BlockRaces> {
        let blocks = groups(blocks, self.options.merge);
        let count = blocks.len();
        let weight = |(_, found): &Group| {
            found.as_ref().map_or(0, |sources| sources.iter().map(BlockSource::weight).sum())
        };
        let weights = blocks.iter().map(weight).collect();
        let mut eta = Eta::new(weights, samples_per_block(self.runner.plan()));
        if !self.runner.has_counters() {
            self.observer.note("hardware counters are unavailable; see kernel.perf_event_paranoid");
        }
        let mut races = BlockRaces::default();
        for (position, (number, found)) in blocks.into_iter().enumerate() {
            self.observer.begin(number, position + 1, count);
            eta.begin_block();
            let block = caught(|| found.and_then(|sources| self.race(number, sources, &mut eta)));
            if let Ok(block) = &block
                && block.race.end != End::Interrupted
            {
                keep(block.raced())?;
            }
            if self.add(&mut races, number, block).is_break() {
                self.end_early(&mut races.notes, count - position - 1);
                break;
            }
        }
        Ok(races)
    }

    /// Notes the number of blocks that do not run.
    fn end_early(&self, notes: &mut RaceNotes, left: usize) {
        match &mut notes.interrupted {
            Some(not_run) => *not_run += left,
            None if left > 0 => {
                self.observer
                    .note(&format!("ended at a failure: {} not run", counted(left, "block")));
            }
            None => {}
        }
    }

    /// Adds the result of a block. Breaks if the race ends.
    fn add(
        &self,
        races: &mut BlockRaces,
        number: BlockNumber,
        block: eyre::Result<BlockRace>,
    ) -> ControlFlow<()> {
        let fail_fast = self.options.fail_fast;
        match block {
            Ok(block) => {
                self.observer.rows(&block.rows);
                races.add(block, fail_fast)
            }
            Err(error) if is_interrupt(&error) => {
                races.notes.interrupted = Some(1);
                ControlFlow::Break(())
            }
            Err(error) => {
                self.observer.note(&format!("block {number}: {error:#}"));
                races.failures.push(failure(number, &error));
                if fail_fast { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
    }

    /// Prepares a block, measures its transactions for the bounds, races it and profiles it. The block is freed before
    /// this returns.
    ///
    /// # Errors
    /// If the block cannot be read, proved or executed, or if an interrupt arrives before its first complete iteration.
    fn race(
        &mut self,
        number: BlockNumber,
        sources: Vec<BlockSource>,
        eta: &mut Eta,
    ) -> eyre::Result<BlockRace> {
        let all: Option<Vec<_>> = sources.iter().map(BlockSource::confirmation).collect();
        let confirmed = all.and_then(|all| all.first().copied().cloned());
        let Prepared { preparation, job, merged } = self.prepare(sources)?;
        // The bounds do not model the latency of state, so the study precedes it.
        let mut job = Arc::new(job);
        let study = self.study(&job)?;
        if let Some(job) = Arc::get_mut(&mut job) {
            job.state_latency = self.options.state_latency;
        }
        let mut race = self.runner.race(&job, || {
            eta.lap();
            self.observer.sample(eta.share());
            (self.interrupt)()
        })?;
        self.observer.note(&format!(
            "block {number}: {} transactions, {} iterations after {} warm-up iterations",
            job.transactions.len(),
            race.rounds,
            race.warmup
        ));
        let Profiles { profiled, schedules } = self.profile(&job, &study, &mut race);
        let seed = self.runner.plan().rounds.seed;
        let block = Block { job: &job, race: &race, study: &study, seed, confirmed };
        let (rows, self_checks) = (block.rows()?, block.self_checks()?);
        let picture = match self.options.charts {
            Charts::Drawn => {
                let contenders = self.runner.plan().contenders().iter();
                let threads = contenders.map(|contender| contender.threads).collect();
                picture(&job, &study, threads, schedules, race.baseline)
            }
            Charts::Omitted => None,
        };
        let carried = self.carried_by(&job);
        Ok(BlockRace { rows, self_checks, preparation, profiled, picture, race, carried, merged })
    }

    /// Loads and proves a block, or the blocks that are merged into one.
    fn prepare(&mut self, sources: Vec<BlockSource>) -> eyre::Result<Prepared> {
        let place = sources.first().map(BlockSource::place).unwrap_or_default();
        let times = PhaseTimes::start();
        let load = sources.into_iter().map(BlockSource::load);
        let recorded = load.collect::<Result<Vec<_>, _>>()?;
        let executions = EXECUTIONS_OF_PREPARATION.saturating_mul(recorded.len() as u32);
        let prepare = move |pool: &WorkerPool| prepare_group(recorded, times, pool);
        let prepared = self.crew.run_several(executions, prepare)?;
        prepared.wrap_err_with(|| format!("{place} cannot be replayed"))
    }

    /// Executors that find in this block what is oracle knowledge otherwise.
    fn carried_by(&self, job: &ReplayJob) -> BTreeSet<&'static str> {
        let kinds = self.runner.plan().contenders().iter().map(|contender| contender.executor);
        kinds.filter(|kind| kind.is_carried_by(job)).map(ExecutorKind::name).collect()
    }

    /// Measures the transactions for the bounds.
    fn study(&mut self, job: &Arc<ReplayJob>) -> eyre::Result<Study> {
        let shared = job.clone();
        let study = move |_: &WorkerPool| Study::of(&shared, RUNS_FOR_BOUNDS);
        let study = self.crew.run_several(EXECUTIONS_OF_STUDY, study)??;
        let (mut timed, job) = (study.clone(), job.clone());
        let take = move |alone: &WorkerPool| {
            timed.times.take_worker(&job, alone, RUNS_FOR_BOUNDS).ok().map(|()| timed)
        };
        // If `block-stm` cannot execute the block, its own row says so; the baseline's times remain.
        let taken = self.runner.run_on(NonZeroUsize::MIN, take);
        Ok(taken.ok().flatten().unwrap_or(study))
    }

    /// Profiles the executors. After an interrupt it skips this, so that the results appear immediately. An interrupt
    /// during the profiled runs keeps the race and drops the profiles.
    fn profile(&mut self, job: &Arc<ReplayJob>, study: &Study, race: &mut Race) -> Profiles {
        match race.end {
            End::Interrupted => Profiles::default(),
            End::Done | End::TimeLimit => {
                let mut profiled = race.clone();
                let (runner, charts) = (&mut self.runner, self.options.charts);
                let profiles = profile_all(job, study, &mut profiled, runner, charts);
                if self.options.execution_limit.interrupt.is_raised() {
                    race.end = End::Interrupted;
                    return Profiles::default();
                }
                *race = profiled;
                profiles
            }
        }
    }
}

/// Whether an interrupt caused the error.
fn is_interrupt(error: &eyre::Report) -> bool {
    matches!(error.downcast_ref(), Some(RunError::Interrupted))
        || matches!(error.downcast_ref(), Some(WatchdogError::Interrupted))
}

/// Results of one block: the race, its profiles and its picture.
struct BlockRace {
    rows: Vec<Row>,
    self_checks: Vec<SelfCheckRow>,
    preparation: PreparationRow,
    profiled: Vec<ProfiledRun>,
    picture: Option<BlockPicture>,
    race: Race,
    carried: BTreeSet<&'static str>,
    merged: Option<MergedCounts>,
}

impl BlockRace {
    /// The results without the picture.
    fn raced(&self) -> RacedBlock<'_> {
        let Self { rows, self_checks, preparation, profiled, .. } = self;
        RacedBlock { rows, self_checks, preparation, profiled }
    }
}

impl BlockRaces {
    /// Notes in the settings how many blocks contain what executors know beforehand.
    fn note_carried(&self, settings: &mut Settings) {
        let carried = |name: &str| self.carried.get(name).copied().unwrap_or_default();
        settings.note_carried(self.preparation.len(), carried);
    }

    /// Adds a block. Breaks after an interrupt, and with `fail_fast` after a mismatch.
    fn add(&mut self, block: BlockRace, fail_fast: bool) -> ControlFlow<()> {
        let BlockRace { rows, self_checks, preparation, profiled, picture, race, carried, merged } =
            block;
        if let Some(counts) = merged {
            self.notes.merged.add(counts);
        }
        carried.into_iter().for_each(|name| *self.carried.entry(name).or_default() += 1);
        let wrong = rows.iter().any(|row| row.verdict.figures().is_none());
        self.rows.extend(rows);
        self.self_checks.extend(self_checks);
        self.preparation.push(preparation);
        self.profiled.extend(profiled);
        self.pictures.extend(picture);
        self.notes.never_warm += usize::from(!race.settled);
        match race.end {
            End::Done => {}
            End::TimeLimit => self.notes.out_of_time += 1,
            End::Interrupted => {
                self.notes.interrupted = Some(0);
                return ControlFlow::Break(());
            }
        }
        if wrong && fail_fast { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
