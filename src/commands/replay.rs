//! `blockrace replay`: races executors over cached blocks, or the built-in sample.
//!
//! Machine and settings are printed first, a line for each block as soon as it is done, and the rest at the end.
//!
//! Result files are opened before the first sample, so that a bad path fails early. They are written after the last
//! sample. After a signal they contain the results so far. Without any result, the files of an earlier run are kept.

use super::{
    Context, Outcome, baseline,
    files::{ResultFile, ResultFiles},
    interrupt,
    kept::{self, Kept},
    select,
};
use crate::{
    cli::{ReplayArgs, RoundArgs, RoundsArg},
    measure::{Iterations, Readiness, Rounds, SelfCheck, Warmup},
    output::{Stream, diagnose},
    progress::Progress,
    report::{
        self, Contender, Detail, Report, Row, Settings,
        live::LiveTable,
        tables::{RacedBlock, TableSet},
        wrap::fold,
    },
    session::{Charts, Observer, RaceOptions, Raced, machine, race_and_keep},
    threads::Pinning,
};
use alloy_primitives::BlockNumber;
use eyre::{WrapErr, ensure};
use std::{
    io::Write as _,
    num::{NonZeroU32, NonZeroUsize},
    ops::ControlFlow,
};

pub(super) fn run(args: ReplayArgs, context: &Context) -> eyre::Result<Outcome> {
    let files = result_files(&args)?;
    let name = args.save_baseline.clone();
    let saved = name.as_ref().map(|name| baseline::create(name, context)).transpose()?;
    let (mut options, advice) = (options(&args)?, more(&args));
    let explorer = args.explorer;
    let mut selection = select(args.blocks, &args.rules, context)?;
    let interrupt = interrupt::watch().wrap_err("cannot watch for signals")?;
    let settings = options.settings(&selection.query, &selection.named);
    let of_race = kept::of_race(&settings);
    let (output, set) = (args.output.as_deref(), TableSet::Races);
    let (mut kept, earlier) = Kept::open(output, set, of_race, Some(&settings), &mut selection)?;
    options.execution_limit.interrupt = interrupt.raised.clone();
    let mut is_over = || match interrupt.raised.is_raised() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let stream = files.text();
    let table = Lines { stream, context };
    let live = table.begin(&options, &settings, advice);
    let progress = Progress::projected(context.chatter, "samples");
    let observer = Watcher { progress: &progress, live, table };
    let keep = &mut |block: RacedBlock<'_>| kept.race(block);
    let Raced { mut report, is_interrupted } =
        race_and_keep(selection, &options, &observer, &mut is_over, keep)?;
    report.explorer = explorer;
    progress.finish();
    let uploaded = kept.upload();
    interrupt.results_are_written.raise();
    let written = if report.rows.is_empty() { Ok(()) } else { files.write(&report) };
    if context.detail() != Detail::Totals {
        table.print([String::new()]);
    }
    report::table::write_rest(&report, context.layout(), context.table(stream))?;
    kept.finish();
    written.and(uploaded)?;
    let interrupted = if is_interrupted { interrupt.outcome() } else { Outcome::Verified };
    let outcome = Outcome::of_race(&report).and(earlier).and(interrupted);
    saved.map_or(Ok(()), |file| save(file, &report, outcome))?;
    Ok(outcome)
}

/// Prints lines while the race runs.
#[derive(Clone, Copy)]
struct Lines<'a> {
    stream: Stream,
    context: &'a Context,
}

impl Lines<'_> {
    /// Prints machine, settings and the titles of the table. Without a table, it prints nothing.
    fn begin(
        &self,
        options: &RaceOptions,
        settings: &Settings,
        advice: Option<String>,
    ) -> Option<LiveTable> {
        let layout = self.context.layout();
        if layout.detail == Detail::Totals {
            return None;
        }
        let plan = options.plan();
        let others = plan.contenders().iter().skip(1);
        let others = others.map(|contender| Contender {
            executor: contender.executor.name(),
            threads: contender.threads,
        });
        let live = LiveTable::new(others, layout.width);
        let heading = report::table::heading(&machine::describe(), settings, layout.width);
        let advice = fold(advice.iter().map(String::as_str), layout.width);
        let lines = heading.into_iter().chain(advice).chain([String::new()]).chain(live.titles());
        self.print(lines);
        Some(live)
    }

    /// Prints lines. The text at the end reports a stream that fails.
    fn print(&self, lines: impl IntoIterator<Item = String>) {
        let mut out = self.context.table(self.stream);
        for line in lines {
            let _ = writeln!(out, "{line}");
        }
        let _ = out.flush();
    }
}

