//! The `blockrace` command: parse, run, exit code.

use blockrace::{cli::Cli, commands};
use std::process::ExitCode;

/// One allocator for all executors; the report names it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(Cli::from_arguments()) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            commands::Outcome::Failed.into()
        }
    }
}
