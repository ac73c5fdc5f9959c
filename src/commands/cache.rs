//! `blockrace cache`: lists, checks, removes, exports and imports cached blocks.

mod check;
mod export;
mod import;
mod list;
mod remove;

use super::{Context, Outcome, checking, rules};
use crate::{
    block::BlockId,
    cli::{CacheArgs, CacheCommand},
    output::diagnose,
    report::counted,
    session::CachedSelection,
};

pub(super) fn run(args: CacheArgs, context: &Context) -> eyre::Result<Outcome> {
    match args.command {
        CacheCommand::List(args) => list::run(args, context),
        CacheCommand::Check(args) => check::run(args, context),
        CacheCommand::Remove(args) => remove::run(args, context),
        CacheCommand::Export(args) => export::run(args, context),
        CacheCommand::Import(args) => import::run(args, context),
    }
}

/// Prints errors that were collected while a progress bar was visible.
fn print_errors(errors: &[String]) -> Outcome {
    for error in errors {
        diagnose(format_args!("error: {error}"));
    }
    if errors.is_empty() { Outcome::Verified } else { Outcome::Failed }
}

/// Prints an error for the selected blocks that are not cached.
fn report_missing(found: &CachedSelection) -> Outcome {
    let Some(first) = found.first_missing else { return Outcome::Verified };
    match found.missing {
        1 => diagnose(format_args!("error: block {first} is not cached")),
        missing => {
            diagnose(format_args!("error: {missing} blocks are not cached; the first is {first}"));
        }
    }
    Outcome::Failed
}

/// Formats the error of a block.
fn of_block(id: &BlockId, error: impl Into<eyre::Report>) -> String {
    format!("block {}: {:#}", id.number, error.into())
}

/// Formats a number of blocks: "1 block", "2 blocks".
fn blocks(count: usize) -> String {
    counted(count, "block")
}
