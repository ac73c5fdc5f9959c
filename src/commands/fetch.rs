//! `blockrace fetch`: from a node into the cache, proving every block on the way.

use super::{
    Context, Outcome, machine,
    prove::{Prover, Refused},
};
use crate::{
    cache::{Cache, RecordedBlock},
    cli::FetchArgs,
    evm::Chain,
    fetch::{Client, Endpoint, FetchError, Limits, Node, RpcHeader},
    progress::Progress,
};
use eyre::{OptionExt, WrapErr};
use futures::StreamExt;
use std::{cell::Cell, pin::pin, sync::Arc, time::Duration};

pub(super) fn run(args: FetchArgs, context: &Context) -> eyre::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fetch(args, context))
}

async fn fetch(args: FetchArgs, context: &Context) -> eyre::Result<Outcome> {
    let list = args.blocks.clone().load()?;
    let node = Node::connect(client(&args)?).await?.with_witness(args.witness.into());
    Chain::from_id(node.chain_id()).wrap_err("the node follows a chain that cannot be replayed")?;
    let head = if list.needs_head() { Some(node.head().await?) } else { None };
    let numbers = list.resolve(head)?;

    let progress = Progress::new(context.chatter, numbers.count(), "blocks");
    let kept = Kept { cache: &context.cache, chain_id: node.chain_id(), overwrite: args.overwrite };
    let skipped = Cell::new(0);
    // Drawn from as blocks arrive, so that a long range takes no memory.
    let missing = numbers.iter().filter(|number| {
        let kept = kept.has(*number);
        if kept {
            skipped.set(skipped.get() + 1);
            progress.step();
        }
        !kept
    });
    let prover = Arc::new(Prover::new(node.clone())?);
    let mut stored = pin!(
        node.fetch_many(missing, args.concurrency)
            .map(|(number, fetched)| keep(prover.clone(), context.cache.clone(), number, fetched))
            .buffer_unordered(machine::cores().get())
    );

    let mut summary = Summary { stored: 0, refused: 0, outcome: Outcome::Verified };
    while let Some((number, result)) = stored.next().await {
        summary.take(number, result, &progress);
    }
    progress.finish();
    summary.print(skipped.get(), context);
    Ok(summary.outcome)
}

fn client(args: &FetchArgs) -> eyre::Result<Client> {
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

/// Which blocks need not be fetched.
struct Kept<'a> {
    cache: &'a Cache,
    chain_id: u64,
    overwrite: bool,
}

impl Kept<'_> {
    /// Whether a whole, undamaged file of this block is there.
    fn has(&self, number: u64) -> bool {
        !self.overwrite && self.cache.get_by_number(self.chain_id, number).is_ok()
    }
}

async fn keep(
    prover: Arc<Prover>,
    cache: Cache,
    number: u64,
    fetched: Result<RecordedBlock, FetchError>,
) -> (u64, Result<(), Refused>) {
    let stored = match fetched {
        Ok(recorded) => prove_and_store(prover, cache, recorded).await,
        Err(error) => Err(error.into()),
    };
    (number, stored)
}

/// Proves a block, and stores it if it holds.
async fn prove_and_store(
    prover: Arc<Prover>,
    cache: Cache,
    recorded: RecordedBlock,
) -> Result<(), Refused> {
    let proved = prover.prove(recorded).await?;
    tokio::task::spawn_blocking(move || cache.put(&proved)).await??;
    Ok(())
}

struct Summary {
    stored: u64,
    refused: u64,
    outcome: Outcome,
}

impl Summary {
    fn take(&mut self, number: u64, result: Result<(), Refused>, progress: &Progress) {
        progress.step();
        match result {
            Ok(()) => {
                self.stored += 1;
                progress.note(&format!("block {number}: stored"));
            }
            Err(Refused::Failed(error)) => {
                self.refused += 1;
                progress.say(&format!("error: block {number}: {error:#}"));
                self.outcome = self.outcome.and(Outcome::Failed);
            }
            Err(Refused::Mismatch(verdict)) => {
                self.refused += 1;
                progress.say(&format!("error: block {number} does not match: {verdict}"));
                self.outcome = self.outcome.and(Outcome::Mismatch);
            }
        }
    }

    fn print(&self, skipped: u64, context: &Context) {
        let Self { stored, refused, .. } = self;
        let (asked, dir) = (stored + refused, context.cache_dir.display());
        println!("{stored} of {asked} blocks fetched, proved and stored in {dir}");
        if skipped > 0 {
            println!("{skipped} blocks were there already; --overwrite fetches them again");
        }
    }
}
