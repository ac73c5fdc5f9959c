//! Declares the option for the rules of a chain.

use clap::Args;
use std::path::PathBuf;

/// The rules of the blocks' chain.
#[derive(Clone, Debug, Default, Args)]
pub struct RulesArgs {
    /// Chain configuration with the forks of the blocks' chain, such as its genesis.json; - is standard input
    /// [default: what is stored with a block, what the node states, or what is known of the chain id]
    #[arg(long, value_name = "FILE")]
    pub chain_config: Option<PathBuf>,
}
