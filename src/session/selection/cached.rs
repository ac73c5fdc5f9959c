//! Selects cached blocks by their file names, for commands that need no block itself.

use super::{
    BlockSource, ByNumber, Candidates, GivenHashes, all_cached, candidates, check_given, confirmed,
    in_shard, of_several_chains, without_siblings,
};
use crate::{
    block::BlockId,
    cache::{Cache, Confirmations},
    session::BlockQuery,
};
use alloy_primitives::BlockNumber;
use std::collections::BTreeMap;

/// The cached blocks of a selection, and the count of blocks that are not cached.
#[derive(Clone, Debug, Default)]
pub struct CachedSelection {
    /// Sorted by chain, number and hash, unless a filter sorts them. A number may have several blocks; all of them are here.
    pub ids: Vec<BlockId>,
    /// Count of the selected numbers that are not cached.
    pub missing: u64,
    /// The first selected number that is not cached.
    pub first_missing: Option<BlockNumber>,
    /// The blocks with a confirmed header.
    pub confirmed: Confirmations,
}

impl CachedSelection {
    /// Finds the blocks by their file names. Only a filter reads the files. Unlike in [`select`], a long range costs
    /// only as much as its cached blocks, and an empty cache is no error.
    ///
    /// # Errors
    /// If the list of blocks or the cache cannot be read, if a block cannot be filtered, or if a cached block has another
    /// hash than the list gives.
    pub fn new(query: BlockQuery, cache: &Cache) -> eyre::Result<Self> {
        let filter = query.filter.clone();
        let mut found = Self::all(query, cache)?;
        found.ids = filter.apply_to(found.ids, |id| BlockSource::Cached(cache.clone(), id))?;
        Ok(found)
    }

    fn all(query: BlockQuery, cache: &Cache) -> eyre::Result<Self> {
        let Some(spec) = query.blocks.clone() else {
            let ids = in_shard(all_cached(query.chain, cache)?, query.shard);
            let confirmed = confirmed(cache, &ids, &GivenHashes::new())?;
            return Ok(Self { ids, confirmed, ..Self::default() });
        };
        let Candidates { cached, numbers, given, .. } = candidates(spec, &query, cache)?;
        let by_number = ByNumber::new(without_siblings(cached, &given));
        let asked = numbers.ranges().iter().flat_map(|range| by_number.range(range));
        let mut ids: Vec<_> = asked.clone().flatten().copied().collect();
        ids.sort_unstable();
        let missing = numbers.count().saturating_sub(asked.count() as u64);
        let first_missing = numbers.iter().find(|number| by_number.of(*number).is_empty());
        ids.iter().try_for_each(|id| check_given(&given, id, "the cache"))?;
        let confirmed = confirmed(cache, &ids, &given)?;
        Ok(Self { ids, missing, first_missing, confirmed })
    }

    /// As [`CachedSelection::new`], but a selected number must not have blocks of several chains, since the user means one of
    /// them. A selection without numbers includes the blocks of every chain.
    ///
    /// # Errors
    /// As [`CachedSelection::new`], and if a selected number has blocks of several chains.
    pub fn unambiguous(query: BlockQuery, cache: &Cache) -> eyre::Result<Self> {
        let is_named = query.blocks.is_some();
        let found = Self::new(query, cache)?;
        if is_named { found.of_one_chain_each() } else { Ok(found) }
    }

    fn of_one_chain_each(self) -> eyre::Result<Self> {
        let mut chain_of = BTreeMap::new();
        let mut other =
            |id: &&BlockId| *chain_of.entry(id.number).or_insert(id.chain_id) != id.chain_id;
        match self.ids.iter().find(|id| other(id)) {
            Some(id) => Err(of_several_chains().wrap_err(format!("block {}", id.number))),
            None => Ok(self),
        }
    }
}
