//! Finds the blocks that need no fetch, since the cache has a complete file of each.
//!
//! The folder is listed once. The files are read in the order of the fetch, a few at a time. Blocking threads read
//! them, so that a large cache or a long range does not delay the threads that talk to the node.

use crate::{
    block::{BlockId, RecordedBlock, check_recorded_body},
    cache::{Cache, CacheError},
    fetch::Node,
    session::machine,
};
use futures::{Stream, StreamExt};
use std::collections::HashMap;

/// The blocks in the cache when it was listed.
#[derive(Default)]
pub(super) struct Kept {
    source: Option<(Cache, Node)>,
    /// Blocks by number. `None` if a reorg left several blocks of a number.
    ids: HashMap<u64, Option<BlockId>>,
}

impl Kept {
    /// Lists the cached blocks of a node's chain.
    ///
    /// # Errors
    /// If the cache cannot be listed.
    pub(super) fn of(cache: &Cache, node: &Node) -> Result<Self, CacheError> {
        let mut ids = HashMap::new();
        for id in cache.list(node.chain_id())? {
            ids.entry(id.number).and_modify(|id| *id = None).or_insert(Some(id));
        }
        Ok(Self { source: Some((cache.clone(), node.clone())), ids })
    }

    /// Returns the `numbers` to fetch, in order. Calls `skipped` for each other number.
    pub(super) fn missing(
        &self,
        numbers: impl Iterator<Item = u64>,
        skipped: impl Fn(),
    ) -> impl Stream<Item = u64> {
        let looked_at = numbers.map(move |number| async move { (number, self.has(number).await) });
        let missing = move |(number, whole)| {
            if whole {
                skipped();
            }
            std::future::ready((!whole).then_some(number))
        };
        futures::stream::iter(looked_at).buffered(machine::cores().get()).filter_map(missing)
    }

    async fn has(&self, number: u64) -> bool {
        let (Some((cache, node)), Some(Some(id))) =
            (self.source.clone(), self.ids.get(&number).copied())
        else {
            return false;
        };
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
