//! Fetches blocks from a node, proves them and stores them in a cache.
//!
//! A block with a witness is proved to its state root before it is stored. A block without one is checked to its
//! receipts.

mod estimate;
mod flat;
mod headers;
mod kept;
mod shelf;

pub use self::{
    estimate::{Estimate, estimate},
    headers::{AcquiredHeader, HeaderSources},
};

use self::{
    headers::{HeaderCheck, Headers},
    kept::Kept,
    shelf::{Shelf, takes_no_block},
};
use super::{
    confirmed::GivenHashes,
    machine,
    prover::{Prover, Refused},
};
use crate::{
    block::{
        Assumed, BlockId, Confirmation, RecordedBlock,
        range::{BlockList, BlockNumbers},
    },
    cache::{Cache, CacheError},
    fetch::{FetchError, FetchedBlock, Node, Nodes, RpcError, WitnessChoice},
    threads::ExecutionLimit,
};
use alloy_consensus::Header;
use alloy_primitives::BlockNumber;
use eyre::ensure;
use futures::StreamExt;
use std::{cell::RefCell, collections::BTreeMap, num::NonZeroUsize, pin::pin, sync::Arc};

/// Resolves a list of blocks to numbers, and to the hashes that it gives. Asks the node for its head if the list depends on it, and if the list is long.
///
/// # Errors
/// If the node does not answer, if a long list goes past the head, or if the list gives two hashes for a number.
pub async fn resolve(node: &Node, list: &BlockList) -> eyre::Result<(BlockNumbers, GivenHashes)> {
    let names = node.numbers_of(list.names()).await?;
    let numbers = list.resolve(&names)?;
    refuse_unborn(node, &numbers).await?;
    Ok((numbers, list.hashes(&names)?))
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

/// Settings of [`acquire`].
#[derive(Clone, Debug)]
pub struct AcquireOptions {
    /// Method that fetches or proves the pre-state of each block.
    pub choice: WitnessChoice,
    /// Whether cached blocks are fetched again and replaced.
    pub overwrite: bool,
    /// Maximum number of blocks that are fetched at the same time.
    pub concurrency: NonZeroUsize,
    /// Limit of each execution that proves a block.
    pub execution_limit: ExecutionLimit,
    /// Sources that confirm the headers. A block with another hash is refused.
    pub headers: HeaderSources,
}

/// An event of [`acquire`].
#[derive(Debug)]
pub enum Acquired {
    /// The cache has a complete file of the node's block, so the block is not fetched.
    AlreadyCached(AcquiredHeader),
    /// The cache has a complete file of this block, and the node has no block of that number. The block is not fetched.
    NotCompared(AcquiredHeader),
    /// A cached block has the number of a block that was fetched, and another hash. It is removed if blocks are
    /// overwritten.
    Orphaned(BlockId, Result<Removal, CacheError>),
    /// A block was fetched. It is stored, or refused for a reason.
    Fetched(BlockNumber, Result<Stored, Refused>),
    /// The cache takes no further block, for example because the disk is full. The fetch ends, and the unfinished blocks
    /// are dropped.
    Stopped,
    /// The fetch has ended. Holds the blocks with a confirmed header, among them ancestors of confirmed blocks.
    Confirmed(BTreeMap<BlockNumber, Confirmation>),
}

impl Acquired {
    /// The header of a block that is in the cache now.
    const fn header(&self) -> Option<&AcquiredHeader> {
        match self {
            Self::AlreadyCached(header) | Self::NotCompared(header) => Some(header),
            Self::Fetched(_, Ok(stored)) => Some(&stored.header),
            Self::Fetched(_, Err(_)) | Self::Orphaned(..) | Self::Stopped | Self::Confirmed(_) => {
                None
            }
        }
    }
}

/// The fate of an orphaned block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It stays in the cache.
    Kept,
    /// It was removed.
    Removed,
}

