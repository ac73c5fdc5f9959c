//! The command line, as typed. Values only: nothing here looks at the world.

mod cache;
mod compare;
mod conformance;
mod hiding;
mod insight;
mod node;
mod rounds;

pub use cache::{CacheArgs, CacheCommand, CheckArgs, ExportArgs, ImportArgs, RemoveArgs};
pub use compare::{AspectArg, ByArg, CompareArgs, RunFiles};
pub use conformance::ConformanceArgs;
pub use hiding::without_urls;
pub use insight::{AnalyzeArgs, TraceArgs};
pub use node::{NodeArgs, RpcCheckArgs};
pub use rounds::{RoundArgs, RoundsArg};

use crate::{
    block::range::BlockSpec, executor::ExecutorKind, fetch::WitnessChoice, units::parse_duration,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

/// The most threads that a pool is made of: several times what any machine runs at once.
const MOST_THREADS: usize = 1_024;

/// A number of threads that a machine can be asked for.
fn parse_threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse::<NonZeroUsize>().map_err(|error| error.to_string())?;
    let most = || format!("{MOST_THREADS} at most: more only take turns");
    Some(threads).filter(|threads| threads.get() <= MOST_THREADS).ok_or_else(most)
}

/// What `--help` says at the end.
const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 a block does not match its header, or \
     compare found a regression; 2 bad arguments, missing data, a node or a file that failed; 130 interrupted by Ctrl-C";

/// Race EVM executors over real Ethereum blocks, and check every lap.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What all commands take.
    #[command(flatten)]
    pub common: CommonArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Where blocks are kept [default: blockrace in the user's cache folder]
    #[arg(long, value_name = "DIR", global = true)]
    pub cache_dir: Option<PathBuf>,
    /// Show no progress and no table of blocks, only what sums them up
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more, such as one line for each block that is done
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Colour in what is printed; auto honours NO_COLOR
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: ColorArg,
}

/// What may follow `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// At a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch blocks and their witnesses from a node, prove them, and keep them in the cache
    Fetch(FetchArgs),
    /// Race executors over cached blocks, or the built-in sample where there are none
    Replay(ReplayArgs),
    /// Say what blocks allow: bounds of the speedup, and what stands in the way
    Analyze(AnalyzeArgs),
    /// Write what every thread of an executor does with one block, as a timeline for Perfetto
    Trace(TraceArgs),
    /// Tell what became slower or faster between two runs of replay --json
    Compare(CompareArgs),
    /// Check cached blocks, or the built-in sample, with one executor and without timing
    Verify(VerifyArgs),
    /// Run Ethereum's blockchain tests with all executors
    Conformance(ConformanceArgs),
    /// List, check, remove and carry cached blocks
    Cache(CacheArgs),
    /// Find out what a node can serve, and by which flags blocks are fetched from it
    RpcCheck(RpcCheckArgs),
}

/// Which blocks, of those that are cached.
#[derive(Debug, Args)]
pub struct CachedBlocks {
    /// 19426587, 19426580-19426599, 19426580:+20, latest, latest-10, comma lists, or @FILE;
    /// every cached block if absent
    #[arg(value_name = "BLOCKS")]
    pub blocks: Option<BlockSpec>,
    /// Only blocks of the chain with this id; needed where several chains are cached and share a
    /// block number
    #[arg(long, value_name = "ID")]
    pub chain: Option<u64>,
}

/// Arguments of `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// 19426587, 19426580-19426599, 19426580:+20, latest, latest-10, comma lists, or @FILE
    #[arg(value_name = "BLOCKS")]
    pub blocks: BlockSpec,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How the node is to tell or prove the state before a block
    #[arg(long, value_name = "METHOD", default_value = "auto")]
    pub witness: WitnessArg,
    /// Fetch again what is cached already
    #[arg(long)]
    pub overwrite: bool,
}

/// What may follow `--witness`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WitnessArg {
    /// For each block the first of the others that the node has
    Auto,
    /// By debug_executionWitness or debug_executionWitnessByBlockHash
    ExecutionWitness,
    /// By eth_getProof of all that debug_traceBlockByNumber says the block touches
    Proofs,
    /// By debug_traceBlockByNumber alone, which proves nothing: such a block is checked to the receipts
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
    /// Which blocks.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// Executors to race, with commas between, or "all"; the baseline, sequential, always runs
    #[arg(long, value_name = "NAMES", default_value = "all")]
    pub executors: Executors,
    /// Numbers of threads for the parallel executors, with commas between
    /// [default: 1, 2, 4 ... up to the number of cores]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_threads)]
    pub threads: Vec<NonZeroUsize>,
    /// How often, and under which conditions.
    #[command(flatten)]
    pub rounds: RoundArgs,
    /// How long the first read of an account or slot of the pre-state takes in each execution, such as
    /// 10us or 100us; the system's timer adds some tens of microseconds
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = parse_duration)]
    pub state_latency: Duration,
    /// Also write the results to this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Also write the results and every sample to this file, as JSON (data/replay.schema.json)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also write the results to this file, as Markdown for a pull request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Also write the results to this file, as one HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also draw the speedup of each executor in this file, as SVG, for a README
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Also write every timed lap to this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub samples: Option<PathBuf>,
    /// Stop at the first block that cannot be run or does not match
    #[arg(long)]
    pub fail_fast: bool,
}

/// How many blocks are checked at a time, and how patiently.
#[derive(Clone, Copy, Debug, Args)]
pub struct SideBySide {
    /// Blocks that are worked on side by side, each on one thread [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// How long a block may take before it is left behind
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub time_limit: NonZeroU64,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Which blocks.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// The executor to check
    #[arg(long, value_name = "NAME", default_value = "sequential")]
    pub executor: ExecutorKind,
    /// How blocks are worked on.
    #[command(flatten)]
    pub side_by_side: SideBySide,
}

/// A list of executors, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executors(pub Vec<ExecutorKind>);

impl std::str::FromStr for Executors {
    type Err = crate::executor::UnknownExecutor;

    fn from_str(names: &str) -> Result<Self, Self::Err> {
        if names == "all" {
            return Ok(Self(ExecutorKind::ALL.to_vec()));
        }
        names.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn executors_are_a_list_or_all() {
        assert_eq!("all".parse(), Ok(Executors(ExecutorKind::ALL.to_vec())));
        let both = Executors(vec![ExecutorKind::Sequential, ExecutorKind::BlockStm]);
        assert_eq!("sequential,block-stm".parse(), Ok(both));
        assert!("sequential,,".parse::<Executors>().is_err());
    }
}
