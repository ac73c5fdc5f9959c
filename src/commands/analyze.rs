//! `blockrace analyze`: computes each block's maximum speedup and its bottlenecks.

use super::{
    Context, Outcome,
    files::ResultFiles,
    interrupt,
    kept::{self, Kept},
    select,
};
use crate::{
    cli::AnalyzeArgs,
    progress::Progress,
    report::{analysis, tables::TableSet},
    session::{AnalyzeOptions, Analyzed, analyze},
};
use eyre::WrapErr as _;

pub(super) fn run(args: AnalyzeArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), analysis::csv::write)?;
    files.add(args.json.as_deref(), analysis::json::write)?;
    files.add(args.html.as_deref(), analysis::html::write)?;
    let interruption = interrupt::watch().wrap_err("cannot watch for signals")?;
    let options = AnalyzeOptions {
        threads: args.threads,
        runs: args.iterations,
        execution_limit: interruption.limit(args.limit),
    };
    let mut selection = select(args.blocks, &args.rules, context)?;
    let set = TableSet::Analyses;
    let settings = kept::of_analysis(&options);
    let (mut kept, earlier) =
        Kept::open(args.output.as_deref(), set, settings, None, &mut selection)?;
    let progress = Progress::new(context.chatter, selection.blocks.len() as u64, "blocks");
    let asked = selection.blocks.len();
    let keep = &mut |block: &_| kept.analysis(block);
    let Analyzed { report, mismatches } = analyze(selection, &options, &progress, keep)?;
    progress.finish();
    let uploaded = kept.upload();
    interruption.results_are_written.raise();
    let left = asked - report.blocks.len() - report.failures.len();
    let stream = files.text();
    let is_written = !report.blocks.is_empty() && left == 0;
    let written = if is_written { files.write(&report) } else { Ok(()) };
    analysis::table::write(&report, context.layout(), context.table(stream))?;
    kept.finish();
    written.and(uploaded)?;
    let failed = Outcome::of_failures(&report.failures);
    let mismatch = if mismatches > 0 { Outcome::Mismatch } else { Outcome::Verified };
    Ok(failed.and(mismatch).and(earlier).and(interruption.ended(left)))
}
