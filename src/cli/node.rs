//! Declares the options for the connection to a node.

use super::RulesArgs;
use super::number::{MOST_MEBIBYTES, MOST_REQUESTS, MOST_SECONDS, positive, whole, whole_u32};
use clap::Args;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

/// The node, and limits for the requests.
#[derive(Debug, Args)]
pub struct NodeArgs {
    // The URL is not parsed here: clap quotes a rejected value, and a URL may hold a key.
    /// JSON-RPC URL of the node (http, https, ws, wss) or path of its IPC socket; output shows only scheme and host.
    /// May be repeated: the blocks are spread over the nodes, and another node is tried where one fails. Other users can
    /// see command lines, so a URL with a key is safer in the environment
    #[arg(long, value_name = "URL", env = "ETH_RPC_URL", hide_env_values = true)]
    #[arg(value_delimiter = '\n')]
    pub rpc_url: Vec<String>,
    /// HTTP header of every request, as "Name: value"; may be repeated, for a single URL; safer in the environment, one
    /// header a line
    #[arg(long, value_name = "HEADER", env = "ETH_RPC_HEADERS", hide_env_values = true)]
    #[arg(value_delimiter = '\n')]
    pub rpc_header: Vec<String>,
    /// File with the secret that the node shares with its clients (JWT, HS256)
    #[arg(long, value_name = "FILE")]
    pub jwt_secret: Option<PathBuf>,
    /// Maximum number of concurrent requests to each node
    #[arg(long, value_name = "N", default_value = "8", value_parser = positive::<NonZeroUsize, MOST_REQUESTS>)]
    pub concurrency: NonZeroUsize,
    /// Maximum number of requests per second to each node [default: no limit]
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroU32, { u32::MAX as u64 }>)]
    pub requests_per_second: Option<NonZeroU32>,
    /// Retries per request after a transient error
    #[arg(long, value_name = "N", default_value = "6", value_parser = whole_u32)]
    pub max_retries: u32,
    /// Maximum time without data from the node during a request, in seconds
    #[arg(long, value_name = "SECS", default_value = "30", value_parser = positive::<NonZeroU32, MOST_SECONDS>)]
    pub rpc_timeout: NonZeroU32,
    /// Size of the largest answer in MiB, after decompression; all answers together take several times as much memory
    #[arg(long, value_name = "MIB", default_value = "96", value_parser = positive::<NonZeroU32, MOST_MEBIBYTES>)]
    pub largest_answer: NonZeroU32,
}

/// Arguments of `rpc-check`.
#[derive(Debug, Args)]
pub struct RpcCheckArgs {
    /// The node and its limits.
    #[command(flatten)]
    pub node: NodeArgs,
    /// The rules of the chain.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Block number to test with [default: the newest block]
    #[arg(long, value_name = "N", value_parser = whole)]
    pub block: Option<u64>,
    /// Print JSON instead of a table: an object, or a list of objects for several URLs
    #[arg(long)]
    pub json: bool,
}
