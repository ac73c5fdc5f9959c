//! Declares the arguments of `analyze` and `trace`.

use super::{
    CachedBlocks, LimitArgs, RulesArgs, built_in_executor,
    number::{MOST_ITERATIONS, positive, whole},
    parse_threads,
};
use crate::{block::range::BlockSpec, executors::ExecutorKind};
use clap::Args;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

/// Arguments of `analyze`.
#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Blocks to analyse.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// The rules of the chain.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Comma-separated thread counts for the bounds
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,4,8,16,32,64", value_parser = parse_threads)]
    pub threads: Vec<NonZeroUsize>,
    /// Number of sequential runs; the shortest time of each transaction counts
    #[arg(long, value_name = "N", default_value = "10", value_parser = positive::<NonZeroU32, MOST_ITERATIONS>)]
    pub iterations: NonZeroU32,
    /// Time limit.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Keep each finished block in the folder DIR or in a bucket (s3://, gs://, az://), as Parquet files of 1,000 blocks
    /// (see docs/formats.md); the same command continues there
    #[arg(long, value_name = "DIR|URL")]
    pub output: Option<PathBuf>,
    /// Write the results to FILE as CSV; - is standard output, for any result
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the results to FILE as JSON, with more detail about conflicts
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the results to FILE as a self-contained HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Block to trace: its number or hash, latest, or one of the built-in sample, such as sample:10
    #[arg(value_name = "BLOCK")]
    pub block: BlockSpec,
    /// Chain id of the block; required if the cache has blocks of several chains with this number
    #[arg(long, value_name = "ID", value_parser = whole)]
    pub chain: Option<u64>,
    /// The rules of the chain.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Executor to profile
    #[arg(long, value_name = "NAME", default_value = "block-stm", value_parser = built_in_executor)]
    pub executor: ExecutorKind,
    /// Number of threads of the executor [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub threads: Option<NonZeroUsize>,
    /// Time limit.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// File for the timeline, to be opened in Perfetto (ui.perfetto.dev); - is standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Write the summary to FILE as JSON (schema: data/trace.schema.json); - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
