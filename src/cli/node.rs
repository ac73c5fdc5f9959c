//! How a node is reached.

use clap::Args;
use std::num::{NonZeroU32, NonZeroUsize};

/// Which node to ask, and how hard.
#[derive(Debug, Args)]
pub struct NodeArgs {
    // Not parsed here: clap quotes what it rejects, and a URL may hold a key.
    /// The node's JSON-RPC URL; only its scheme and host are ever shown
    #[arg(long, value_name = "URL", env = "ETH_RPC_URL", hide_env_values = true)]
    pub rpc_url: Option<String>,
    /// A header to send with every request, as "Name: value"; may be repeated
    #[arg(long, value_name = "HEADER", env = "ETH_RPC_HEADERS", hide_env_values = true)]
    #[arg(value_delimiter = '\n')]
    pub rpc_header: Vec<String>,
    /// Most requests that are open at the same time
    #[arg(long, value_name = "N", default_value = "8")]
    pub concurrency: NonZeroUsize,
    /// Most requests that start in a second [default: no limit]
    #[arg(long, value_name = "N")]
    pub requests_per_second: Option<NonZeroU32>,
    /// How often a question is asked again after a fault that may pass
    #[arg(long, value_name = "N", default_value = "6")]
    pub max_retries: u32,
    /// Longest silence of the node, in seconds
    #[arg(long, value_name = "SECS", default_value = "30")]
    pub rpc_timeout: NonZeroU32,
}

/// Arguments of `rpc-check`.
#[derive(Debug, Args)]
pub struct RpcCheckArgs {
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Ask about this block [default: the newest]
    #[arg(long, value_name = "N")]
    pub block: Option<u64>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}
