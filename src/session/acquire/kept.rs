//! Finds the blocks that need no fetch, since the cache has a complete file of each.
//!
//! The folder is listed once. The files are read in the order of the fetch, a few at a time. Blocking threads read
//! them, so that a large cache or a long range does not delay the threads that talk to the node. A cached block counts
//! only if it is the node's block of that number, since a reorganisation or a reset of a devnet may have replaced it.

use super::Acquired;
use crate::{
    block::{BlockId, RecordedBlock, check_recorded_body, range::BlockNumbers},
    cache::{Cache, CacheError},
    fetch::{Node, Nodes},
};
use alloy_primitives::{B256, BlockNumber};
use futures::{Stream, StreamExt};
use std::{collections::HashMap, num::NonZeroUsize};

/// The blocks in the cache when it was listed.
pub(super) struct Kept {
    cache: Cache,
    nodes: Nodes,
    ids: HashMap<BlockNumber, Vec<BlockId>>,
    overwrite: bool,
}

/// A cached block compared with the node's block of the same number.
enum Compared {
    /// The complete file of the node's block.
    Same,
    /// The node has no block of this number, or does not answer.
    Unknown(BlockId),
    /// There is no complete file of the node's block.
    Lacking,
}

impl Kept {
    /// Lists the cached blocks of the node's chain. With `overwrite` all blocks are fetched.
    ///
    /// # Errors
    /// If the cache cannot be listed.
    pub(super) fn of(cache: &Cache, nodes: &Nodes, overwrite: bool) -> Result<Self, CacheError> {
        let mut ids = HashMap::<_, Vec<_>>::new();
        for id in cache.list(nodes.first().chain_id())? {
            ids.entry(id.number).or_default().push(id);
        }
        Ok(Self { cache: cache.clone(), nodes: nodes.clone(), ids, overwrite })
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
                Compared::Same => {
                    report(Acquired::AlreadyCached);
                    None
                }
                Compared::Unknown(id) => {
                    report(Acquired::NotCompared(id));
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
        let known = match self.node().hash_at(number).await {
            Ok(Some(hash)) => ids.iter().find(|id| id.hash == hash).map(|id| (id, Compared::Same)),
            _ => ids.first().map(|id| (id, Compared::Unknown(*id))),
        };
        match known {
            Some((id, compared)) if self.is_whole(*id).await => compared,
            _ => Compared::Lacking,
        }
    }

    async fn is_whole(&self, id: BlockId) -> bool {
        let (cache, node) = (self.cache.clone(), self.node().clone());
        // If the check itself fails, the block is fetched again.
        let is_kept = move || cache.get(&id).is_ok_and(|recorded| is_kept(&recorded, &node));
        tokio::task::spawn_blocking(is_kept).await.unwrap_or(false)
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
