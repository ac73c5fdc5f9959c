//! Builds the clients of nodes from the arguments.

use crate::{
    cli::NodeArgs,
    fetch::{Client, Endpoint, Limits, Node, NodeSecret, Nodes, RpcHeader},
    input,
    output::diagnose,
    session::machine::allow_files,
};
use eyre::{WrapErr, ensure};
use futures::future::join_all;
use std::{num::NonZeroUsize, path::Path, time::Duration};

/// Builds the clients of `--confirm-url`. They have the limits of the arguments, and none of the headers.
///
/// # Errors
/// If a URL is malformed. The message does not quote it.
pub(super) fn confirming(urls: &[String], args: &NodeArgs) -> eyre::Result<Vec<Client>> {
    let given = urls.iter().filter(|url| !url.trim().is_empty());
    let client = |url: &String| {
        let endpoint: Endpoint = url.trim().parse()?;
        Ok(Client::with_secret(&endpoint, &[], None, limits(args))?)
    };
    given
        .map(client)
        .collect::<eyre::Result<_>>()
        .wrap_err("a URL of --confirm-url or ETH_CONFIRM_URLS")
}

/// Builds a client for each URL of the arguments, with their headers and limits.
///
/// # Errors
/// If there is no URL, or if a URL or a header is malformed. The messages quote neither, since both may hold keys. If
/// headers or a secret would go to several nodes, since they are meant for one.
pub(super) fn clients(args: &NodeArgs) -> eyre::Result<Vec<Client>> {
    let urls: Vec<_> = args.rpc_url.iter().filter(|url| !url.trim().is_empty()).collect();
    ensure!(!urls.is_empty(), "no node; set its URL with --rpc-url or ETH_RPC_URL");
    let given = args.rpc_header.iter().filter(|header| !header.trim().is_empty());
    let headers = given
        .map(|header| header.parse::<RpcHeader>())
        .collect::<Result<Vec<_>, _>>()
        .wrap_err("a header of --rpc-header or ETH_RPC_HEADERS is malformed")?;
    let is_for_one = urls.len() == 1 || headers.is_empty() && args.jwt_secret.is_none();
    ensure!(
        is_for_one,
        "headers and secrets would go to every node, so they need a single --rpc-url"
    );
    let build = |url: &String| {
        let endpoint: Endpoint = url.parse()?;
        let secret = args.jwt_secret.as_deref().map(read_secret).transpose()?;
        Ok(Client::with_secret(&endpoint, &headers, secret, limits(args))?)
    };
    urls.into_iter().map(build).collect()
}

/// Files that a fetch opens beside the connections: standard streams, the runtime, and blocks that are written.
const OTHER_FILES: u64 = 32;

/// Files for each request: the connection, and one that is closing.
const FILES_OF_REQUEST: u64 = 2;

/// Lowers the concurrency to what the limit of open files allows for this number of nodes, and says so.
pub(super) fn fit_open_files(args: &mut NodeArgs, nodes: usize) {
    let (asked, nodes) = (args.concurrency.get() as u64, nodes.max(1) as u64);
    let files = FILES_OF_REQUEST.saturating_mul(nodes);
    let Some(limit) = allow_files(asked.saturating_mul(files).saturating_add(OTHER_FILES)) else {
        return;
    };
    let fits = (limit.saturating_sub(OTHER_FILES) / files).max(1);
    if let (true, Some(fits)) = (fits < asked, NonZeroUsize::new(fits as usize)) {
        let requests = if fits.get() == 1 { "request is" } else { "requests are" };
        diagnose(format_args!(
            "note: this process may open {limit} files (ulimit -n), so {fits} concurrent {requests} sent to each node \
             instead of {asked}"
        ));
        args.concurrency = fits;
    }
}

fn limits(args: &NodeArgs) -> Limits {
    Limits {
        concurrency: args.concurrency,
        requests_per_second: args.requests_per_second,
        max_retries: args.max_retries,
        timeout: Duration::from_secs(args.rpc_timeout.get().into()),
        largest_answer: (args.largest_answer.get() as usize) << 20,
    }
}

/// Connects to the nodes of the arguments. A node that cannot be reached is left out and named, if another one can.
///
/// # Errors
/// As [`clients`], if no node can be reached, or if the nodes follow several chains.
pub(super) async fn connect(args: &NodeArgs) -> eyre::Result<Nodes> {
    let (mut nodes, mut failures) = (Vec::new(), Vec::new());
    for connected in join_all(clients(args)?.into_iter().map(Node::connect)).await {
        match connected {
            Ok(node) => nodes.push(node),
            Err(error) => failures.push(eyre::Report::from(error)),
        }
    }
    if nodes.is_empty() {
        return Err(failures.swap_remove(0));
    }
    for failure in failures {
        diagnose(format_args!("note: {failure:#}; the other nodes are used"));
    }
    let first = nodes.remove(0);
    for other in &nodes {
        let [one, two] = [&first, other].map(|node| (node.origin(), node.chain_id()));
        ensure!(
            one.1 == two.1,
            "the nodes follow several chains: {} chain {}, {} chain {}",
            one.0,
            one.1,
            two.0,
            two.1
        );
    }
    Ok(Nodes::new(first, nodes))
}

/// Maximum size of a secret's file in bytes.
const MOST_SECRET_BYTES: u64 = 4096;

/// Reads the secret of `--jwt-secret`. The messages do not quote it.
fn read_secret(path: &Path) -> eyre::Result<NodeSecret> {
    let read = || format!("cannot read the secret in {}", path.display());
    let bytes = input::read(path, MOST_SECRET_BYTES).wrap_err_with(read)?;
    NodeSecret::from_hex(&String::from_utf8_lossy(&bytes)).wrap_err_with(read)
}