/// Shows the progress of the race, and the line of each block.
struct Watcher<'a> {
    progress: &'a Progress,
    live: Option<LiveTable>,
    table: Lines<'a>,
}

impl Observer for Watcher<'_> {
    fn begin(&self, number: BlockNumber, position: usize, count: usize) {
        self.progress.begin(number, position, count);
    }

    fn sample(&self, share: f64) {
        self.progress.sample(share);
    }

    fn rows(&self, rows: &[Row]) {
        if let Some(first) = rows.first() {
            let is_match = rows.iter().all(|row| row.verdict.figures().is_some());
            self.progress.block(first.block.number, if is_match { "match" } else { "mismatch" });
        }
        if let Some(live) = &self.live {
            let line = live.line(&rows.iter().collect::<Vec<_>>());
            self.progress.above(|| self.table.print([line]));
        }
    }

    fn note(&self, line: &str) {
        self.progress.note(line);
    }
}

/// Saves a complete run as a baseline.
fn save(file: ResultFile, report: &Report, outcome: Outcome) -> eyre::Result<()> {
    if outcome == Outcome::Verified {
        return file.write(|out| report::json::write(report, out));
    }
    diagnose("the baseline is not saved, since the run is incomplete or does not match");
    Ok(())
}

/// The options of a run with more contenders and narrower intervals. `None` if the user has chosen the settings.
fn more(args: &ReplayArgs) -> Option<String> {
    let is_chosen = !args.threads.is_empty() || args.rounds.self_check;
    let is_default = args.rounds.iterations == RoundsArg::DEFAULT && !is_chosen;
    let cores = machine::cores();
    let threads = if cores == NonZeroUsize::MIN { "1".into() } else { format!("1,{cores}") };
    is_default.then(|| {
        format!(
            "For a longer run: --executors all --threads {threads} --iterations 20 --self-check"
        )
    })
}

/// Converts the arguments to the settings of a race.
///
/// # Errors
/// If a time limit is set for a fixed number of iterations.
fn options(args: &ReplayArgs) -> eyre::Result<RaceOptions> {
    let all_cores = || vec![machine::cores()];
    let threads = if args.threads.is_empty() { all_cores() } else { args.threads.clone() };
    Ok(RaceOptions {
        baseline: args.baseline,
        executors: args.executors.0.clone(),
        threads,
        rounds: rounds(&args.rounds)?,
        merge: args.merge,
        state_latency: args.state_latency,
        execution_limit: args.limit.time().into(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{Cli, Command},
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
        let options = options(&args).unwrap();
        let chain_config = args.rules.chain_config;
        let query = BlockQuery { chain_config, ..BlockQuery::from(args.blocks) };
        options.settings(&query, "")
    }

    #[test]
    fn the_reported_command_reproduces_the_settings() {
        for arguments in [
            "",
            "5,7-9 --chain 1 --executors block-stm --threads 1,4 --iterations auto --time-limit 9",
            "--merge 4 --sort gas --top 3 --fork Cancun --gas=-30M --sample 9",
            "5 --chain-config ../network/genesis.json",
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
    fn a_run_with_defaults_is_short_and_says_how_to_ask_for_more() {
        let advice = more(&replay("")).unwrap();
        let (_, options) = advice.split_once(": ").unwrap();
        assert!(more(&replay(options)).is_none(), "{options}");
    }

    #[test]
    fn a_time_limit_needs_automatic_iterations() {
        let [counted, auto] = ["--time-limit 9", "--iterations auto --time-limit 9"].map(replay);
        assert!(options(&counted).is_err());
        assert!(options(&auto).is_ok());
    }
}
