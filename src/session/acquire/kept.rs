//! Finds the blocks that need no fetch, since the cache has a complete file of each.
//!
//! The folder is listed once. The files are read in the order of the fetch, a few at a time. Blocking threads read
//! them, so that a large cache or a long range does not delay the threads that talk to the node. A cached block counts
//! only if it is the node's block of that number, since a reorganisation or a reset of a devnet may have replaced it.

use super::{
    Acquired, Refused,
    headers::{AcquiredHeader, HeaderCheck},
};
use crate::{
    block::{BlockId, RecordedBlock, check_recorded_body, range::BlockNumbers},
    cache::{Cache, CacheError},
    fetch::{Node, Nodes},
};
use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber};
use futures::{Stream, StreamExt};
use std::{collections::HashMap, num::NonZeroUsize};

/// The blocks in the cache when it was listed.
pub(super) struct Kept {
    cache: Cache,
    nodes: Nodes,
    ids: HashMap<BlockNumber, Vec<BlockId>>,
    overwrite: bool,
    headers: HeaderCheck,
}

/// A cached block compared with the node's block of the same number.
enum Compared {
    /// The complete file of the node's block.
    Same(AcquiredHeader),
    /// The node has no block of this number, or does not answer.
    Unknown(AcquiredHeader),
    /// The block has not the hash that another source states.
    Refused(eyre::Report),
    /// There is no complete file of the node's block.
    Lacking,
}

impl Kept {
    /// Lists the cached blocks of the node's chain. With `overwrite` all blocks are fetched.
    ///
    /// # Errors
    /// If the cache cannot be listed.
    pub(super) fn of(
        cache: &Cache,
        nodes: &Nodes,
        overwrite: bool,
        headers: HeaderCheck,
    ) -> Result<Self, CacheError> {
        let mut ids = HashMap::<_, Vec<_>>::new();
        for id in cache.list(nodes.first().chain_id())? {
            ids.entry(id.number).or_default().push(id);
        }
        Ok(Self { cache: cache.clone(), nodes: nodes.clone(), ids, overwrite, headers })
    }

    /// Returns the `numbers` to fetch, in order. Reports each other number.
    pub(super) fn missing(
        &self,
        numbers: impl Iterator<Item = BlockNumber>,
        at_once: NonZeroUsize,
        report: impl Fn(Acquired),
    ) -> impl Stream<Item = BlockNumber> {
        let compared =
            numbers.map(move |number| async move { (number, self.compare(number).await) });
        let missing = move |(number, compared)| {
            let fetched = match compared {
                Compared::Lacking => Some(number),
                Compared::Same(header) => {
                    report(Acquired::AlreadyCached(header));
                    None
                }
                Compared::Unknown(header) => {
                    report(Acquired::NotCompared(header));
                    None
                }
                Compared::Refused(error) => {
                    report(Acquired::Fetched(number, Err(Refused::Failed(error))));
                    None
                }
            };
            std::future::ready(fetched)
        };
        futures::stream::iter(compared).buffered(at_once.get()).filter_map(missing)
    }

    /// Number of cached blocks in `numbers`, and the numbers that are not cached. Only the folder is read.
    pub(super) fn split(&self, numbers: &BlockNumbers) -> (u64, Vec<BlockNumber>) {
        let is_kept = |number: &BlockNumber| !self.overwrite && self.ids.contains_key(number);
        let missing: Vec<_> = numbers.iter().filter(|number| !is_kept(number)).collect();
        (numbers.count() - missing.len() as u64, missing)
    }

    /// The cached blocks of a number that are other blocks than the one with this hash.
    pub(super) fn others(&self, number: BlockNumber, hash: B256) -> impl Iterator<Item = BlockId> {
        let cached = self.ids.get(&number).into_iter().flatten();
        cached.filter(move |id| id.hash != hash).copied()
    }

    /// The first node that can be reached.
    fn node(&self) -> &Node {
        self.nodes.at(self.nodes.order(0)[0])
    }

    async fn compare(&self, number: BlockNumber) -> Compared {
        let Some(ids) = self.ids.get(&number).filter(|_| !self.overwrite) else {
            return Compared::Lacking;
        };
        let node = self.node();
        let (known, is_same) = match node.hash_at(number).await {
            Ok(Some(hash)) => (ids.iter().find(|id| id.hash == hash), true),
            _ => (ids.first(), false),
        };
        let Some(id) = known else { return Compared::Lacking };
        let Some(header) = self.whole(*id).await else { return Compared::Lacking };
        match (self.headers.check(node, &header).await, is_same) {
            (Ok(header), true) => Compared::Same(header),
            (Ok(header), false) => Compared::Unknown(header),
            (Err(error), _) => Compared::Refused(error),
        }
    }

    /// The header of a cached block with a complete file.
    async fn whole(&self, id: BlockId) -> Option<Header> {
        let (cache, node) = (self.cache.clone(), self.node().clone());
        // If the check itself fails, the block is fetched again.
        let read = move || {
            let recorded = cache.get(&id).ok()?;
            is_kept(&recorded, &node).then_some(recorded.block.header)
        };
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }
}

/// Whether a cached block is complete and has the node's rules. Rules that the node does not know at the time of the
/// block do not count.
fn is_kept(recorded: &RecordedBlock, node: &Node) -> bool {
    let of_node = node.chain_at(&recorded.block.header);
    let has_rules = match (recorded.chain(), of_node) {
        (Ok(own), Ok(of_node)) => own.digest() == of_node.digest(),
        (own, _) => own.is_ok(),
    };
    has_rules && check_recorded_body(recorded).is_ok()
}
