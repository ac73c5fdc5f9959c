//! Computes each block's maximum speedup and its bottlenecks, without a race.
//!
//! Each block is executed in order and compared with its header. Further sequential runs record the times and accesses
//! of the transactions. [`Analysis`] derives all results from these. Only one block is executed at a time, since blocks
//! that share a processor's caches would slow each other down.

use super::{
    BlockQuery, BlockSource, Observer, SelectedBlock, Selection, caught::caught, machine, profile,
    provenance, race::rows::facts, selection::joined,
};
use crate::{
    block::{RecordedBlock, ReplayJob, prepare},
    execution::Executor as _,
    executors::Sequential,
    insight::{Analysis, Study},
    report::{
        Failure,
        analysis::{AnalysedBlock, AnalysisReport, AnalysisSettings},
    },
    threads::{ExecutionLimit, Watchdog, WorkerPool},
    verify::Verdict,
};
use eyre::WrapErr;
use std::num::{NonZeroU32, NonZeroUsize};

/// Executions of an analysis beside its timed runs: one records the accesses. The analysis itself counts as another.
const OTHER_EXECUTIONS: u32 = 2;

/// Settings of an analysis.
#[derive(Clone, Debug)]
pub struct AnalyzeOptions {
    /// Numbers of threads of the bounds.
    pub threads: Vec<NonZeroUsize>,
    /// Number of runs that time the transactions.
    pub runs: NonZeroU32,
    /// Limit of a single execution.
    pub execution_limit: ExecutionLimit,
}

/// The result of an analysis.
#[derive(Debug)]
pub struct Analyzed {
    /// The report.
    pub report: AnalysisReport,
    /// Number of blocks that do not match their headers. The report lists them with the failures.
    pub mismatches: usize,
}

/// Analyses the blocks of a selection. An error of one block does not stop the
/// others.
///
/// # Errors
/// If the threads cannot be started.
pub fn analyze(
    selection: Selection,
    options: &AnalyzeOptions,
    observer: &dyn Observer,
) -> eyre::Result<Analyzed> {
    let mut threads = options.threads.clone();
    threads.sort_unstable();
    threads.dedup();
    let command = command(&selection.query, &threads, options.runs);
    let settings =
        AnalysisSettings { threads, runs: options.runs, blocks: selection.named, command };
    let watchdog = Watchdog::new(machine::cores(), options.execution_limit.clone())?;
    let (blocks, failures, mismatches) =
        analyze_all(selection.blocks, &settings, watchdog, observer)?;
    let report = AnalysisReport {
        provenance: provenance(),
        machine: machine::describe(),
        settings,
        blocks,
        failures,
    };
    Ok(Analyzed { report, mismatches })
}

/// The result of a block does not match its header, so its times and conflicts would be meaningless.
#[derive(Debug, thiserror::Error)]
#[error("the block does not match its header: {0}")]
struct DoesNotMatch(Verdict);

/// The command line, with only those settings that affect the results.
fn command(query: &BlockQuery, threads: &[NonZeroUsize], runs: NonZeroU32) -> String {
    let words = query
        .arguments()
        .into_iter()
        .chain([format!("--threads {}", joined(threads)), format!("--iterations {runs}")]);
    ["blockrace analyze".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// Analyses all blocks, with one block in memory at a time. Returns the number of mismatches, too.
fn analyze_all(
    selected: Vec<SelectedBlock>,
    settings: &AnalysisSettings,
    mut watchdog: Watchdog,
    observer: &dyn Observer,
) -> eyre::Result<(Vec<AnalysedBlock>, Vec<Failure>, usize)> {
    let count = selected.len();
    let (mut blocks, mut failures, mut mismatches) = (Vec::new(), Vec::new(), 0);
    for (position, (number, found)) in selected.into_iter().enumerate() {
        observer.begin(number, position + 1, count);
        let analysed =
            caught(|| found.and_then(|source| analyze_one(source, settings, &mut watchdog)));
        match analysed {
            Ok(block) => blocks.push(block),
            Err(error) => {
                observer.note(&format!("block {number}: {error:#}"));
                mismatches += usize::from(error.is::<DoesNotMatch>());
                failures.push(Failure { block: number, what: format!("{error:#}") });
            }
        }
        observer.step();
    }
    Ok((blocks, failures, mismatches))
}

/// Analyses a block on the watchdog's threads. The first execution shows that the block ends.
fn analyze_one(
    source: BlockSource,
    settings: &AnalysisSettings,
    watchdog: &mut Watchdog,
) -> eyre::Result<AnalysedBlock> {
    let place = source.place();
    let recorded = source.load()?;
    let job = watchdog.run(move |pool| verified(recorded, &place, pool))??;
    let (threads, runs) = (settings.threads.clone(), settings.runs);
    let executions = runs.get().saturating_add(OTHER_EXECUTIONS);
    watchdog.run_several(executions, move |_| {
        let study = Study::of(&job, runs)?;
        Ok(AnalysedBlock { facts: facts(&job), analysis: Analysis::of(&study, &threads) })
    })?
}

/// Prepares a block, executes it and compares the result with the header.
fn verified(recorded: RecordedBlock, place: &str, pool: &WorkerPool) -> eyre::Result<ReplayJob> {
    let job = pool
        .install(|| prepare(recorded, |_| ()))
        .wrap_err_with(|| format!("{place} cannot be analysed"))?;
    let executed = Sequential.execute(&job, pool)?;
    match profile::check(&job, &executed.outcome, pool)? {
        Verdict::Match => Ok(job),
        mismatch @ Verdict::Mismatch { .. } => Err(DoesNotMatch(mismatch).into()),
    }
}
