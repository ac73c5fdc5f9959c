//! `blockrace analyze`: computes each block's maximum speedup and its bottlenecks.

use super::{Context, Outcome, files::ResultFiles, select};
use crate::{
    cli::AnalyzeArgs,
    progress::Progress,
    report::analysis,
    session::{AnalyzeOptions, Analyzed, analyze},
};

pub(super) fn run(args: AnalyzeArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), analysis::csv::write)?;
    files.add(args.json.as_deref(), analysis::json::write)?;
    files.add(args.html.as_deref(), analysis::html::write)?;
    let options = AnalyzeOptions {
        threads: args.threads,
        runs: args.iterations,
        execution_limit: args.limit.time().into(),
    };
    let selection = select(args.blocks, &args.rules, context)?;
    let progress = Progress::new(context.chatter, selection.blocks.len() as u64, "blocks");
    let Analyzed { report, mismatches } = analyze(selection, &options, &progress)?;
    progress.finish();
    let stream = files.text();
    let kept = if report.blocks.is_empty() { Ok(()) } else { files.write(&report) };
    analysis::table::write(&report, context.layout(), context.table(stream))?;
    kept?;
    let failed = if report.failures.is_empty() { Outcome::Verified } else { Outcome::Failed };
    Ok(failed.and(if mismatches > 0 { Outcome::Mismatch } else { Outcome::Verified }))
}
