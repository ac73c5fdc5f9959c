//! Runs the subcommands, one file each.
//!
//! A command reads its arguments, calls the library and prints. The result goes to standard output. Progress,
//! warnings and errors go to standard error. Correctness lives in the library: `verify` compares a block with its
//! header, and `block` proves the pre-state.
//!
//! `session` combines the modules to fetch, race, check and analyse blocks.

mod analyze;
mod baseline;
mod cache;
mod checking;
mod compare;
mod conformance;
mod fetch;
mod files;
mod interrupt;
mod kept;
mod merge;
mod node;
mod outcome;
mod replay;
mod rpc_check;
mod rules;
mod shell;
mod status;
mod submit;
mod trace;
mod verify;

pub use outcome::{EndSignal, Outcome};

use crate::{
    cache::{Cache, CopySettings, Location},
    cli::{Cli, ColorArg, Command, CommonArgs, RulesArgs},
    output::{self, Output, Stream, diagnose},
    progress::Chatter,
    report::{Detail, Layout, legend},
    session::{self, BlockQuery, Selection},
};
use anstream::ColorChoice;
use eyre::{OptionExt, WrapErr as _};

/// Runs the command.
///
/// # Errors
/// If the command fails as a whole. An error of one block is printed and becomes part of the outcome.
pub fn run(cli: Cli) -> eyre::Result<Outcome> {
    output::set_message_format(cli.common.message_format.into());
    let context = Context::new(&cli.common)?;
    let registry = cli.registry;
    let keeps_results = matches!(
        cli.command,
        Command::Fetch(_) | Command::Replay(_) | Command::Analyze(_) | Command::Verify(_)
    );
    if !keeps_results {
        interrupt::end_at_signal().wrap_err("cannot watch for signals")?;
    }
    match cli.command {
        Command::Fetch(args) => fetch::run(args, &context),
        Command::Replay(args) => replay::run(args, &context),
        Command::Analyze(args) => analyze::run(args, &context),
        Command::Trace(args) => trace::run(args, &context),
        Command::Compare(args) => compare::run(args, &context),
        Command::Merge(args) => merge::run(args, &context),
        Command::Status(args) => status::run(args, &context),
        Command::Submit(args) => submit::run(args, &registry, &context),
        Command::Verify(args) => verify::run(args, &context),
        Command::Conformance(args) => conformance::run(args, &context),
        Command::Cache(args) => cache::run(args, &context),
        Command::RpcCheck(args) => rpc_check::run(args),
        Command::Completions(args) => shell::completions(&args, &registry),
        Command::Man(args) => shell::man(&args, &registry),
        Command::Columns => {
            output::print_text(legend::COLUMNS)?;
            Ok(Outcome::Verified)
        }
    }
}

/// Folder of the local copies of buckets, in the folder of the default cache. No chain has this name.
const COPIES: &str = "copies";

/// The cache and the output settings of a command.
#[derive(Debug)]
struct Context {
    cache: Cache,
    /// Folder of the cache or URL of its bucket, for messages.
    cache_dir: std::path::PathBuf,
    /// Whether the user has named the cache. Then an empty one is an error.
    is_cache_named: bool,
    chatter: Chatter,
    color: ColorChoice,
}

impl Context {
    /// Amount of detail in the printed result.
    const fn detail(&self) -> Detail {
        match self.chatter {
            Chatter::Quiet => Detail::Totals,
            Chatter::Normal => Detail::Blocks,
            Chatter::Verbose => Detail::Full,
        }
    }

    /// Detail and width of the printed result.
    fn layout(&self) -> Layout {
        Layout { detail: self.detail(), width: output::width() }
    }

    /// A writer for a table, with or without colours.
    fn table(&self, stream: Stream) -> Output {
        stream.text(self.color)
    }

    fn new(common: &CommonArgs) -> eyre::Result<Self> {
        let default = dirs::cache_dir().map(|dir| dir.join("blockrace"));
        let location = match &common.cache_dir {
            Some(named) => Location::parse(named)?,
            None => Location::Folder(
                default
                    .clone()
                    .ok_or_eyre("the user has no cache folder; set the folder with --cache-dir")?,
            ),
        };
        let copy = match default {
            Some(folder) => {
                CopySettings { folder: folder.join(COPIES), limit: common.cache_copy_limit.bytes() }
            }
            None => CopySettings::none(),
        };
        let cache = Cache::open(location, copy)?;
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
        let is_cache_named = common.cache_dir.is_some();
        Ok(Self { cache_dir: cache.root().to_owned(), cache, is_cache_named, chatter, color })
    }
}

/// Selects the blocks of a command, under the rules of `--chain-config` if it is set. Prints a notice on standard error if they are the built-in sample.
///
/// # Errors
/// As [`session::select`], if the rules cannot be used, and if the user has named a cache folder without blocks.
fn select(
    query: impl Into<BlockQuery>,
    rules: &RulesArgs,
    context: &Context,
) -> eyre::Result<Selection> {
    let query = BlockQuery { chain_config: rules.chain_config.clone(), ..query.into() };
    let mut selection = session::select(query, &context.cache)?;
    if selection.is_sample && context.is_cache_named {
        return Err(session::nothing_cached(selection.query.chain, &context.cache));
    }
    if selection.is_sample {
        let dir = context.cache_dir.display();
        diagnose(format_args!("no blocks are cached in {dir}; using the {}", selection.named));
        diagnose("fetch real blocks with: blockrace fetch BLOCKS --rpc-url URL");
    }
    selection.blocks = rules::replace(selection.blocks, rules)?;
    Ok(selection)
}
