//! `blockrace merge`: joins the results of several processes into those of one run.

use super::{Context, Outcome, files::ResultFiles};
use crate::{
    cli::MergeArgs,
    output::{self, Stream, diagnose},
    report::{
        self, Detail, Report, Verdict, analysis, counted, tables::BlockResult, verdict_table,
    },
    session::{Coverage, MergeSource, MergedBlocks, MergedRaces, merge_blocks, merge_races},
};
use eyre::{bail, ensure};
use std::ops::RangeInclusive;

/// Maximum number of gaps and overlaps that are named.
const MOST_NAMED: usize = 10;

pub(super) fn run(args: MergeArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), report::csv::write)?;
    files.add(args.json.as_deref(), report::json::write)?;
    files.add(args.markdown.as_deref(), report::markdown::write)?;
    files.add(args.html.as_deref(), report::html::write)?;
    let (mut races, mut folders) = (Vec::new(), Vec::new());
    for path in &args.sources {
        match MergeSource::read(path)? {
            MergeSource::Races(parts) => races.extend(parts),
            MergeSource::Blocks(content) => folders.push((path.display().to_string(), content)),
        }
    }
    match (races.is_empty(), folders.is_empty()) {
        (false, true) => merged(merge_races(races)?, &args, files, context),
        (true, false) => {
            ensure!(
                files.is_empty(),
                "only results of replay have result files; see the Parquet files"
            );
            print_blocks(&merge_blocks(folders)?, context)
        }
        (true, true) => bail!("there are no results to merge"),
        (false, false) => bail!("results of replay cannot be merged with those of other commands"),
    }
}

/// Prints the results of `verify` or `analyze`.
fn print_blocks(merged: &MergedBlocks, context: &Context) -> eyre::Result<Outcome> {
    let stream = Stream::Stdout;
    let (done, wrong) = (counted(merged.blocks.len(), "block"), &merged.mismatches);
    match merged.command {
        "verify" => {
            if context.detail() != Detail::Totals {
                let lines = merged.blocks.iter().map(BlockResult::verdict_lines);
                let lines: Vec<Vec<_>> = lines.collect::<Result<_, _>>()?;
                let table = verdict_table::lines(&lines.concat(), output::width());
                stream.print_text(table.join("\n"))?;
            }
            let matched = merged.blocks.len() - wrong.len();
            stream.print_text(format_args!("{matched} of {done} match their headers"))?;
        }
        command => {
            for (name, report) in &merged.analyses()? {
                if merged.machines.len() > 1 {
                    stream.print_text(format_args!("machine {name}:\n"))?;
                }
                analysis::table::write(report, context.layout(), context.table(stream))?;
            }
            stream.print_text(format_args!("{done} of {command}"))?;
        }
    }
    for (number, what) in wrong {
        diagnose(format_args!("error: block {number} does not match: {what}"));
    }
    let mismatch = if wrong.is_empty() { Outcome::Verified } else { Outcome::Mismatch };
    Ok(mismatch.and(report_coverage(&merged.coverage)))
}

/// Prints the report of each machine, and writes the files.
fn merged(
    merged: MergedRaces,
    args: &MergeArgs,
    files: ResultFiles<Report>,
    context: &Context,
) -> eyre::Result<Outcome> {
    let MergedRaces { mut machines, coverage } = merged;
    let names: Vec<_> = machines.iter().map(|(name, _)| name.clone()).collect();
    if let Some(chosen) = &args.machine {
        machines.retain(|(name, _)| name == chosen);
        ensure!(!machines.is_empty(), "the machines are {}", names.join(", "));
    }
    let is_one = machines.len() == 1;
    ensure!(
        is_one || files.is_empty(),
        "the results are of {} machines, and a file holds those of one; select it with --machine: {}",
        machines.len(),
        names.join(", ")
    );
    let stream = files.text();
    let written = match machines.first() {
        Some((_, report)) if is_one => files.write(report),
        _ => Ok(()),
    };
    let mut outcome = Outcome::Verified;
    for (name, report) in &machines {
        if !is_one {
            stream.print_text(format_args!("machine {name}:\n"))?;
        }
        report::table::write(report, context.layout(), context.table(stream))?;
        let mismatch = report.rows.iter().any(|row| matches!(row.verdict, Verdict::Mismatch(_)));
        let failed = if report.failures.is_empty() { Outcome::Verified } else { Outcome::Failed };
        outcome = outcome.and(failed);
        outcome = outcome.and(if mismatch { Outcome::Mismatch } else { Outcome::Verified });
    }
    written?;
    Ok(outcome.and(report_coverage(&coverage)))
}

/// Names gaps and overlaps on standard error. A gap is a failure.
fn report_coverage(coverage: &Coverage) -> Outcome {
    let Coverage { gaps, missing_shards, overlaps, builds } = coverage;
    if builds.len() > 1 {
        let named: Vec<_> = builds.iter().map(String::as_str).collect();
        diagnose(format_args!(
            "warning: the results are of {} builds, so their times may differ for that reason: {}",
            builds.len(),
            named.join("; ")
        ));
    }
    for overlap in overlaps.iter().take(MOST_NAMED) {
        diagnose(format_args!(
            "block {} is in {} and in {}; the first one counts",
            overlap.number, overlap.first, overlap.second
        ));
    }
    let more = overlaps.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        diagnose(format_args!("and {} more are in several results", counted(more, "block")));
    }
    if !missing_shards.is_empty() {
        diagnose(format_args!("error: no results of shard {}", missing_shards.join(", ")));
    }
    let named: Vec<_> = gaps.iter().take(MOST_NAMED).map(range).collect();
    if !gaps.is_empty() {
        let more = gaps.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more gaps") } else { String::new() };
        diagnose(format_args!("error: no results of blocks {}{more}", named.join(", ")));
    }
    let is_whole = gaps.is_empty() && missing_shards.is_empty();
    if is_whole { Outcome::Verified } else { Outcome::Failed }
}

fn range(range: &RangeInclusive<u64>) -> String {
    match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    }
}
