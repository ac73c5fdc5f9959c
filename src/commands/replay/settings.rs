//! Converts the arguments to a plan, and to the settings of a report.

use super::machine;
use crate::{
    cli::{ReplayArgs, RoundsArg},
    commands::cached::{joined, named},
    executors::ExecutorKind,
    measure::{Iterations, Plan, Readiness, Rounds, SelfCheck, Warmup},
    report::{KnownBeforehand, Settings, setting::Amount},
    threads::Pinning,
};
use eyre::ensure;
use std::num::{NonZeroU32, NonZeroUsize};

/// The thread counts of `--threads`. Without the flag: powers of two below the number of cores, then the number of
/// cores.
pub(super) fn threads(args: &ReplayArgs) -> Vec<NonZeroUsize> {
    if !args.threads.is_empty() {
        return args.threads.clone();
    }
    let cores = machine::cores();
    let doubled = |threads: &NonZeroUsize| threads.checked_mul(NonZeroUsize::MIN.saturating_add(1));
    let mut threads: Vec<_> = std::iter::successors(Some(NonZeroUsize::MIN), doubled)
        .take_while(|threads| *threads < cores)
        .collect();
    threads.push(cores);
    threads
}

/// Builds the measurement plan, the same for every block.
///
/// # Errors
/// If a time limit is set for a fixed number of iterations.
pub(super) fn plan(args: &ReplayArgs, threads: &[NonZeroUsize]) -> eyre::Result<Plan> {
    let asked = &args.rounds;
    let is_auto = asked.iterations == RoundsArg::Auto;
    ensure!(is_auto || asked.time_limit.is_none(), "--time-limit requires --iterations auto");
    let rounds = Rounds {
        warmup: match asked.warmup {
            RoundsArg::Rounds(rounds) => Warmup::Rounds(rounds),
            RoundsArg::Auto => Warmup::UntilSteady,
        },
        iterations: match asked.iterations {
            RoundsArg::Rounds(rounds) => {
                Iterations::Rounds(NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN))
            }
            RoundsArg::Auto => Iterations::UntilPrecise { limit: asked.limit() },
        },
        self_check: match asked.self_check {
            true => SelfCheck::On { cores: machine::cores() },
            false => SelfCheck::Off,
        },
        pinning: if asked.pin { Pinning::Pinned } else { Pinning::Free },
        readiness: if asked.asleep { Readiness::Asleep } else { Readiness::Awake },
        seed: asked.seed,
    };
    Ok(Plan::new(&args.executors.0, threads, rounds))
}

/// Builds the settings of a report. The caller fills in the blocks.
pub(super) fn settings(args: &ReplayArgs, threads: &[NonZeroUsize]) -> Settings {
    let asked = &args.rounds;
    Settings {
        executors: args.executors.0.iter().map(ToString::to_string).collect(),
        threads: threads.to_vec(),
        iterations: amount(asked.iterations),
        warmup: amount(asked.warmup),
        time_limit_s: (asked.iterations == RoundsArg::Auto).then(|| asked.limit().as_secs()),
        self_check: asked.self_check,
        pinned: asked.pin,
        asleep: asked.asleep,
        seed: asked.seed,
        state_latency: args.state_latency,
        known_beforehand: known_beforehand(&args.executors.0),
        blocks: String::new(),
        command: command(args, threads),
    }
}

fn known_beforehand(executors: &[ExecutorKind]) -> Vec<KnownBeforehand> {
    let known = |kind: &ExecutorKind| {
        let what = kind.oracle_knowledge()?.to_owned();
        Some(KnownBeforehand { executor: kind.to_string(), what })
    };
    executors.iter().filter_map(known).collect()
}

const fn amount(rounds: RoundsArg) -> Amount {
    match rounds {
        RoundsArg::Rounds(rounds) => Amount::Rounds(rounds),
        RoundsArg::Auto => Amount::Auto,
    }
}

/// The command line, with only those settings that affect the results. It has no paths of result files.
fn command(args: &ReplayArgs, threads: &[NonZeroUsize]) -> String {
    let asked = &args.rounds;
    let mut words = vec!["blockrace replay".to_owned()];
    words.extend(named(&args.blocks));
    words.push(format!("--executors {}", joined(&args.executors.0)));
    words.push(format!("--threads {}", joined(threads)));
    words.push(format!("--iterations {}", amount(asked.iterations)));
    if asked.iterations == RoundsArg::Auto {
        words.push(format!("--time-limit {}", asked.limit().as_secs()));
    }
    words.push(format!("--warmup {}", amount(asked.warmup)));
    words.push(format!("--seed {}", asked.seed));
    let latency = args.state_latency;
    words.extend((!latency.is_zero()).then(|| format!("--state-latency {}ns", latency.as_nanos())));
    words.extend(asked.self_check.then(|| "--self-check".to_owned()));
    words.extend(asked.pin.then(|| "--pin".to_owned()));
    words.extend(asked.asleep.then(|| "--asleep".to_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn replay(arguments: &str) -> ReplayArgs {
        let words = ["blockrace", "replay"].into_iter().chain(arguments.split_whitespace());
        match Cli::try_parse_from(words).unwrap().command {
            Command::Replay(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_reported_command_reproduces_the_settings() {
        for arguments in [
            "",
            "5,7-9 --chain 1 --executors block-stm --threads 1,4 --iterations auto --time-limit 9",
            "@list.txt --warmup 3 --seed 7 --self-check --pin --asleep --state-latency 20us",
        ] {
            let args = replay(arguments);
            let first = settings(&args, &threads(&args));
            let again = first.command.strip_prefix("blockrace replay").unwrap();
            let args = replay(again);
            assert_eq!(settings(&args, &threads(&args)), first, "{again}");
        }
    }

    #[test]
    fn a_time_limit_needs_automatic_iterations() {
        let [counted, auto] = ["--time-limit 9", "--iterations auto --time-limit 9"].map(replay);
        assert!(plan(&counted, &threads(&counted)).is_err());
        assert!(plan(&auto, &threads(&auto)).is_ok());
    }

    #[test]
    fn default_threads_are_ascending_and_end_with_the_number_of_cores() {
        let threads = threads(&replay(""));
        assert_eq!(threads[0].get(), 1);
        assert_eq!(threads.last(), Some(&machine::cores()));
        assert!(threads.is_sorted());
    }
}
