//! Computes each block's maximum speedup and its bottlenecks, without a race.
//!
//! Each block is executed in order and compared with its header. Further sequential runs record the times and accesses
//! of the transactions. [`Analysis`] derives all results from these. Only one block is executed at a time, since blocks
//! that share a processor's caches would slow each other down.

use super::{
    BlockQuery, BlockSource, Keep, Observer, SelectedBlock, Selection, caught::caught, machine,
    passing::failure, profile, provenance, race::rows::facts, selection::joined,
};
use crate::{
    block::{RecordedBlock, ReplayJob, prepare},
    execution::Executor as _,
    executors::Sequential,
    insight::{Analysis, RootWork, Study},
    report::{
        Failure,
        analysis::{AnalysedBlock, AnalysedTransaction, AnalysisReport, AnalysisSettings},
    },
    state::PostState,
    threads::{ExecutionLimit, Interrupt, Watchdog, WorkerPool},
    verify::Verdict,
};
use alloy_consensus::{TxEnvelope, transaction::Recovered};
use eyre::WrapErr;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

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

/// The results of all blocks.
#[derive(Default)]
struct Analyses {
    blocks: Vec<AnalysedBlock>,
    failures: Vec<Failure>,
    mismatches: usize,
}

/// Analyses the blocks of a selection. An error of one block does not stop the
/// others. The interrupt of [`AnalyzeOptions::execution_limit`] does.
///
/// `keep` receives each analysed block at once.
///
/// # Errors
/// If the threads cannot be started, and the error of `keep`.
pub fn analyze(
    selection: Selection,
    options: &AnalyzeOptions,
    observer: &dyn Observer,
    keep: Keep<'_, AnalysedBlock>,
) -> eyre::Result<Analyzed> {
    let mut threads = options.threads.clone();
    threads.sort_unstable();
    threads.dedup();
    let command = command(&selection.query, &threads, options.runs);
    let settings =
        AnalysisSettings { threads, runs: options.runs, blocks: selection.named, command };
    let limit = &options.execution_limit;
    let watchdog = Watchdog::new(machine::cores(), limit.clone())?;
    let Analyses { blocks, failures, mismatches } =
        analyze_all(selection.blocks, &settings, (watchdog, &limit.interrupt), observer, keep)?;
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

/// Analyses all blocks, with one block in memory at a time.
fn analyze_all(
    selected: Vec<SelectedBlock>,
    settings: &AnalysisSettings,
    (mut watchdog, interrupt): (Watchdog, &Interrupt),
    observer: &dyn Observer,
    keep: Keep<'_, AnalysedBlock>,
) -> eyre::Result<Analyses> {
    let count = selected.len();
    let mut all = Analyses::default();
    for (position, (number, found)) in selected.into_iter().enumerate() {
        observer.begin(number, position + 1, count);
        let analysed =
            caught(|| found.and_then(|source| analyze_one(source, settings, &mut watchdog)));
        match analysed {
            Ok(block) => {
                keep(&block)?;
                all.blocks.push(block);
            }
            // The block in work is not done.
            Err(_) if interrupt.is_raised() => break,
            Err(error) => {
                observer.note(&format!("block {number}: {error:#}"));
                all.mismatches += usize::from(error.is::<DoesNotMatch>());
                all.failures.push(failure(number, &error));
            }
        }
        observer.step();
        if interrupt.is_raised() {
            break;
        }
    }
    Ok(all)
}

/// Analyses a block on the watchdog's threads. The first execution shows that the block ends.
fn analyze_one(
    source: BlockSource,
    settings: &AnalysisSettings,
    watchdog: &mut Watchdog,
) -> eyre::Result<AnalysedBlock> {
    let place = source.place();
    let confirmed = source.confirmation().cloned();
    let recorded = source.load()?;
    let (job, post) = watchdog.run(move |pool| verified(recorded, &place, pool))??;
    let (threads, runs) = (settings.threads.clone(), settings.runs);
    let executions = runs.get().saturating_add(OTHER_EXECUTIONS);
    watchdog.run_several(executions, move |_| {
        let study = Study::of(&job, runs)?;
        let transactions = transactions(&job, &study, threads.last().copied());
        let analysis = Analysis::of(&study, &threads);
        let alone = WorkerPool::new(NonZeroUsize::MIN)?;
        let root = RootWork::of(&job, &post, runs, &alone)?;
        Ok(AnalysedBlock { facts: facts(&job, confirmed), analysis, root, transactions })
    })?
}

/// The transactions with their times, and their ends in the schedule of the bound on this number of threads.
fn transactions(
    job: &ReplayJob,
    study: &Study,
    threads: Option<NonZeroUsize>,
) -> Vec<AnalysedTransaction> {
    let ends = threads.map(|threads| study.bound_ends(threads)).unwrap_or_default();
    let transaction = |(index, (transaction, gas_used)): (usize, (&Recovered<TxEnvelope>, u64))| {
        let time = study.times.transactions.get(index).copied().unwrap_or_default();
        AnalysedTransaction {
            hash: *transaction.tx_hash(),
            gas_used,
            time: Duration::from_nanos(time),
            bound_end: ends.get(index).copied().map(Duration::from_nanos),
        }
    };
    job.transactions.iter().zip(study.gas()).enumerate().map(transaction).collect()
}

/// Prepares a block, executes it and compares the result with the header. Returns its changes, too.
fn verified(
    recorded: RecordedBlock,
    place: &str,
    pool: &WorkerPool,
) -> eyre::Result<(ReplayJob, PostState)> {
    let job = pool
        .install(|| prepare(recorded, |_| ()))
        .wrap_err_with(|| format!("{place} cannot be analysed"))?;
    let executed = Sequential.execute(&job, pool)?;
    match profile::check(&job, &executed.outcome, pool)? {
        Verdict::Match => Ok((job, executed.outcome.post_state)),
        mismatch @ Verdict::Mismatch { .. } => Err(DoesNotMatch(mismatch).into()),
    }
}
