//! `blockrace merge`: joins the results of several processes into those of one run.

mod coverage;

use self::coverage::report_coverage;
use super::{Context, Outcome, files::ResultFiles};
use crate::{
    cli::MergeArgs,
    output::{self, Stream, diagnose},
    report::{
        self, Detail, Report,
        analysis::{self, AnalysisReport},
        counted,
        tables::BlockResult,
        verdict_table,
        verification::{self, VerificationReport},
    },
    session::{MergeSource, MergedBlocks, MergedRaces, merge_blocks, merge_races},
};
use eyre::{bail, ensure};

pub(super) fn run(args: MergeArgs, context: &Context) -> eyre::Result<Outcome> {
    let (mut races, mut folders) = (Vec::new(), Vec::new());
    for path in &args.sources {
        match MergeSource::read(path)? {
            MergeSource::Races(parts) => races.extend(parts),
            MergeSource::Blocks(content) => folders.push((path.display().to_string(), content)),
        }
    }
    match (races.is_empty(), folders.is_empty()) {
        (false, true) => print_races(merge_races(races)?, &args, context),
        (true, false) => print_blocks(&merge_blocks(folders)?, &args, context),
        (true, true) => bail!("there are no results to merge"),
        (false, false) => bail!("results of replay cannot be merged with those of other commands"),
    }
}

fn race_files(args: &MergeArgs) -> eyre::Result<ResultFiles<Report>> {
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), report::csv::write)?;
    files.add(args.json.as_deref(), report::json::write)?;
    files.add(args.markdown.as_deref(), report::markdown::write)?;
    files.add(args.html.as_deref(), report::html::write)?;
    Ok(files)
}

fn analysis_files(args: &MergeArgs) -> eyre::Result<ResultFiles<AnalysisReport>> {
    ensure!(args.markdown.is_none(), "results of analyze have no --markdown");
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), analysis::csv::write)?;
    files.add(args.json.as_deref(), analysis::json::write)?;
    files.add(args.html.as_deref(), analysis::html::write)?;
    Ok(files)
}

fn verification_files(args: &MergeArgs) -> eyre::Result<ResultFiles<VerificationReport>> {
    let is_json = args.csv.is_none() && args.markdown.is_none() && args.html.is_none();
    ensure!(is_json, "results of verify have no file but --json");
    let mut files = ResultFiles::default();
    files.add(args.json.as_deref(), verification::write)?;
    Ok(files)
}

/// Prints the results of `verify` or `analyze`, and writes the files.
fn print_blocks(
    merged: &MergedBlocks,
    args: &MergeArgs,
    context: &Context,
) -> eyre::Result<Outcome> {
    match merged.command {
        "verify" => print_verdicts(merged, args, context)?,
        _ => print_analyses(merged, args, context)?,
    }
    let wrong = &merged.mismatches;
    for (number, what) in wrong {
        diagnose(format_args!("error: block {number} does not match: {what}"));
    }
    let mismatch = if wrong.is_empty() { Outcome::Verified } else { Outcome::Mismatch };
    Ok(mismatch.and(report_coverage(&merged.coverage)))
}

fn print_verdicts(merged: &MergedBlocks, args: &MergeArgs, context: &Context) -> eyre::Result<()> {
    let files = verification_files(args)?;
    let stream = files.text();
    let written = files.write(&merged.verification()?);
    if context.detail() != Detail::Totals {
        let lines = merged.blocks.iter().map(BlockResult::verdict_lines);
        let lines: Vec<Vec<_>> = lines.collect::<Result<_, _>>()?;
        let table = verdict_table::lines(&lines.concat(), output::width());
        stream.print_text(table.join("\n"))?;
    }
    let done = counted(merged.blocks.len(), "block");
    let matched = merged.blocks.len() - merged.mismatches.len();
    stream.print_text(format_args!("{matched} of {done} match their headers"))?;
    written
}

fn print_analyses(merged: &MergedBlocks, args: &MergeArgs, context: &Context) -> eyre::Result<()> {
    let files = analysis_files(args)?;
    let stream = files.text();
    let reports = of_machine(merged.analyses()?, args, &files)?;
    let written = write_one(files, &reports);
    print_each(&reports, stream, |report| {
        analysis::table::write(report, context.layout(), context.table(stream))
    })?;
    let done = counted(merged.blocks.len(), "block");
    stream.print_text(format_args!("{done} of {}", merged.command))?;
    written
}

/// Prints the report of each machine of `replay`, and writes the files.
fn print_races(
    MergedRaces { machines, coverage }: MergedRaces,
    args: &MergeArgs,
    context: &Context,
) -> eyre::Result<Outcome> {
    let files = race_files(args)?;
    let stream = files.text();
    let reports = of_machine(machines, args, &files)?;
    let written = write_one(files, &reports);
    print_each(&reports, stream, |report| {
        report::table::write(report, context.layout(), context.table(stream))
    })?;
    written?;
    let outcomes = reports.iter().map(|(_, report)| Outcome::of_race(report));
    Ok(outcomes.fold(report_coverage(&coverage), Outcome::and))
}

/// The reports of the chosen machine, or of all. A file has the results of one machine.
fn of_machine<R>(
    mut machines: Vec<(String, R)>,
    args: &MergeArgs,
    files: &ResultFiles<R>,
) -> eyre::Result<Vec<(String, R)>> {
    let names: Vec<_> = machines.iter().map(|(name, _)| name.clone()).collect();
    if let Some(chosen) = &args.machine {
        machines.retain(|(name, _)| name == chosen);
        ensure!(!machines.is_empty(), "the machines are {}", names.join(", "));
    }
    ensure!(
        machines.len() == 1 || files.is_empty(),
        "the results are of {} machines, and a file holds those of one; select it with --machine: {}",
        machines.len(),
        names.join(", ")
    );
    Ok(machines)
}

/// Writes the files if there is one report.
fn write_one<R>(files: ResultFiles<R>, reports: &[(String, R)]) -> eyre::Result<()> {
    match reports {
        [(_, report)] => files.write(report),
        _ => Ok(()),
    }
}

/// Prints the reports, each with the name of its machine if there are several.
fn print_each<R, E: std::error::Error + Send + Sync + 'static>(
    reports: &[(String, R)],
    stream: Stream,
    print: impl Fn(&R) -> Result<(), E>,
) -> eyre::Result<()> {
    for (name, report) in reports {
        if reports.len() > 1 {
            stream.print_text(format_args!("machine {name}:\n"))?;
        }
        print(report)?;
    }
    Ok(())
}
