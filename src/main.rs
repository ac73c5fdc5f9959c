//! Entry point of the `blockrace` command. It parses the arguments, runs the command and returns the exit code.

use blockrace::{cli, commands};
use clap::Parser;
use std::{
    env,
    process::{self, ExitCode},
};

/// All executors share one allocator. The report names it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let typed = cli::Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    match commands::run(typed) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            commands::Outcome::Failed.into()
        }
    }
}

/// Prints the parse error or the requested help, and exits. URLs in the error are hidden.
fn refuse(error: &clap::Error) -> ! {
    let words: Vec<_> = env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    match cli::without_urls(&error.to_string(), &words) {
        Some(said) if error.use_stderr() => eprint!("{said}"),
        _ => error.exit(),
    }
    process::exit(error.exit_code())
}
