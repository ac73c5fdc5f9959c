//! `blockrace fetch`: fetches blocks from a node and stores them in the cache.
//!
//! A block with a witness is proved to its state root before it is stored. A block without one is checked to its
//! receipts.

mod estimate;
mod failures;
mod lists;
mod summary;

use self::{lists::Lists, summary::Summary};
use super::{
    Context, Outcome,
    files::ResultFiles,
    interrupt::{self, Interruption},
    node, rules,
};
use crate::{
    block::range::BlockNumbers,
    cache::Cache,
    cli::FetchArgs,
    fetch::{Node, Nodes},
    output::diagnose,
    progress::Progress,
    report::fetched::{self, FetchReport},
    session::{
        AcquireOptions, HeaderSources, NodeRules, acquire, check_shard, node_rules, resolve,
    },
    threads::ExecutionLimit,
};
use futures::future::try_join_all;
use std::{cell::RefCell, time::Duration};
use tokio::{select, task::spawn_blocking};

/// Time for files that are being written when the fetch ends. Nothing else runs then.
const LAST_WRITES: Duration = Duration::from_millis(500);

pub(super) fn run(mut args: FetchArgs, context: &Context) -> eyre::Result<Outcome> {
    let nodes = args.node.rpc_url.len() + args.confirm_url.len();
    node::fit_open_files(&mut args.node, nodes);
    let mut files = ResultFiles::default();
    files.add(args.json.as_deref(), fetched::write)?;
    let mut interrupt = interrupt::watch()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let asked = select! {
            asked = ask(&args) => asked?,
            _ = &mut interrupt.received => {
                diagnose("interrupted before the first block");
                return Ok(interrupt.outcome());
            }
        };
        fetch(&args, asked, interrupt, files, context).await
    });
    runtime.shutdown_timeout(LAST_WRITES);
    outcome
}

/// The nodes, and what is fetched from them.
struct FetchJob {
    nodes: Nodes,
    rules: NodeRules,
    numbers: BlockNumbers,
    headers: HeaderSources,
}

/// Connects to the nodes, finds the rules of their chain and resolves the list of blocks.
async fn ask(args: &FetchArgs) -> eyre::Result<FetchJob> {
    let list = args.blocks.clone().load()?;
    let file = rules::file(&args.rules)?;
    let confirming = node::confirming(&args.confirm_url, &args.node)?;
    let nodes = node::connect(&args.node).await?;
    let confirming = try_join_all(confirming.into_iter().map(Node::connect)).await?;
    let rules = node_rules(nodes.first(), file.as_ref()).await?;
    let nodes = nodes.with_rules(&rules.rules);
    let shard = args.shard.shard;
    check_shard(&list, shard)?;
    let (numbers, given) = resolve(nodes.first(), &list).await?;
    let headers = HeaderSources { given, nodes: confirming };
    headers.check_chain(nodes.first().chain_id())?;
    Ok(FetchJob { nodes, rules, numbers: numbers.part_of(shard), headers })
}

/// Fetches the blocks that are not cached. A signal ends the fetch and drops the unfinished blocks.
async fn fetch(
    args: &FetchArgs,
    FetchJob { nodes, rules, numbers, headers }: FetchJob,
    mut interrupt: Interruption,
    files: ResultFiles<FetchReport>,
    context: &Context,
) -> eyre::Result<Outcome> {
    for note in &rules.notes {
        diagnose(format_args!("note: {note}"));
    }
    let options = AcquireOptions {
        choice: args.witness.into(),
        overwrite: args.overwrite,
        concurrency: args.node.concurrency,
        execution_limit: ExecutionLimit {
            time: args.limit.time(),
            interrupt: interrupt.raised.clone(),
        },
        headers,
    };
    if args.dry_run {
        return estimate::print(args, (&nodes, &numbers), &options, interrupt, context).await;
    }
    let progress = Progress::new(context.chatter, numbers.count(), "blocks");
    let summary =
        RefCell::new(Summary::new(numbers.count(), args.json.is_some().then(Lists::default)));
    let report = |event| summary.borrow_mut().take(event, &progress);
    select! {
        fetched = acquire(&nodes, &numbers, options, &context.cache, report) => fetched?,
        _ = &mut interrupt.received => {
            summary.borrow_mut().interrupt(interrupt.outcome());
            last_notes(context.cache.clone()).await;
        }
    }
    progress.finish();
    let mut summary = summary.into_inner();
    if summary.has_mismatch() && is_anvil(nodes.first()).await {
        diagnose(ANVIL);
    }
    let stream = files.text();
    let kept = files.write(&summary.report(nodes.first().chain_id(), context));
    let outcome = summary.print(&rules, stream, context)?;
    kept?;
    Ok(outcome)
}

/// Writes what a cache in a bucket has in memory, if the bucket answers soon. A block without its note is checked again.
async fn last_notes(cache: Cache) {
    let _ = tokio::time::timeout(LAST_WRITES, spawn_blocking(move || cache.flush())).await;
}

/// Note about a mismatch on a chain of anvil.
const ANVIL: &str = "the node is anvil, which keeps empty accounts that Ethereum removes since EIP-161; a block that \
                     touches such an account has another state root";

async fn is_anvil(node: &Node) -> bool {
    node.software().await.is_some_and(|name| name.as_str().starts_with("anvil"))
}
