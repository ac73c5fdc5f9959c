//! blockrace races EVM executors over real Ethereum blocks and verifies every sample.
//!
//! It answers two questions about a block. How much faster can the block be executed? Is the result
//! correct? The rest of this page follows a block from a node to a speedup.
//!
//! [`fetch`] downloads the block and the witness that proves its pre-state. The node is not trusted: a
//! block is executed once and compared with its header before [`cache`] stores it. A cached file is not
//! trusted either. [`block`] proves it and returns a [`block::ReplayJob`]. The block's hash certifies the
//! header, and the header certifies the body and the parent. The parent's state root certifies every
//! account and slot, through the partial tries of [`trie`]. The proved values are flattened into hash
//! maps ([`state`]), so that executors do not pay for proofs. A block without a witness has a flat
//! pre-state that nothing proves. Such a block is verified to the receipts only.
//!
//! [`executors`] has the executors, behind the trait of [`execution`]. All of them run the same EVM over the
//! same flat state, on the threads of [`threads`], and return the same type of outcome. [`evm`] wraps revm and alloy-evm, which also implement the
//! protocol's rules. The baseline is alloy-evm's own block executor.
//!
//! [`measure`] takes the samples. It runs all contenders in each iteration, in shuffled order, on warm
//! thread pools. One function contains the timer. It computes medians and bootstrap intervals from the
//! samples, and warns about disturbances.
//!
//! [`verify`] checks the outcome of each sample. Gas, bloom, receipts, requests and state root must match
//! the header. A contender with one wrong outcome has no times.
//!
//! [`report`] writes the results as a table, an HTML page, Markdown, CSV or JSON. It also compares two
//! runs.
//!
//! [`insight`] analyses the block itself: the dependencies of its transactions, the bound of the speedup
//! and the bottlenecks.
//!
//! Ethereum's blockchain tests run in [`conformance`], with the same executors and checks.
//!
//! [`session`] combines these modules: it fetches, races, checks and analyses blocks, by calls that return values.
//! [`commands`] calls it for the command line of [`cli`]; [`progress`] shows a progress bar.
//! A module depends only on the modules below it. `tests/it/architecture.rs` reads the sources and enforces
//! this rule. It also restricts which module may use which crate.

pub mod commands;

pub mod cli;
pub mod output;
pub mod progress;

pub mod session;

pub mod report;

pub mod measure;

pub mod insight;

pub mod conformance;

pub mod verify;

pub mod execution;
pub mod executors;
pub mod threads;

pub mod block;

pub mod evm;
pub mod trie;

pub mod input;
pub mod state;

pub mod fetch;

pub mod cache;

pub mod secrets;
pub mod text;
pub mod units;

use executors::{ExecutorFactory, Registry};
use std::{env, fmt, process::ExitCode};

/// One allocator for all executors; reports name it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the whole command line of this process, with these executors beside the built-in ones.
///
/// `blockrace::run([])` is the `blockrace` command itself. A program with executors of its own calls this
/// from `main`:
///
/// ```no_run
/// # use blockrace::executors::ExecutorFactory;
/// # fn mine() -> Box<dyn ExecutorFactory> { unimplemented!() }
/// fn main() -> std::process::ExitCode {
///     blockrace::run([mine()])
/// }
/// ```
pub fn run(executors: impl IntoIterator<Item = Box<dyn ExecutorFactory>>) -> ExitCode {
    match Registry::default().with(executors) {
        Ok(registry) => run_with(&registry),
        Err(error) => failed(error),
    }
}

fn run_with(registry: &Registry) -> ExitCode {
    let result = match cli::parse(registry) {
        Ok(typed) => commands::run(typed),
        Err(error) => return refuse(&error),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            let outcome = commands::Outcome::of(&error);
            let said = format!("error: {error:#}");
            output::diagnose(hidden(&said).unwrap_or(said));
            outcome.into()
        }
    }
}

fn failed(message: impl fmt::Display) -> ExitCode {
    output::diagnose(format_args!("error: {message}"));
    commands::Outcome::Failed.into()
}

/// Prints a usage error without secrets, or the help text that was asked for.
fn refuse(error: &cli::UsageError) -> ExitCode {
    match hidden(&error.to_string()).or_else(|| escaped(&error.to_string())) {
        Some(said) if error.use_stderr() => output::diagnose(said.trim_end()),
        // Without standard error, the exit code still reports the usage error.
        _ if error.use_stderr() => drop(error.print()),
        _ => {
            if let Err(error) = output::complete(error.print()) {
                return failed(format_args!("{:#}", eyre::Report::from(error)));
            }
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(u8::MAX))
}

/// The message with escapes in place of characters that act on a terminal; `None` if it has none. The message quotes
/// the command line.
fn escaped(message: &str) -> Option<String> {
    let lines = message.lines().map(|line| text::one_line(line).to_string());
    let safe = lines.collect::<Vec<_>>().join("\n");
    (safe != message.trim_end_matches('\n')).then_some(safe)
}

/// The message without secrets of the command line and the environment; `None` if it has none.
fn hidden(message: &str) -> Option<String> {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    let words: Vec<_> = env::args_os().skip(1).map(text).collect();
    let settings = cli::VARIABLES.iter().filter_map(env::var_os).map(text);
    let settings: Vec<_> =
        settings.flat_map(|value| value.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    cli::without_secrets(message, &words, &settings)
}
