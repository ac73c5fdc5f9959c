//! From arguments to a client of a node.

use crate::{
    cli::NodeArgs,
    fetch::{Client, Endpoint, Limits, RpcHeader},
};
use eyre::{OptionExt, WrapErr};
use std::time::Duration;

/// A client that asks as the user wants.
///
/// # Errors
/// If no URL is given, or one that is none. Neither it nor a header is quoted.
pub(super) fn client(args: &NodeArgs) -> eyre::Result<Client> {
    let url = args
        .rpc_url
        .as_deref()
        .ok_or_eyre("which node? give its URL with --rpc-url or in ETH_RPC_URL")?;
    let endpoint: Endpoint = url.parse()?;
    let given = args.rpc_header.iter().filter(|header| !header.trim().is_empty());
    let headers = given
        .map(|header| header.parse::<RpcHeader>())
        .collect::<Result<Vec<_>, _>>()
        .wrap_err("a header given with --rpc-header or in ETH_RPC_HEADERS is not one")?;
    let limits = Limits {
        concurrency: args.concurrency,
        requests_per_second: args.requests_per_second,
        max_retries: args.max_retries,
        timeout: Duration::from_secs(args.rpc_timeout.get().into()),
    };
    Ok(Client::new(&endpoint, &headers, limits)?)
}