/// Fetches the blocks that are not cached, proves them and stores them. The nodes take turns. If one fails for a block, the
/// others are tried. Each result goes to `report`, in no particular order. A block is stored completely or not at all, so dropping the future drops only unfinished blocks.
/// Notes about the finished ones then stay in memory until [`Cache::flush`].
///
/// Needs a tokio runtime with several threads.
///
/// # Errors
/// If the cache cannot be listed, if a confirmation cannot be stored, or if a node that confirms headers is of another
/// chain. An error of a block goes to `report`. If the cache takes no further block, the rest is dropped.
pub async fn acquire(
    nodes: &Nodes,
    numbers: &BlockNumbers,
    options: AcquireOptions,
    cache: &Cache,
    report: impl Fn(Acquired),
) -> eyre::Result<()> {
    let AcquireOptions { choice, overwrite, concurrency, execution_limit, headers } = options;
    let chain_id = nodes.first().chain_id();
    let (own, asked, of_nodes) = (cache.clone(), numbers.clone(), nodes.clone());
    let look_up = move || {
        own.sweep(chain_id);
        let check = HeaderCheck::new(&own, chain_id, &asked, headers)?;
        let kept = Kept::of(&own, &of_nodes, &asked, overwrite, check.clone())?;
        Ok::<_, eyre::Report>((check, kept))
    };
    let (check, kept) = tokio::task::spawn_blocking(look_up).await??;
    let headers = RefCell::new(Headers::new(cache, chain_id, &check));
    let report = |event: Acquired| {
        event.header().into_iter().for_each(|header| headers.borrow_mut().add(header));
        report(event);
    };
    let source = Arc::new(Source::new(nodes, execution_limit, choice, check));
    let shelf = Shelf { cache: cache.clone(), choice };
    let missing = kept.missing(numbers.iter(), concurrency, &report);
    let at_once =
        concurrency.saturating_mul(NonZeroUsize::new(nodes.count()).unwrap_or(concurrency));
    let mut stored = pin!(
        nodes
            .fetch_many(missing, choice, at_once)
            .map(|(position, (number, fetched))| {
                keep(source.clone(), shelf.clone(), position, (number, fetched))
            })
            .buffer_unordered(machine::cores().get())
    );
    while let Some((number, result)) = stored.next().await {
        if let Ok(stored) = &result {
            for id in kept.others(number, stored.header.id.hash) {
                report(Acquired::Orphaned(id, remove_orphan(cache, &id, overwrite)));
            }
        }
        let stops = result.as_ref().is_err_and(takes_no_block);
        report(Acquired::Fetched(number, result));
        if stops {
            report(Acquired::Stopped);
            // The list of confirmed headers may have no room either. A later fetch completes it.
            let confirmed = headers.borrow_mut().finish().unwrap_or_default();
            let _ = flush(cache).await;
            report(Acquired::Confirmed(confirmed));
            return Ok(());
        }
    }
    let confirmed = headers.borrow_mut().finish()?;
    flush(cache).await?;
    report(Acquired::Confirmed(confirmed));
    Ok(())
}

/// Writes what the cache has in memory, on a thread that may wait.
async fn flush(cache: &Cache) -> eyre::Result<()> {
    let cache = cache.clone();
    Ok(tokio::task::spawn_blocking(move || cache.flush()).await??)
}

/// Removes a block that the fetched block of the same number replaces, if blocks are overwritten.
fn remove_orphan(cache: &Cache, id: &BlockId, overwrite: bool) -> Result<Removal, CacheError> {
    match overwrite {
        true => tokio::task::block_in_place(|| cache.remove(id)).map(|_| Removal::Removed),
        false => Ok(Removal::Kept),
    }
}

/// Origin of the block access list (EIP-7928) of a fetched block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListSource {
    /// The node answered it.
    Node,
    /// The node answered none, so it is derived by execution.
    Derived,
}

impl ListSource {
    /// The source of a block's list; `None` before Amsterdam.
    fn of(fetched: &FetchedBlock) -> Option<Self> {
        header_of(fetched).block_access_list_hash?;
        let list = match fetched {
            FetchedBlock::Recorded(recorded) | FetchedBlock::Gathered(recorded) => {
                &recorded.access_list
            }
            FetchedBlock::Traced(traced) => &traced.access_list,
        };
        Some(if list.is_empty() { Self::Derived } else { Self::Node })
    }

    /// The name in result files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Derived => "derived",
        }
    }
}

