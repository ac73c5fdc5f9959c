//! Builds the client of a node from the arguments.

use crate::{
    cli::NodeArgs,
    fetch::{Client, Endpoint, Limits, RpcHeader},
};
use eyre::{OptionExt, WrapErr};
use std::time::Duration;

/// Builds a client with the URL, headers and limits of the arguments.
///
/// # Errors
/// If the URL is missing, or if it or a header is malformed. The messages quote neither, since both may hold keys.
pub(super) fn client(args: &NodeArgs) -> eyre::Result<Client> {
    let url =
        args.rpc_url.as_deref().ok_or_eyre("no node; set its URL with --rpc-url or ETH_RPC_URL")?;
    let endpoint: Endpoint = url.parse()?;
    let given = args.rpc_header.iter().filter(|header| !header.trim().is_empty());
    let headers = given
        .map(|header| header.parse::<RpcHeader>())
        .collect::<Result<Vec<_>, _>>()
        .wrap_err("a header of --rpc-header or ETH_RPC_HEADERS is malformed")?;
    let limits = Limits {
        concurrency: args.concurrency,
        requests_per_second: args.requests_per_second,
        max_retries: args.max_retries,
        timeout: Duration::from_secs(args.rpc_timeout.get().into()),
    };
    Ok(Client::new(&endpoint, &headers, limits)?)
}
