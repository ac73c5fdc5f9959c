//! Declares the arguments of `status`.

use super::number::positive;
use clap::Args;
use std::{num::NonZeroU64, path::PathBuf};

/// Maximum number of shards, each of which is listed.
const MOST_SHARDS: u64 = 100_000;

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Folder or bucket of --output
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Number of parts of --shard; names those that lack blocks
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroU64, MOST_SHARDS>)]
    pub shards: Option<NonZeroU64>,
    /// Write the state to FILE as JSON (schema: data/status.schema.json); - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
