//! Builds the client of a node from the arguments.

use crate::{
    cli::NodeArgs,
    fetch::{Client, Endpoint, Limits, NodeSecret, RpcHeader},
    input,
};
use eyre::{OptionExt, WrapErr};
use std::{path::Path, time::Duration};

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
        largest_answer: (args.largest_answer.get() as usize) << 20,
    };
    let secret = args.jwt_secret.as_deref().map(read_secret).transpose()?;
    Ok(Client::with_secret(&endpoint, &headers, secret, limits)?)
}

/// Maximum size of a secret's file in bytes.
const MOST_SECRET_BYTES: u64 = 4096;

/// Reads the secret of `--jwt-secret`. The messages do not quote it.
fn read_secret(path: &Path) -> eyre::Result<NodeSecret> {
    let read = || format!("cannot read the secret in {}", path.display());
    let bytes = input::read(path, MOST_SECRET_BYTES).wrap_err_with(read)?;
    NodeSecret::from_hex(&String::from_utf8_lossy(&bytes)).wrap_err_with(read)
}
