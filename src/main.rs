//! The `blockrace` command: parse, run, exit code.

use blockrace::{cli, commands};
use clap::Parser;
use std::{
    env,
    process::{self, ExitCode},
};

/// One allocator for all executors; the report names it.
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

/// Says why what was typed makes no sense, or the help that it asks for, and ends the program.
fn refuse(error: &clap::Error) -> ! {
    let words: Vec<_> = env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    match cli::without_urls(&error.to_string(), &words) {
        Some(said) if error.use_stderr() => eprint!("{said}"),
        _ => error.exit(),
    }
    process::exit(error.exit_code())
}
