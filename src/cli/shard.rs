//! Declares the option that splits blocks over several processes.

use crate::block::range::{Shard, ShardError};
use clap::Args;
use std::env;

/// The part of the selected blocks that this process works on.
#[derive(Debug, Default, Args)]
pub struct ShardArg {
    /// Only part I of N, for example 0/8; parts consist of whole chunks of 1,000 blocks. env takes I and N from
    /// the variables of Slurm, AWS Batch, Grid Engine or Kubernetes
    #[arg(long, value_name = "I/N", value_parser = parse)]
    pub shard: Option<Shard>,
}

fn parse(text: &str) -> Result<Shard, ShardError> {
    match text {
        "env" => Shard::from_environment(|name| env::var(name).ok()),
        text => text.parse(),
    }
}
