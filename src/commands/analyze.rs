//! `blockrace analyze`: what blocks allow, and what stands in the way.
//!
//! No executor is raced. Each block is executed in order, held against its header, and executed a few times more, for
//! its transactions' times and accesses; all else follows from these by [`Analysis`]. Blocks are worked on one after the
//! other, since transactions that share a processor's caches with other blocks would take longer.

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
    executor::{Executor as _, Sequential, WorkerPool},
    insight::{Analysis, Study},
    progress::Progress,
    report::{
        Failure,
        analysis::{self, AnalysedBlock, AnalysisReport, AnalysisSettings},
    },
    verify::Verdict,
};
use eyre::WrapErr;
use std::{
    io,
    num::{NonZeroU32, NonZeroUsize},
};

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
    let kept = if report.blocks.is_empty() { Ok(()) } else { files.write(&report) };
    analysis::table::write(&report, context.detail(), io::stdout().lock())?;
    kept?;
    Ok(outcome)
}

/// A block whose times and conflicts would be those of something else.
#[derive(Debug, thiserror::Error)]
#[error("it does not match its header: {0}")]
struct Wrong(Verdict);

/// The command with every setting that moves numbers, and none that does not.
fn command(args: &AnalyzeArgs, threads: &[NonZeroUsize]) -> String {
    let words = named(&args.blocks).into_iter().chain([
        format!("--threads {}", joined(threads)),
        format!("--iterations {}", args.iterations),
    ]);
    ["blockrace analyze".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// One block in memory at a time. What fails for one does not stop the rest.
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
