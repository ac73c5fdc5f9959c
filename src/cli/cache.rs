//! What can be done with the cache.

use super::{CachedBlocks, SideBySide};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `cache`.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// The commands of `cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// List cached blocks, with what is in them and their sizes
    List(CachedBlocks),
    /// Prove, execute and check cached blocks again, up to the state root
    Check(CheckArgs),
    /// Remove blocks, and what killed writers left behind
    Remove(RemoveArgs),
    /// Write cached blocks to one archive
    Export(ExportArgs),
    /// Take blocks from an archive, each proved before it enters the cache
    Import(ImportArgs),
}

/// Arguments of `cache check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which blocks.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// How blocks are worked on.
    #[command(flatten)]
    pub side_by_side: SideBySide,
}

/// Arguments of `cache remove`.
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false, args = ["blocks", "all", "leftovers"])]
pub struct RemoveArgs {
    /// Which blocks.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// Every cached block; of one chain, if --chain is given
    #[arg(long)]
    pub all: bool,
    /// No block, only temporary files of writers that were killed
    #[arg(long)]
    pub leftovers: bool,
}

/// Arguments of `cache export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which blocks.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// The archive, a tar file; what is there is replaced once the new one is complete
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Arguments of `cache import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// An archive that `cache export` wrote
    #[arg(value_name = "FILE")]
    pub archive: PathBuf,
}
