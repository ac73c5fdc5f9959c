//! `blockrace conformance`: runs Ethereum's blockchain tests with all selected executors.

mod work;

use super::{Context, Outcome, files::ResultFile};
use crate::{
    cli::ConformanceArgs,
    conformance::Glob,
    measure::Stopwatch,
    output::{Stream, width},
    report::conformance::{self as report, ConformanceReport, ConformanceSettings},
    session::{machine, provenance},
};
use eyre::{WrapErr as _, bail};
use std::time::Duration;
use work::{Orders, Results, run_all};

pub(super) fn run(args: ConformanceArgs, context: &Context) -> eyre::Result<Outcome> {
    let json = args.json.as_deref().map(ResultFile::open).transpose()?;
    let orders = Orders {
        executors: args.executors.0,
        threads: args.threads,
        filter: args.filter.map(Glob::new),
        rules: args.network_rules,
        limit: Duration::from_secs(args.time_limit.get()),
    };
    let mut stopwatch = Stopwatch::start();
    let jobs = args.jobs.unwrap_or_else(machine::cores);
    let Results { tests, unreadable, skipped } = run_all(&args.paths, &orders, jobs, context)?;
    let settings = ConformanceSettings {
        executors: orders.executors.iter().map(ToString::to_string).collect(),
        threads: orders.threads,
        jobs,
    };
    let elapsed = stopwatch.lap();
    let provenance = provenance();
    let report = ConformanceReport { provenance, settings, tests, unreadable, skipped, elapsed };
    if report.tests.is_empty() && report.unreadable.is_empty() {
        bail!("no tests found, or none matches --filter");
    }
    let stream = json.as_ref().map_or(Stream::Stdout, ResultFile::text);
    let kept = json.map_or(Ok(()), |file| file.write(|out| report::write_json(&report, out)));
    report::write_text(&report, width(), context.table(stream))
        .wrap_err("cannot write the table to standard output")?;
    kept?;
    Ok(outcome(&report))
}

fn outcome(report: &ConformanceReport) -> Outcome {
    // A suite without a single executed test proves nothing, so it fails.
    let is_shown = report.unreadable.is_empty() && report.has_run_any();
    let read = if is_shown { Outcome::Verified } else { Outcome::Failed };
    read.and(if report.has_failures() { Outcome::Mismatch } else { Outcome::Verified })
}
