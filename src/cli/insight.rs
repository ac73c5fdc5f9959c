//! The commands that explain: values only.

use super::{CachedBlocks, parse_threads};
use crate::{block::range::BlockSpec, executor::ExecutorKind};
use clap::Args;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

/// Arguments of `analyze`.
#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Which blocks.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// Numbers of threads to find bounds for, with commas between
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,4,8,16,32,64", value_parser = parse_threads)]
    pub threads: Vec<NonZeroUsize>,
    /// Sequential runs that transactions are timed in; the shortest time of each counts
    #[arg(long, value_name = "N", default_value = "10")]
    pub iterations: NonZeroU32,
    /// Also write the results to this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Also write the results to this file, as JSON, with more about conflicts
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also write the results to this file, as one HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// The block
    #[arg(value_name = "BLOCK")]
    pub block: BlockSpec,
    /// The id of its chain; needed where several chains are cached and share its number
    #[arg(long, value_name = "ID")]
    pub chain: Option<u64>,
    /// The executor to watch
    #[arg(long, value_name = "NAME", default_value = "block-stm")]
    pub executor: ExecutorKind,
    /// Its number of threads [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub threads: Option<NonZeroUsize>,
    /// Where to write the timeline, for Perfetto (ui.perfetto.dev)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}
