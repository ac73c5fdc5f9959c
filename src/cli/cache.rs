//! Declares the subcommands of `cache` and their arguments.

use super::{CachedBlocks, LimitArgs, RulesArgs, SideBySide};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Arguments of `cache`.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// The commands of `cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// List cached blocks with their contents and sizes
    List(ListArgs),
    /// Prove, execute and verify cached blocks again, to the state root
    Check(CheckArgs),
    /// Remove cached blocks, and temporary files of killed processes
    Remove(RemoveArgs),
    /// Write cached blocks to one archive, or as blockchain tests with witnesses
    Export(ExportArgs),
    /// Import blocks from an archive or from blockchain tests with witnesses; each is proved before it is stored
    Import(ImportArgs),
}

/// Arguments of `cache list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Blocks to list.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// Write the list to FILE as JSON (schema: data/cache-list.schema.json); - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print one line NUMBER@HASH for each block instead of the table: a list of blocks that holds their hashes
    #[arg(long, conflicts_with = "json")]
    pub hashes: bool,
}

/// Arguments of `cache check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Blocks to check.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// The rules of the chain.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Parallelism and time limit.
    #[command(flatten)]
    pub side_by_side: SideBySide,
}

/// Arguments of `cache remove`.
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false, args = ["blocks", "all", "leftovers"])]
pub struct RemoveArgs {
    /// Blocks to remove.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// Remove every cached block; with --chain, only those of that chain
    #[arg(long)]
    pub all: bool,
    /// Remove no block, only temporary files of killed processes
    #[arg(long)]
    pub leftovers: bool,
}

/// Arguments of `cache export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Blocks to export.
    #[command(flatten)]
    pub blocks: CachedBlocks,
    /// File to write; an existing file is replaced once the new one is complete; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Form of the file
    #[arg(long, value_name = "FORMAT", default_value = "archive")]
    pub format: ExportFormat,
}

/// Forms of exported blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A tar archive of cache files.
    Archive,
    /// Blockchain tests of execution-spec-tests with execution witnesses, as JSON.
    Eest,
}

/// Arguments of `cache import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Archive or tests from `cache export`, or tests with execution witnesses (.json, .json.gz); - is standard input
    #[arg(value_name = "FILE")]
    pub archive: PathBuf,
    /// The rules of the chain.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Time limit of the execution that proves a block.
    #[command(flatten)]
    pub limit: LimitArgs,
}
