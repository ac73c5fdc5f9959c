//! Declares the command line: commands, flags and their values.
//!
//! Parsing reads the arguments, two environment variables of [`NodeArgs`], and those of [`ShardArg`]. It opens no file and asks no node;
//! `commands` does both.

mod blocks;
mod cache;
mod command;
mod common;
mod compare;
mod conformance;
mod executors;
mod hiding;
mod insight;
mod limit;
mod merge;
mod node;
mod number;
mod rounds;
mod rules;
mod shard;
mod shell;
mod status;
mod submit;

/// A command line that cannot be parsed, or a request for help.
pub use clap::Error as UsageError;

pub use blocks::{CachedBlocks, FilterArgs};
pub use cache::{
    CacheArgs, CacheCommand, CheckArgs, ExportArgs, ExportFormat, ImportArgs, ListArgs, RemoveArgs,
};
pub use common::{ColorArg, CommonArgs, MessageFormatArg};
pub use compare::{AspectArg, BaselineName, BaselineNameError, ByArg, CompareArgs, RunFiles};
pub use conformance::ConformanceArgs;
pub use executors::Executors;
pub use hiding::{VARIABLES, without_secrets};
pub use insight::{AnalyzeArgs, TraceArgs};
pub use limit::LimitArgs;
pub use merge::MergeArgs;
pub use node::{NodeArgs, RpcCheckArgs};
pub use number::NumberError;
pub use rounds::{RoundArgs, RoundsArg};
pub use rules::RulesArgs;
pub use shard::ShardArg;
pub use shell::{CompletionsArgs, ManArgs};
pub use status::StatusArgs;
pub use submit::{BatchSystem, SlurmArgs, SubmitArgs};

use command::command;
use executors::{built_in_baseline, built_in_executor, built_in_executors};
use number::{MOST_JOBS, MOST_THREADS, positive};

use crate::{
    block::range::BlockSpec,
    executors::{ExecutorKind, Registry},
    fetch::WitnessChoice,
    report::legend,
    session::{CheckOptions, LONG_VERSION, machine},
    units::parse_duration,
};
use clap::{Args, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

/// Maximum number of blocks that are merged into one. All of them are in memory.
const MOST_MERGED: u64 = 1_000;

/// Parses a number of blocks to merge.
fn merged(text: &str) -> Result<NonZeroUsize, NumberError> {
    number::between(text, 2, MOST_MERGED)?;
    number::positive::<_, MOST_MERGED>(text)
}

/// Parses a number of threads up to [`MOST_THREADS`].
fn parse_threads(text: &str) -> Result<NonZeroUsize, NumberError> {
    number::positive::<_, MOST_THREADS>(text)
}

/// Headings of the help.
const CHOICE: &str = "Choice of blocks";
const COMMON: &str = "Common options";
const CONTENDERS: &str = "Contenders";
const MEASUREMENT: &str = "Measurement";
const RESULTS: &str = "Results";

/// Last paragraph of `--help`.
const EXIT_CODES: &str = "Exit codes: 0 success; 1 a block does not match its header, or compare found a \
     regression; 2 invalid arguments, missing data, or an error of a node, a bucket or a file; 75 a fault of \
     the node, bucket or network that may pass; 130 interrupted by Ctrl-C; \
     143 terminated by SIGTERM";

/// Race EVM executors over real Ethereum blocks and verify every sample
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION, propagate_version = true, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// The executors of the program.
    #[arg(skip)]
    pub registry: Registry,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "a process has one value")]
pub enum Command {
    /// Fetch blocks and their witnesses from a node, prove them and store them in the cache
    Fetch(FetchArgs),
    /// Race executors over cached blocks, or over the built-in sample if the cache is empty
    Replay(ReplayArgs),
    /// Compute each block's maximum speedup and its bottlenecks
    Analyze(AnalyzeArgs),
    /// Record the threads of an executor over one block, as a timeline for Perfetto
    Trace(TraceArgs),
    /// Compare two runs of replay --json and report regressions
    Compare(CompareArgs),
    /// Merge the results of several processes, from --output folders or buckets, or replay --json files
    Merge(MergeArgs),
    /// Say which blocks, chunks and shards are done in an --output folder or bucket
    Status(StatusArgs),
    /// Submit a command to a batch system, split into shards
    Submit(SubmitArgs),
    /// Verify cached blocks, or the built-in sample, with one executor and without a benchmark
    Verify(VerifyArgs),
    /// Run Ethereum's blockchain tests with all executors
    Conformance(ConformanceArgs),
    /// List, check, remove, export and import cached blocks
    Cache(CacheArgs),
    /// Test which methods a node serves, and print the matching flags of fetch
    RpcCheck(RpcCheckArgs),
    /// Print the completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Explain the columns of the tables
    #[command(long_about = legend::COLUMNS)]
    Columns,
}

