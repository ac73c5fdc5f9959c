//! The `blockrace` command: parse, run, exit code.

use blockrace::{cli::Cli, commands};
use clap::Parser;
use std::{
    env,
    process::{self, ExitCode},
};

/// One allocator for all executors; the report names it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(typed()) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            commands::Outcome::Failed.into()
        }
    }
}

/// What was typed. If it makes no sense, says so and ends the program.
fn typed() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        let words = env::args_os().map(|word| word.to_string_lossy().into_owned());
        let urls: Vec<_> = words.filter_map(|word| url(&word).map(str::to_owned)).collect();
        // Help and version hold nothing of what was typed.
        if urls.is_empty() || !error.use_stderr() {
            error.exit();
        }
        // A URL in the wrong place may hold a key like any other.
        let hide = |text: String, url: &String| text.replace(url, "(a URL, not shown)");
        eprint!("{}", urls.iter().fold(error.to_string(), hide));
        process::exit(error.exit_code())
    })
}

/// The URL that a word ends with, if it does.
fn url(word: &str) -> Option<&str> {
    let end = word.find("://")?;
    let is_of_scheme = |char: char| char.is_ascii_alphanumeric() || "+-.".contains(char);
    let start = word[..end].rfind(|char| !is_of_scheme(char)).map_or(0, |before| before + 1);
    word.get(start..)
}
