//! `blockrace fetch`: fetches blocks from a node and stores them in the cache.
//!
//! A block with a witness is proved to its state root before it is stored. A block without one is checked to its
//! receipts.

mod flat;
mod kept;
mod summary;

use self::{kept::Kept, summary::Summary};
use super::{
    Context, Outcome, interrupt, machine,
    node::client,
    prove::{Prover, Refused},
};
use crate::{
    block::{Assumed, RecordedBlock, RecordedState},
    block::{check_recorded_body, range::BlockNumbers},
    cache::Cache,
    cli::FetchArgs,
    evm::Chain,
    fetch::{FetchError, FetchedBlock, Node, WitnessChoice},
    output::diagnose,
    progress::Progress,
};
use eyre::{WrapErr, ensure};
use futures::StreamExt;
use std::{pin::pin, sync::Arc};
use tokio::{select, sync::oneshot::Receiver};

pub(super) fn run(args: FetchArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut interrupted = interrupt::watch()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let asked = select! {
            asked = ask(&args) => asked?,
            _ = &mut interrupted => {
                diagnose("interrupted before the first block");
                return Ok(Outcome::Interrupted);
            }
        };
        fetch(&args, asked, interrupted, context).await
    })
}

/// Connects to the node and resolves the list of blocks.
async fn ask(args: &FetchArgs) -> eyre::Result<(Node, BlockNumbers)> {
    let list = args.blocks.clone().load()?;
    let node = Node::connect(client(&args.node)?).await?;
    Chain::from_id(node.chain_id()).wrap_err("the node follows a chain that cannot be replayed")?;
    let head = if list.needs_head() { Some(node.head().await?) } else { None };
    let numbers = list.resolve(head)?;
    refuse_unborn(&node, &numbers).await?;
    Ok((node, numbers))
}

/// Refuses a long list that goes past the head, since each request past the head would fail.
async fn refuse_unborn(node: &Node, numbers: &BlockNumbers) -> eyre::Result<()> {
    let last = numbers.ranges().iter().map(|range| *range.end()).max().unwrap_or_default();
    if numbers.count() >= LONG {
        let head = node.head().await?;
        ensure!(
            last <= head,
            "the list goes to block {last}, past the head at block {head}; ask for fewer blocks"
        );
    }
    Ok(())
}

/// Minimum number of blocks for which the head is requested.
const LONG: u64 = 1_000;

/// Fetches the blocks that are not cached. Ctrl-C ends the fetch and drops the unfinished blocks. A block is stored
/// completely or not at all.
async fn fetch(
    args: &FetchArgs,
    (node, numbers): (Node, BlockNumbers),
    mut interrupted: Receiver<()>,
    context: &Context,
) -> eyre::Result<Outcome> {
    let progress = Progress::new(context.chatter, numbers.count(), "blocks");
    let kept = match args.overwrite {
        true => Kept::default(),
        false => Kept::of(&context.cache, node.chain_id())?,
    };
    let prover = Arc::new(Prover::new(node.clone())?);
    let shelf = Shelf { cache: context.cache.clone(), choice: args.witness.into() };
    let missing = kept.missing(numbers.iter(), || progress.step());
    let mut stored = pin!(
        node.fetch_many(missing, shelf.choice, args.node.concurrency)
            .map(|(number, fetched)| keep(prover.clone(), shelf.clone(), number, fetched))
            .buffer_unordered(machine::cores().get())
    );
    let mut summary = Summary::new(numbers.count());
    loop {
        select! {
            next = stored.next() => match next {
                Some((number, result)) => summary.take(number, result, &progress),
                None => break,
            },
            _ = &mut interrupted => {
                summary.interrupt();
                break;
            }
        }
    }
    progress.finish();
    Ok(summary.print(kept.whole(), context)?)
}

/// The verification depth of a stored block.
enum Stored {
    /// The block is proved to the state root.
    Proved,
    /// The block is checked to the receipts, under these assumptions.
    Checked(Assumed),
}

async fn keep(
    prover: Arc<Prover>,
    shelf: Shelf,
    number: u64,
    fetched: Result<FetchedBlock, FetchError>,
) -> (u64, Result<Stored, Refused>) {
    let proved = match fetched {
        Ok(FetchedBlock::Recorded(recorded)) => prover.prove_whole(recorded).await,
        Ok(FetchedBlock::Gathered(recorded)) => prover.prove(recorded).await,
        Ok(FetchedBlock::Traced(traced)) => flat::prove(&prover, traced).await,
        Err(error) => Err(error.into()),
    };
    let stored = match proved {
        Ok(recorded) => shelf.store(recorded).await,
        Err(refused) => Err(refused),
    };
    (number, stored)
}

/// The cache for new blocks, and the method of `--witness`.
#[derive(Clone)]
struct Shelf {
    cache: Cache,
    choice: WitnessChoice,
}

impl Shelf {
    async fn store(self, recorded: RecordedBlock) -> Result<Stored, Refused> {
        let stored = match &recorded.state {
            RecordedState::Witness(_) => Stored::Proved,
            RecordedState::Flat(flat) => Stored::Checked(flat.assumed.clone()),
        };
        let put = move || -> eyre::Result<()> {
            ensure!(!self.would_lose_a_proof(&recorded), LOSES_PROOF);
            self.cache.put(&recorded)?;
            Ok(())
        };
        tokio::task::spawn_blocking(put).await??;
        Ok(stored)
    }

    /// Whether this block would replace a proved block in the cache by one without a proof. This happens if the node
    /// no longer returns proofs. `--witness prestate` allows it.
    fn would_lose_a_proof(&self, recorded: &RecordedBlock) -> bool {
        let is_flat = |recorded: &RecordedBlock| matches!(recorded.state, RecordedState::Flat(_));
        self.choice == WitnessChoice::Auto
            && is_flat(recorded)
            && self
                .cache
                .get(&recorded.id())
                .is_ok_and(|cached| !is_flat(&cached) && check_recorded_body(&cached).is_ok())
    }
}

const LOSES_PROOF: &str = "the node returned no proof, but the cached block is proved to the state root, so it is kept; \
                           --witness prestate replaces it";