/// Arguments of `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Blocks to fetch: 19426587, 19_426_587, 19426K, 0x1286dbb, a block's hash, latest, safe, finalized, latest-10,
    /// 19426580-19426599, 19426580:+20, a comma-separated list of these, or @FILE (@- is standard input);
    /// 19426587@0xHASH refuses a block with another hash
    #[arg(value_name = "BLOCKS")]
    pub blocks: BlockSpec,
    /// The part that this process works on.
    #[command(flatten)]
    pub shard: ShardArg,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Further node that must state the same hash for each block, which confirms its header; may be repeated
    #[arg(long, value_name = "URL", env = "ETH_CONFIRM_URLS", hide_env_values = true)]
    #[arg(value_delimiter = '\n')]
    pub confirm_url: Vec<String>,
    /// The rules of the chain.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Method that fetches or proves the pre-state of each block
    #[arg(long, value_name = "METHOD", default_value = "auto")]
    pub witness: WitnessArg,
    /// Print the requests, bytes and time to expect; up to three blocks are fetched for it, and none is stored
    #[arg(long, conflicts_with = "json")]
    pub dry_run: bool,
    /// Fetch cached blocks again and replace them
    #[arg(long)]
    pub overwrite: bool,
    /// Write the results to FILE as JSON (schema: data/fetch.schema.json); - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Time limit of the execution that proves a block.
    #[command(flatten)]
    pub limit: LimitArgs,
}

/// Values of `--witness`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WitnessArg {
    /// First of the following methods that the node serves, chosen for each block
    Auto,
    /// Witness from debug_executionWitness or debug_executionWitnessByBlockHash
    ExecutionWitness,
    /// Proofs from eth_getProof for the state that debug_traceBlockByNumber lists
    Proofs,
    /// Unproved state from debug_traceBlockByNumber; such a block is verified to the receipts only
    Prestate,
}

impl From<WitnessArg> for WitnessChoice {
    fn from(argument: WitnessArg) -> Self {
        match argument {
            WitnessArg::Auto => Self::Auto,
            WitnessArg::ExecutionWitness => Self::ExecutionWitness,
            WitnessArg::Proofs => Self::Proofs,
            WitnessArg::Prestate => Self::Prestate,
        }
    }
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Blocks to race over.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// The rules of the chain.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Comma-separated executors, or "all"; the baseline always runs
    #[arg(
        long,
        value_name = "NAMES",
        default_value = "sequential,block-stm,bal",
        value_parser = built_in_executors,
        help_heading = CONTENDERS
    )]
    pub executors: Executors,
    /// Comma-separated thread counts of the parallel executors, such as 1,2,4 [default: the number of cores]
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = parse_threads,
        env = "BLOCKRACE_THREADS",
        help_heading = CONTENDERS
    )]
    pub threads: Vec<NonZeroUsize>,
    /// Executor that speedups are relative to: one that runs on one thread, such as sequential-tuned
    #[arg(
        long,
        value_name = "NAME",
        default_value = "sequential",
        value_parser = built_in_baseline,
        help_heading = CONTENDERS
    )]
    pub baseline: ExecutorKind,
    /// Options of the measurement.
    #[command(flatten)]
    pub rounds: RoundArgs,
    /// Merge N consecutive blocks into one large block, which is compared with a sequential run. Invalid transactions
    /// are counted and left out
    #[arg(long, value_name = "N", value_parser = merged, help_heading = MEASUREMENT)]
    pub merge: Option<NonZeroUsize>,
    /// Latency of the first read of each account or slot of the pre-state in each execution, such as
    /// 10us or 2ms; the system's timer adds some tens of microseconds
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "0",
        value_parser = parse_duration,
        help_heading = MEASUREMENT
    )]
    pub state_latency: Duration,
    /// Time limit. An executor that exceeds it is out for this block.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Write the results to FILE as CSV; - is standard output, for any result
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub csv: Option<PathBuf>,
    /// Write the results and every sample to FILE as JSON (schema: data/replay.schema.json)
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub json: Option<PathBuf>,
    /// Keep each finished block in the folder DIR or in a bucket (s3://, gs://, az://), as Parquet files of 1,000 blocks
    /// (see docs/formats.md); the same command continues there
    #[arg(long, value_name = "DIR|URL", conflicts_with = "merge", help_heading = RESULTS)]
    pub output: Option<PathBuf>,
    /// Save the results in the cache folder under NAME, for compare --baseline NAME; an incomplete run is not saved
    #[arg(long, value_name = "NAME", help_heading = RESULTS)]
    pub save_baseline: Option<BaselineName>,
    /// Write the results to FILE as Markdown, for a pull request
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub markdown: Option<PathBuf>,
    /// Write the results to FILE as a self-contained HTML page
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub html: Option<PathBuf>,
    /// Address of a block explorer for links on the page, such as https://etherscan.io
    #[arg(long, value_name = "URL", value_parser = explorer, help_heading = RESULTS)]
    pub explorer: Option<String>,
    /// Write a chart of the speedup of each executor to FILE as SVG, for a README
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub svg: Option<PathBuf>,
    /// Stop at the first block that fails or does not match its header
    #[arg(long, help_heading = MEASUREMENT)]
    pub fail_fast: bool,
}

