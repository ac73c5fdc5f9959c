//! Finds the blocks that need no fetch, since the cache has a complete file of each.
//!
//! The folder is listed once. The files are read in the order of the fetch, a few at a time. Blocking threads read
//! them, so that a large cache or a long range does not delay the threads that talk to the node.

use crate::{
    block::BlockId,
    cache::{Cache, CacheError},
    session::{machine, selection::is_whole},
};
use futures::{Stream, StreamExt};
use std::collections::HashMap;

/// The blocks in the cache when it was listed.
#[derive(Default)]
pub(super) struct Kept {
    cache: Option<Cache>,
    /// Blocks by number. `None` if a reorg left several blocks of a number.
    ids: HashMap<u64, Option<BlockId>>,
}

impl Kept {
    /// Lists the cached blocks of a chain.
    ///
    /// # Errors
    /// If the cache cannot be listed.
    pub(super) fn of(cache: &Cache, chain_id: u64) -> Result<Self, CacheError> {
        let mut ids = HashMap::new();
        for id in cache.list(chain_id)? {
            ids.entry(id.number).and_modify(|id| *id = None).or_insert(Some(id));
        }
        Ok(Self { cache: Some(cache.clone()), ids })
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
        let (Some(cache), Some(Some(id))) = (self.cache.clone(), self.ids.get(&number).copied())
        else {
            return false;
        };
        // If the check itself fails, the block is fetched again.
        tokio::task::spawn_blocking(move || is_whole(&cache, &id)).await.unwrap_or(false)
    }
}
