//! `blockrace replay`: races executors over cached blocks, or the built-in sample.
//!
//! Result files are opened before the first sample, so that a bad path fails early. They are written after the last
//! sample. After Ctrl-C they contain the results so far. Without any result, the files of an earlier run are kept.

use super::{Context, Outcome, files::ResultFiles, interrupt, select};
use crate::{
    cli::{ReplayArgs, RoundArgs, RoundsArg},
    measure::{Iterations, Readiness, Rounds, SelfCheck, Warmup},
    progress::Progress,
    report::{self, Report, Verdict},
    session::{Charts, RaceOptions, Raced, default_threads, machine, race},
    threads::Pinning,
};
use eyre::{WrapErr, ensure};
use std::{num::NonZeroU32, ops::ControlFlow, time::Duration};

pub(super) fn run(args: ReplayArgs, context: &Context) -> eyre::Result<Outcome> {
    let files = result_files(&args)?;
    let options = options(&args)?;
    let selection = select(args.blocks, &args.rules, context)?;
    let mut interrupted = interrupt::watch().wrap_err("cannot watch for Ctrl-C")?;
    // A closed channel means that the handler has ended. It is no interrupt.
    let mut interrupt = || match interrupted.try_recv() {
        Ok(()) => ControlFlow::Break(()),
        Err(_) => ControlFlow::Continue(()),
    };
    let progress = Progress::projected(context.chatter, "samples");
    let Raced { report, is_interrupted } = race(selection, &options, &progress, &mut interrupt)?;
    progress.finish();
    let stream = files.text();
    let kept = if report.rows.is_empty() { Ok(()) } else { files.write(&report) };
    report::table::write(&report, context.detail(), context.table(stream))?;
    kept?;
    let interrupted = if is_interrupted { Outcome::Interrupted } else { Outcome::Verified };
    Ok(outcome(&report).and(interrupted))
}

/// Converts the arguments to the settings of a race.
///
/// # Errors
/// If a time limit is set for a fixed number of iterations.
fn options(args: &ReplayArgs) -> eyre::Result<RaceOptions> {
    let threads = if args.threads.is_empty() { default_threads() } else { args.threads.clone() };
    Ok(RaceOptions {
        executors: args.executors.0.clone(),
        threads,
        rounds: rounds(&args.rounds)?,
        state_latency: args.state_latency,
        execution_limit: Duration::from_secs(args.execution_limit.get()),
        fail_fast: args.fail_fast,
        charts: args.html.as_ref().map_or(Charts::Omitted, |_| Charts::Drawn),
    })
}

fn rounds(args: &RoundArgs) -> eyre::Result<Rounds> {
    let is_auto = args.iterations == RoundsArg::Auto;
    ensure!(is_auto || args.time_limit.is_none(), "--time-limit requires --iterations auto");
    Ok(Rounds {
        warmup: match args.warmup {
            RoundsArg::Rounds(rounds) => Warmup::Rounds(rounds),
            RoundsArg::Auto => Warmup::UntilSteady,
        },
        iterations: match args.iterations {
            RoundsArg::Rounds(rounds) => {
                Iterations::Rounds(NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN))
            }
            RoundsArg::Auto => Iterations::UntilPrecise { limit: args.limit() },
        },
        self_check: match args.self_check {
            true => SelfCheck::On { cores: machine::cores() },
            false => SelfCheck::Off,
        },
        pinning: if args.pin { Pinning::Pinned } else { Pinning::Free },
        readiness: if args.asleep { Readiness::Asleep } else { Readiness::Awake },
        seed: args.seed,
    })
}

/// Opens the result files of all flags, so that a bad path fails before the race.
fn result_files(args: &ReplayArgs) -> eyre::Result<ResultFiles<Report>> {
    let mut files = ResultFiles::default();
    files.add(args.csv.as_deref(), report::csv::write)?;
    files.add(args.json.as_deref(), report::json::write)?;
    files.add(args.markdown.as_deref(), report::markdown::write)?;
    files.add(args.html.as_deref(), report::html::write)?;
    files.add(args.svg.as_deref(), report::html::svg::write)?;
    Ok(files)
}

fn outcome(report: &Report) -> Outcome {
    let mismatch = report.rows.iter().any(|row| matches!(row.verdict, Verdict::Mismatch(_)));
    let failed = if report.failures.is_empty() { Outcome::Verified } else { Outcome::Failed };
    failed.and(if mismatch { Outcome::Mismatch } else { Outcome::Verified })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{Cli, Command},
        report::Settings,
        session::BlockQuery,
    };
    use clap::Parser;

    fn replay(arguments: &str) -> ReplayArgs {
        let words = ["blockrace", "replay"].into_iter().chain(arguments.split_whitespace());
        match Cli::try_parse_from(words).unwrap().command {
            Command::Replay(args) => args,
            other => panic!("{other:?}"),
        }
    }

    fn settings(arguments: &str) -> Settings {
        let args = replay(arguments);
        options(&args).unwrap().settings(&BlockQuery::from(args.blocks), "")
    }

    #[test]
    fn the_reported_command_reproduces_the_settings() {
        for arguments in [
            "",
            "5,7-9 --chain 1 --executors block-stm --threads 1,4 --iterations auto --time-limit 9",
            "@list.txt --warmup 3 --seed 7 --self-check --pin --asleep --state-latency 20us",
        ] {
            let first = settings(arguments);
            let again = first.command.strip_prefix("blockrace replay").unwrap();
            assert_eq!(settings(again), first, "{again}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let query = BlockQuery::default();
        assert_eq!(settings(""), RaceOptions::default().settings(&query, ""));
    }

    #[test]
    fn a_time_limit_needs_automatic_iterations() {
        let [counted, auto] = ["--time-limit 9", "--iterations auto --time-limit 9"].map(replay);
        assert!(options(&counted).is_err());
        assert!(options(&auto).is_ok());
    }
}
