//! `blockrace analyze`: computes each block's maximum speedup and its bottlenecks.
//!
//! This command runs no race. It executes each block in order and compares the result with the header. Further
//! sequential runs record the times and accesses of the transactions. [`Analysis`] derives all results from these.
//! The command executes one block at a time, since blocks that share a processor's caches would slow each other down.

use super::{
    Context, Outcome,
    cached::{Source, joined, named, select},
    caught::caught,
    files::ResultFiles,
    machine, rows, watching,
};
use crate::{
    block::prepare,
    cli::AnalyzeArgs,
    execution::Executor as _,
    executors::Sequential,
    insight::{Analysis, Study},
    progress::Progress,
    report::{
        Failure,
        analysis::{self, AnalysedBlock, AnalysisReport, AnalysisSettings},
    },
    threads::WorkerPool,
    verify::Verdict,
};
use eyre::WrapErr;
use std::num::{NonZeroU32, NonZeroUsize};

pub(super) fn run(args: AnalyzeArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), analysis::csv::write)?;
    files.add(args.json.as_deref(), analysis::json::write)?;
    files.add(args.html.as_deref(), analysis::html::write)?;
    let mut threads = args.threads.clone();
    threads.sort_unstable();
    threads.dedup();
    let command = command(&args, &threads);
    let selection = select(args.blocks, context)?;
    let blocks = selection.named.clone();
    let settings = AnalysisSettings { threads, runs: args.iterations, blocks, command };
    let (blocks, failures, outcome) = analyse_all(selection.blocks, &settings, context)?;
    let report = AnalysisReport { machine: machine::describe(), settings, blocks, failures };
    let stream = files.text();
    let kept = if report.blocks.is_empty() { Ok(()) } else { files.write(&report) };
    analysis::table::write(&report, context.detail(), context.table(stream))?;
    kept?;
    Ok(outcome)
}

/// The result of a block does not match its header, so its times and conflicts would be meaningless.
#[derive(Debug, thiserror::Error)]
#[error("the block does not match its header: {0}")]
struct Wrong(Verdict);

/// The command line, with only those settings that affect the results.
fn command(args: &AnalyzeArgs, threads: &[NonZeroUsize]) -> String {
    let words = named(&args.blocks).into_iter().chain([
        format!("--threads {}", joined(threads)),
        format!("--iterations {}", args.iterations),
    ]);
    ["blockrace analyze".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// Analyses all blocks, with one block in memory at a time. An error of one block does not stop the others.
fn analyse_all(
    asked: Vec<(u64, eyre::Result<Source>)>,
    settings: &AnalysisSettings,
    context: &Context,
) -> eyre::Result<(Vec<AnalysedBlock>, Vec<Failure>, Outcome)> {
    let crew = WorkerPool::new(machine::cores())?;
    let progress = Progress::new(context.chatter, asked.len() as u64, "blocks");
    let (mut blocks, mut failures, mut outcome) = (Vec::new(), Vec::new(), Outcome::Verified);
    for (number, found) in asked {
        progress.at(format!("block {number}"));
        let analysed = caught(|| {
            found.and_then(|source| {
                analyse(source, &settings.threads, settings.runs, &crew, context)
            })
        });
        match analysed {
            Ok(block) => blocks.push(block),
            Err(error) => {
                progress.note(&format!("block {number}: {error:#}"));
                outcome = outcome.and(if error.is::<Wrong>() {
                    Outcome::Mismatch
                } else {
                    Outcome::Failed
                });
                failures.push(Failure { block: number, what: format!("{error:#}") });
            }
        }
        progress.step();
    }
    progress.finish();
    Ok((blocks, failures, outcome))
}

fn analyse(
    source: Source,
    threads: &[NonZeroUsize],
    runs: NonZeroU32,
    crew: &WorkerPool,
    context: &Context,
) -> eyre::Result<AnalysedBlock> {
    let place = source.place(context);
    let recorded = source.load(context)?;
    let job = crew
        .install(|| prepare(recorded, |_| ()))
        .wrap_err_with(|| format!("{place} cannot be analysed"))?;
    let executed = Sequential.execute(&job, crew)?;
    match watching::check(&job, &executed.outcome, crew)? {
        Verdict::Match => {}
        mismatch @ Verdict::Mismatch { .. } => return Err(Wrong(mismatch).into()),
    }
    let study = Study::of(&job, runs)?;
    Ok(AnalysedBlock { facts: rows::facts(&job), analysis: Analysis::of(&study, threads) })
}
