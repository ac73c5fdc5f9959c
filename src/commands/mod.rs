//! One file per subcommand: the only place that knows all the other modules.
//!
//! A command reads what the user gave, calls the library, and prints. The result goes to standard
//! output; progress, warnings and errors go to standard error. What is computed, and whether it is
//! right, is the library's business.

mod analyze;
mod cache;
mod cached;
mod caught;
mod checking;
mod compare;
mod conditions;
mod conformance;
mod fetch;
mod files;
mod interrupt;
mod machine;
mod node;
mod outcome;
mod prove;
mod replay;
mod rows;
mod rpc_check;
mod trace;
mod verify;
mod watching;

pub use outcome::Outcome;

use crate::{
    cache::Cache,
    cli::{Cli, ColorArg, Command, CommonArgs},
    progress::Chatter,
    report::Detail,
};
use anstream::{AutoStream, ColorChoice};
use eyre::OptionExt;
use std::io::{self, StdoutLock};

/// Does what the command line says.
///
/// # Errors
/// If nothing can be done at all; what fails for one block of several is printed and part of the
/// outcome.
pub fn run(cli: Cli) -> eyre::Result<Outcome> {
    let context = Context::new(&cli.common)?;
    match cli.command {
        Command::Fetch(args) => fetch::run(args, &context),
        Command::Replay(args) => replay::run(args, &context),
        Command::Analyze(args) => analyze::run(args, &context),
        Command::Trace(args) => trace::run(args, &context),
        Command::Compare(args) => compare::run(args, &context),
        Command::Verify(args) => verify::run(args, &context),
        Command::Conformance(args) => conformance::run(args, &context),
        Command::Cache(args) => cache::run(args, &context),
        Command::RpcCheck(args) => rpc_check::run(args),
    }
}

/// What every command needs.
#[derive(Debug)]
struct Context {
    cache: Cache,
    /// Where the cache is, for messages.
    cache_dir: std::path::PathBuf,
    chatter: Chatter,
    color: ColorChoice,
}

impl Context {
    /// How much results say.
    const fn detail(&self) -> Detail {
        match self.chatter {
            Chatter::Quiet => Detail::Totals,
            Chatter::Normal | Chatter::Verbose => Detail::Blocks,
        }
    }

    /// Standard output, which drops colours where they are not wanted.
    fn stdout(&self) -> AutoStream<StdoutLock<'static>> {
        AutoStream::new(io::stdout().lock(), self.color)
    }

    fn new(common: &CommonArgs) -> eyre::Result<Self> {
        let default = || dirs::cache_dir().map(|dir| dir.join("blockrace"));
        let cache_dir =
            common.cache_dir.clone().or_else(default).ok_or_eyre(
                "the user has no cache folder; say where blocks are with --cache-dir",
            )?;
        let chatter = match (common.quiet, common.verbose) {
            (true, _) => Chatter::Quiet,
            (false, true) => Chatter::Verbose,
            (false, false) => Chatter::Normal,
        };
        let color = match common.color {
            ColorArg::Auto => ColorChoice::Auto,
            ColorArg::Always => ColorChoice::Always,
            ColorArg::Never => ColorChoice::Never,
        };
        Ok(Self { cache: Cache::new(&cache_dir), cache_dir, chatter, color })
    }
}
