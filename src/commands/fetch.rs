//! `blockrace fetch`: from a node into the cache, proving every block on the way.

use super::{Context, Outcome, fetch_flat, machine};
use crate::{
    block::{PrepareError, WitnessReadError},
    cache::{Assumed, Cache, RecordedBlock, RecordedState},
    cli::FetchArgs,
    evm::Chain,
    executor::{ExecutorKind, WorkerPool},
    fetch::{Client, Endpoint, FetchError, FetchedBlock, Limits, Node, RpcHeader},
    progress::Progress,
    verify::{Verdict, VerifyError, verify_block},
};
use eyre::{OptionExt, WrapErr};
use futures::StreamExt;
use std::{cell::Cell, num::NonZeroUsize, pin::pin, sync::Arc, time::Duration};

pub(super) fn run(args: FetchArgs, context: &Context) -> eyre::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fetch(args, context))
}

async fn fetch(args: FetchArgs, context: &Context) -> eyre::Result<Outcome> {
    let list = args.blocks.clone().load()?;
    let node = Node::connect(client(&args)?).await?;
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
    let prover = Arc::new(Prover::new(node.clone(), context.cache.clone())?);
    let mut stored = pin!(
        node.fetch_many(missing, args.witness, args.concurrency)
            .map(|(number, fetched)| keep(prover.clone(), number, fetched))
            .buffer_unordered(machine::cores().get())
    );

    let mut summary = Summary::default();
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

/// Proves blocks, and stores those that hold.
pub(super) struct Prover {
    pub(super) node: Node,
    cache: Cache,
    pool: WorkerPool,
}

/// How well a stored block is known.
enum Stored {
    /// Proved to the state root.
    Proved,
    /// Checked to the receipts, with this assumed.
    Checked(Assumed),
}

/// What kept a block out of the cache.
pub(super) enum Refused {
    /// It could not be fetched, proved or stored.
    Failed(eyre::Report),
    /// It was executed, and is not what its header says.
    Mismatch(Verdict),
}

impl<E: Into<eyre::Report>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn keep(
    prover: Arc<Prover>,
    number: u64,
    fetched: Result<FetchedBlock, FetchError>,
) -> (u64, Result<Stored, Refused>) {
    let proved = match fetched {
        Ok(FetchedBlock::Recorded(recorded)) => prover.prove(recorded).await,
        Ok(FetchedBlock::Traced(traced)) => fetch_flat::prove(&prover, traced).await,
        Err(error) => Err(error.into()),
    };
    let stored = match proved {
        Ok(recorded) => prover.store(recorded).await,
        Err(refused) => Err(refused),
    };
    (number, stored)
}

impl Prover {
    fn new(node: Node, cache: Cache) -> eyre::Result<Self> {
        Ok(Self { node, cache, pool: WorkerPool::new(NonZeroUsize::MIN)? })
    }

    /// Proves a block, and completes it by ancestors that its witness lacks.
    pub(super) async fn prove(
        self: &Arc<Self>,
        mut recorded: RecordedBlock,
    ) -> Result<RecordedBlock, Refused> {
        loop {
            let (prover, candidate) = (self.clone(), recorded.clone());
            let verified = tokio::task::spawn_blocking(move || prover.verify(candidate)).await?;
            match verified {
                Ok(Verdict::Match) => return Ok(recorded),
                Ok(mismatch @ Verdict::Mismatch { .. }) => return Err(Refused::Mismatch(mismatch)),
                Err(error) => match missing_ancestor(&error) {
                    Some(number) => self.node.fetch_ancestors(&mut recorded, number).await?,
                    None => return Err(error.into()),
                },
            }
        }
    }

    async fn store(self: Arc<Self>, recorded: RecordedBlock) -> Result<Stored, Refused> {
        let stored = match &recorded.state {
            RecordedState::Witness(_) => Stored::Proved,
            RecordedState::Flat(flat) => Stored::Checked(flat.assumed.clone()),
        };
        tokio::task::spawn_blocking(move || self.cache.put(&recorded)).await??;
        Ok(stored)
    }

    fn verify(&self, recorded: RecordedBlock) -> Result<Verdict, VerifyError> {
        let executor = ExecutorKind::Sequential.executor();
        verify_block(recorded, executor, &self.pool, |_| ()).map(|(_, verdict)| verdict)
    }
}

/// The ancestor whose header `BLOCKHASH` asked for, if that is what is missing.
const fn missing_ancestor(error: &VerifyError) -> Option<u64> {
    match error {
        VerifyError::Prepare(PrepareError::NotProved(WitnessReadError::AncestorMissing {
            number,
        })) => Some(*number),
        _ => None,
    }
}

struct Summary {
    proved: u64,
    /// Stored too, but checked to the receipts only.
    checked: u64,
    refused: u64,
    outcome: Outcome,
}

impl Default for Summary {
    fn default() -> Self {
        Self { proved: 0, checked: 0, refused: 0, outcome: Outcome::Verified }
    }
}

impl Summary {
    fn take(&mut self, number: u64, result: Result<Stored, Refused>, progress: &Progress) {
        progress.step();
        match result {
            Ok(Stored::Proved) => {
                self.proved += 1;
                progress.note(&format!("block {number}: stored"));
            }
            Ok(Stored::Checked(assumed)) => {
                self.checked += 1;
                let words = "stored, checked to the receipts only; assumed";
                progress.note(&format!("block {number}: {words}: {assumed}"));
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
        let Self { proved, checked, refused, .. } = self;
        let (stored, dir) = (proved + checked, context.cache_dir.display());
        let asked = stored + refused;
        println!("{stored} of {asked} blocks fetched, proved and stored in {dir}");
        if *checked > 0 {
            println!(
                "{checked} of them came without a witness, and are checked to the receipts only"
            );
        }
        if skipped > 0 {
            println!("{skipped} blocks were there already; --overwrite fetches them again");
        }
    }
}
