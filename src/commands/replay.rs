//! `blockrace replay`: races executors over cached blocks, or the built-in sample.
//!
//! [`course`] races the blocks one after the other. After its iterations, each block is profiled in further runs
//! (`watched`). The times of these runs are not part of the samples.
//!
//! Result files are opened before the first sample, so that a bad path fails early. They are written after the last
//! sample. After Ctrl-C they contain the results so far. Without any result, the files of an earlier run are kept.

mod ahead;
mod course;
mod pictures;
mod settings;
mod watched;

use super::{Context, Outcome, cached::select, conditions, files::ResultFiles, machine};
use crate::{
    cli::ReplayArgs,
    measure::load::LoadWatch,
    report::{self, Report, Verdict},
};
use course::{RaceTrack, Raced};
use pictures::Pictures;
use settings::{plan, settings, threads};
use std::time::Duration;

pub(super) fn run(args: ReplayArgs, context: &Context) -> eyre::Result<Outcome> {
    let files = result_files(&args)?;
    let threads = threads(&args);
    let plan = plan(&args, &threads)?;
    let mut settings = settings(&args, &threads);
    let (fail_fast, state_latency) = (args.fail_fast, args.state_latency);
    let pictures = args.html.as_ref().map_or(Pictures::Unwanted, |_| Pictures::Wanted);
    let limit = Duration::from_secs(args.execution_limit.get());
    let selection = select(args.blocks, context)?;
    settings.blocks.clone_from(&selection.named);

    let mut track = RaceTrack::new(plan, limit, state_latency, pictures, context)?;
    let clock = *track.clock();
    let watch = LoadWatch::start(&clock);
    let Raced { rows, failures, self_checks, preparation, watched, pictures, course } =
        track.race_all(selection, fail_fast);
    let load = watch.finish();
    let mut report = Report {
        machine: machine::describe(),
        settings,
        rows,
        failures,
        self_checks,
        preparation,
        watched,
        warnings: vec![],
        pictures,
    };
    report.warnings = conditions::warnings(&report, course, load);
    let stream = files.text();
    let kept = if report.rows.is_empty() { Ok(()) } else { files.write(&report) };
    report::table::write(&report, context.detail(), context.table(stream))?;
    kept?;
    let interrupted = course.interrupted.map_or(Outcome::Verified, |_| Outcome::Interrupted);
    Ok(outcome(&report).and(interrupted))
}

/// Opens the result files of all flags, so that a bad path fails before the race.
fn result_files(args: &ReplayArgs) -> eyre::Result<ResultFiles<Report>> {
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), report::csv::write)?;
    files.add(args.json.as_deref(), report::json::write)?;
    files.add(args.markdown.as_deref(), report::markdown::write)?;
    files.add(args.html.as_deref(), report::html::write)?;
    files.add(args.svg.as_deref(), report::html::svg::write)?;
    files.add(args.samples.as_deref(), report::samples::write)?;
    Ok(files)
}

fn outcome(report: &Report) -> Outcome {
    let mismatch = report.rows.iter().any(|row| matches!(row.verdict, Verdict::Mismatch(_)));
    let failed = if report.failures.is_empty() { Outcome::Verified } else { Outcome::Failed };
    failed.and(if mismatch { Outcome::Mismatch } else { Outcome::Verified })
}
