//! `blockrace replay`: races executors over cached blocks, or the built-in sample.

use super::{
    Context, Outcome,
    cached::{Selection, Source, select},
    files::ResultFiles,
    machine, rows,
};
use crate::{
    block::prepare,
    cli::ReplayArgs,
    executor::{ExecutorKind, WorkerPool},
    measure::{Plan, Runner},
    progress::Progress,
    report::{self, Failure, KnownBeforehand, Report, Row, Settings, Verdict},
};
use eyre::WrapErr;
use std::{io, num::NonZeroUsize, time::Duration};

pub(super) fn run(args: ReplayArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), report::csv::write)?;
    files.add(args.json.as_deref(), report::json::write)?;
    let threads = if args.threads.is_empty() { default_threads() } else { args.threads };
    let plan = Plan::new(&args.executors.0, &threads, args.warmup, args.iterations, args.seed);
    let selection = select(args.blocks, context)?;
    let settings = Settings {
        executors: args.executors.0.iter().map(ToString::to_string).collect(),
        threads,
        iterations: args.iterations.get(),
        warmup: args.warmup,
        seed: args.seed,
        state_latency: args.state_latency,
        known_beforehand: known_beforehand(&args.executors.0),
        blocks: selection.named.clone(),
    };
    let track = Track::new(plan, args.state_latency, context)?;
    let (rows, failures) = track.race_all(selection, args.fail_fast);
    let report = Report { machine: machine::describe(), settings, rows, failures };
    report::table::write(&report, io::stdout().lock())?;
    files.write(&report)?;
    Ok(outcome(&report))
}

/// 1, 2, 4 and so on, up to the number of cores, which is always there.
fn default_threads() -> Vec<NonZeroUsize> {
    let cores = machine::cores();
    let doubled = |threads: &NonZeroUsize| threads.checked_mul(NonZeroUsize::MIN.saturating_add(1));
    let mut threads: Vec<_> = std::iter::successors(Some(NonZeroUsize::MIN), doubled)
        .take_while(|threads| *threads < cores)
        .collect();
    threads.push(cores);
    threads
}

fn known_beforehand(executors: &[ExecutorKind]) -> Vec<KnownBeforehand> {
    let known = |kind: &ExecutorKind| {
        let what = kind.known_beforehand()?.to_owned();
        Some(KnownBeforehand { executor: kind.to_string(), what })
    };
    executors.iter().filter_map(known).collect()
}

fn outcome(report: &Report) -> Outcome {
    let mismatch = report.rows.iter().any(|row| matches!(row.verdict, Verdict::Mismatch(_)));
    let failed = if report.failures.is_empty() { Outcome::Verified } else { Outcome::Failed };
    failed.and(if mismatch { Outcome::Mismatch } else { Outcome::Verified })
}

/// Where blocks are raced, one after the other.
struct Track<'a> {
    context: &'a Context,
    runner: Runner,
    state_latency: Duration,
    /// For preparing, which is not timed: all cores.
    crew: WorkerPool,
}

impl<'a> Track<'a> {
    fn new(plan: Plan, state_latency: Duration, context: &'a Context) -> eyre::Result<Self> {
        let (runner, crew) = (Runner::new(plan)?, WorkerPool::new(machine::cores())?);
        Ok(Self { context, runner, state_latency, crew })
    }

    /// Races every block, one in memory at a time. What fails for one does not stop the rest, unless
    /// that is asked for.
    fn race_all(&self, selection: Selection, fail_fast: bool) -> (Vec<Row>, Vec<Failure>) {
        let laps = self.laps_per_block() * selection.blocks.len() as u64;
        let progress = Progress::new(self.context.chatter, laps, "laps");
        let (mut rows, mut failures) = (Vec::new(), Vec::new());
        for (number, found) in selection.blocks {
            progress.at(format!("block {number}"));
            let raced = found.and_then(|source| self.race(number, source, &progress));
            let failed = match raced {
                Ok(block) => {
                    let wrong = block.iter().any(|row| row.verdict.figures().is_none());
                    rows.extend(block);
                    wrong
                }
                Err(error) => {
                    progress.note(&format!("block {number}: {error:#}"));
                    failures.push(Failure { block: number, what: format!("{error:#}") });
                    true
                }
            };
            if failed && fail_fast {
                break;
            }
        }
        progress.finish();
        (rows, failures)
    }

    fn laps_per_block(&self) -> u64 {
        let plan = self.runner.plan();
        let rounds = u64::from(plan.warmup) + u64::from(plan.iterations.get());
        rounds * plan.contestants().len() as u64
    }

    fn race(&self, number: u64, source: Source, progress: &Progress) -> eyre::Result<Vec<Row>> {
        let place = source.place(self.context);
        let recorded = source.load(self.context)?;
        let mut job = self
            .crew
            .install(|| prepare(recorded, |_| ()))
            .wrap_err_with(|| format!("{place} cannot be replayed"))?;
        job.state_latency = self.state_latency;
        let race = self.runner.race(&job, || progress.step())?;
        progress.note(&format!("block {number}: {} transactions", job.transactions.len()));
        Ok(rows::rows(&job, self.runner.plan(), &race)?)
    }
}