/// The text is no address of a page.
#[derive(Debug, thiserror::Error)]
#[error("write an address that begins with https:// or http://")]
struct ExplorerError;

/// Parses the address of an explorer. A script in place of an address would run when a reader follows the link.
fn explorer(text: &str) -> Result<String, ExplorerError> {
    let is_page = text.starts_with("https://") || text.starts_with("http://");
    is_page.then(|| text.trim_end_matches('/').to_owned()).ok_or(ExplorerError)
}

/// Parallelism and time limit of a check.
#[derive(Clone, Copy, Debug, Args)]
pub struct SideBySide {
    /// Number of blocks to check in parallel, each on one thread [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize, MOST_JOBS>)]
    pub jobs: Option<NonZeroUsize>,
    /// Time limit.
    #[command(flatten)]
    pub limit: LimitArgs,
}

impl SideBySide {
    /// The settings of a check with this executor.
    pub fn options(self, executor: ExecutorKind) -> CheckOptions {
        let jobs = self.jobs.unwrap_or_else(machine::cores);
        let execution_limit = self.limit.time().into();
        CheckOptions { executor, jobs, execution_limit, counts_unneeded: false }
    }
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Blocks to verify.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// The rules of the chain.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Executor that executes the blocks
    #[arg(long, value_name = "NAME", default_value = "sequential", value_parser = built_in_executor)]
    pub executor: ExecutorKind,
    /// Parallelism and time limit.
    #[command(flatten)]
    pub side_by_side: SideBySide,
    /// Keep each finished block in the folder DIR or in a bucket (s3://, gs://, az://), as Parquet files of 1,000 blocks
    /// (see docs/formats.md); the same command continues there
    #[arg(long, value_name = "DIR|URL")]
    pub output: Option<PathBuf>,
    /// Write the verdicts to FILE as JSON (schema: data/verify.schema.json); - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Parses the command line of this process, with the executors of `registry` to choose from.
///
/// # Errors
/// The usage error, or the help text that was asked for.
pub fn parse(registry: &Registry) -> Result<Cli, clap::Error> {
    let cli = Cli::from_arg_matches(&command(registry).try_get_matches()?)?;
    Ok(Cli { registry: registry.clone(), ..cli })
}

/// Parses a command line that is not that of this process. The first word is the name of the program.
///
/// # Errors
/// The usage error, or the help text that was asked for.
pub fn parse_words(registry: &Registry, words: &[String]) -> Result<Cli, clap::Error> {
    let cli = Cli::from_arg_matches(&command(registry).try_get_matches_from(words)?)?;
    Ok(Cli { registry: registry.clone(), ..cli })
}
