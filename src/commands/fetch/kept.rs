//! Which blocks need not be fetched: those of which the cache has a whole file.
//!
//! The folder is listed once. The files are read as their blocks' turn comes, a few at a time and away
//! from the threads that talk to the node, so that neither a large cache nor a long range holds those
//! up.

use crate::{
    cache::{BlockId, Cache, CacheError},
    commands::{cached::is_whole, machine},
};
use futures::{Stream, StreamExt};
use std::{cell::Cell, collections::HashMap};

/// What the cache had when it was listed.
#[derive(Default)]
pub(super) struct Kept {
    cache: Option<Cache>,
    /// By number. `None` where a reorg left several.
    ids: HashMap<u64, Option<BlockId>>,
    whole: Cell<u64>,
}

impl Kept {
    /// Lists what there is of a chain.
    ///
    /// # Errors
    /// If the cache cannot be listed.
    pub(super) fn of(cache: &Cache, chain_id: u64) -> Result<Self, CacheError> {
        let mut ids = HashMap::new();
        for id in cache.list(chain_id)? {
            ids.entry(id.number).and_modify(|id| *id = None).or_insert(Some(id));
        }
        Ok(Self { cache: Some(cache.clone()), ids, whole: Cell::new(0) })
    }

    /// How many whole blocks were come across so far.
    pub(super) fn whole(&self) -> u64 {
        self.whole.get()
    }

    /// Those of `numbers` that have to be fetched, in order; `skipped` is told of each other one.
    pub(super) fn missing(
        &self,
        numbers: impl Iterator<Item = u64>,
        skipped: impl Fn(),
    ) -> impl Stream<Item = u64> {
        let looked_at = numbers.map(move |number| async move { (number, self.has(number).await) });
        let missing = move |(number, whole)| {
            if whole {
                self.whole.set(self.whole.get() + 1);
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
        // A file that cannot even be looked at is fetched again.
        tokio::task::spawn_blocking(move || is_whole(&cache, &id)).await.unwrap_or(false)
    }
}
