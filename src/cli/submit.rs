//! Declares the arguments of `submit`.

use super::number::{MOST_THREADS, positive};
use clap::{Args, Subcommand};
use std::num::NonZeroU64;

/// Maximum number of tasks. Slurm's own limit is 1,000 unless its configuration raises it.
const MOST_TASKS: u64 = 100_000;

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The batch system.
    #[command(subcommand)]
    pub system: BatchSystem,
}

/// A batch system.
#[derive(Debug, Subcommand)]
pub enum BatchSystem {
    /// Submit an array job to Slurm with a task for each shard, and the merge of the results after it
    #[command(after_help = SLURM_HELP)]
    Slurm(SlurmArgs),
}

/// Last paragraph of the help.
const SLURM_HELP: &str = "Further options of sbatch are taken from its variables, such as SBATCH_PARTITION, SBATCH_ACCOUNT and \
     SBATCH_TIMELIMIT.\n\nExample:\n  blockrace submit slurm --tasks 64 \\\n      verify 20000000:+2628000 --output /shared/verified";

/// Arguments of `submit slurm`.
#[derive(Debug, Args)]
pub struct SlurmArgs {
    /// Number of tasks; each works on one part of the blocks
    #[arg(long, value_name = "N", default_value = "16", value_parser = positive::<NonZeroU64, MOST_TASKS>)]
    pub tasks: NonZeroU64,
    /// Give each task a node of its own; replay needs it, since other jobs distort times
    #[arg(long)]
    pub exclusive: bool,
    /// Only nodes with this feature, such as those of one type
    #[arg(long, value_name = "FEATURE")]
    pub constraint: Option<String>,
    /// Number of processors of each task
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroU64, MOST_THREADS>)]
    pub cpus: Option<NonZeroU64>,
    /// Print the scripts and the calls of sbatch; write and submit nothing
    #[arg(long)]
    pub dry_run: bool,
    /// verify, analyze or replay with their arguments, among them --output; options of submit go before it
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<String>,
}