/// A stored block.
#[derive(Debug)]
pub struct Stored {
    /// The assumptions of a block that is checked to the receipts only; `None` if it is proved to the state root.
    pub assumed: Option<Assumed>,
    /// Origin of its block access list; `None` before Amsterdam.
    pub list: Option<ListSource>,
    /// Its header.
    pub header: AcquiredHeader,
    /// Errors of other nodes that failed for the block before.
    pub failed: Vec<String>,
}

/// A proved block, its header with the source that confirms it, and the origin of its access list.
struct Proved {
    recorded: RecordedBlock,
    header: AcquiredHeader,
    list: Option<ListSource>,
}

/// The nodes, each with a prover that asks it for missing values.
struct Source {
    nodes: Nodes,
    provers: Vec<Arc<Prover>>,
    choice: WitnessChoice,
    headers: HeaderCheck,
}

impl Source {
    fn new(
        nodes: &Nodes,
        limit: ExecutionLimit,
        choice: WitnessChoice,
        headers: HeaderCheck,
    ) -> Self {
        let prover = |node: &Node| Arc::new(Prover::new(node.clone(), limit.clone()));
        Self { nodes: nodes.clone(), provers: nodes.iter().map(prover).collect(), choice, headers }
    }

    /// Compares the hash of a block of the node at a position with other sources, and proves the block.
    async fn prove(
        &self,
        position: usize,
        fetched: Result<FetchedBlock, FetchError>,
    ) -> Result<Proved, Refused> {
        let proved = match fetched {
            Ok(fetched) => self.prove_fetched(position, fetched).await,
            Err(error) => Err(error.into()),
        };
        if let Err(Refused::Failed(error)) = &proved
            && is_outage(error)
        {
            self.nodes.note_outage(position);
        }
        proved
    }

    async fn prove_fetched(
        &self,
        position: usize,
        fetched: FetchedBlock,
    ) -> Result<Proved, Refused> {
        let prover = &self.provers[position];
        let header = self.headers.check(self.nodes.at(position), header_of(&fetched)).await?;
        let list = ListSource::of(&fetched);
        let recorded = match fetched {
            FetchedBlock::Recorded(recorded) => prover.prove_whole(recorded).await,
            FetchedBlock::Gathered(recorded) => prover.prove(recorded).await,
            FetchedBlock::Traced(traced) => flat::prove(prover, traced).await,
        };
        Ok(Proved { recorded: recorded?, header, list })
    }

    /// The error of the node at a position, with its name.
    fn told(&self, position: usize, refused: &Refused) -> String {
        let name = self.nodes.at(position).origin();
        match refused {
            Refused::Failed(error) => format!("{name}: {error:#}"),
            Refused::Mismatch(verdict) => format!("{name}: the block does not match: {verdict}"),
        }
    }
}

const fn header_of(fetched: &FetchedBlock) -> &Header {
    match fetched {
        FetchedBlock::Recorded(recorded) | FetchedBlock::Gathered(recorded) => {
            &recorded.block.header
        }
        FetchedBlock::Traced(traced) => &traced.block.header,
    }
}

/// Whether a node could not be reached, or was too busy.
fn is_outage(error: &eyre::Report) -> bool {
    let rpc = error.chain().find_map(|cause| cause.downcast_ref::<RpcError>());
    rpc.is_some_and(RpcError::is_transient)
}

async fn keep(
    source: Arc<Source>,
    shelf: Shelf,
    position: usize,
    (number, fetched): (BlockNumber, Result<FetchedBlock, FetchError>),
) -> (BlockNumber, Result<Stored, Refused>) {
    let refused = match source.prove(position, fetched).await {
        Ok(proved) => return (number, shelf.store(proved, vec![]).await),
        Err(refused) => refused,
    };
    let mut failed = vec![source.told(position, &refused)];
    for other in source.nodes.order(position).into_iter().filter(|other| *other != position) {
        let fetched = source.nodes.at(other).fetch(number, source.choice).await;
        match source.prove(other, fetched).await {
            Ok(proved) => return (number, shelf.store(proved, failed).await),
            Err(refused) => failed.push(source.told(other, &refused)),
        }
    }
    (number, Err(refused.by_all(&failed[1..])))
}
