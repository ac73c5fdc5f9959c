//! Finds the blocks with a confirmed header.
//!
//! A block is confirmed by a hash that the user gives, by a line of the cache or of the program, or by a confirmed
//! child. The child's header contains the hash of its parent.

use crate::{
    block::{BlockId, Confirmation, range::CHUNK},
    cache::{Cache, CacheError, ChunkIndex, Confirmations},
};
use alloy_primitives::{B256, BlockNumber, ChainId};
use eyre::ensure;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

/// Hashes that the user gives, by block number.
pub type GivenHashes = BTreeMap<BlockNumber, B256>;

/// Finds the confirmed blocks among `ids`. For each confirmed block whose parent is among `ids` and is not confirmed
/// yet, it reads the header, from the index of the chunk or from the block's file.
///
/// # Errors
/// If the confirmations of a chain cannot be read. A file that cannot be read confirms nothing.
pub(super) fn confirmed(
    cache: &Cache,
    ids: &[BlockId],
    given: &GivenHashes,
) -> Result<Confirmations, CacheError> {
    let mut known = HashMap::new();
    let mut chains: Vec<_> = ids.iter().map(|id| id.chain_id).collect();
    chains.sort_unstable();
    chains.dedup();
    for chain in chains {
        let numbers = ids.iter().filter(|id| id.chain_id == chain).map(|id| id.number..=id.number);
        known.extend(cache.confirmations(chain, &numbers.collect())?);
    }
    let mut found: Confirmations = ids
        .iter()
        .filter_map(|id| {
            let given = (given.get(&id.number) == Some(&id.hash)).then_some(Confirmation::Given);
            Some((*id, given.or_else(|| known.get(id).cloned())?))
        })
        .collect();
    let headers = CachedHeaders { cache, last: RefCell::default() };
    descend(ids, &mut found, |id| headers.parent(id));
    Ok(found)
}

/// The headers of cached blocks, with the index of the chunk that was asked for last.
struct CachedHeaders<'a> {
    cache: &'a Cache,
    last: RefCell<Option<((ChainId, u64), ChunkIndex)>>,
}

impl CachedHeaders<'_> {
    /// The hash of a block's parent; `None` if the file cannot be read.
    fn parent(&self, id: &BlockId) -> Option<B256> {
        let chunk = (id.chain_id, id.number / CHUNK);
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(of, _)| *of != chunk) {
            *last = Some((chunk, self.cache.index(id.chain_id, id.number)));
        }
        let indexed = last.as_ref().and_then(|(_, index)| Some(&index.get(id)?.header));
        let read = || self.cache.get(id).ok().map(|block| block.block.header.parent_hash);
        indexed.map(|header| header.parent_hash).or_else(read)
    }
}

/// Confirms the ancestors of confirmed blocks, as far as each is among `ids`. `parent` gives the parent hash of a
/// block.
pub(super) fn descend(
    ids: &[BlockId],
    confirmed: &mut Confirmations,
    parent: impl Fn(&BlockId) -> Option<B256>,
) {
    let mut descending = ids.to_vec();
    descending.sort_unstable();
    descending.reverse();
    let all: BTreeMap<_, Vec<_>> = ids.iter().fold(BTreeMap::new(), |mut all, id| {
        all.entry((id.chain_id, id.number)).or_insert_with(Vec::new).push(*id);
        all
    });
    for child in descending {
        let Some(source) = confirmed.get(&child) else { continue };
        let top = match source {
            Confirmation::Descendant(number) => *number,
            _ => child.number,
        };
        let below = child.number.checked_sub(1).and_then(|below| all.get(&(child.chain_id, below)));
        let mut open =
            below.into_iter().flatten().filter(|id| !confirmed.contains_key(*id)).peekable();
        if open.peek().is_none() {
            continue;
        }
        let hash = parent(&child);
        let found = open.find(|id| Some(id.hash) == hash).copied();
        if let Some(id) = found {
            confirmed.insert(id, Confirmation::Descendant(top));
        }
    }
}

/// Compares a block with the hash that the user gives for its number.
///
/// # Errors
/// If they differ. The message names both hashes.
pub(super) fn check_given(given: &GivenHashes, id: &BlockId, place: &str) -> eyre::Result<()> {
    let hash = given.get(&id.number).copied().unwrap_or(id.hash);
    ensure!(
        hash == id.hash,
        "{place} has the hash {} for block {}, and the list of blocks gives {hash}",
        id.hash,
        id.number
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> BlockId {
        BlockId { chain_id: 1, number, hash: B256::repeat_byte(number as u8) }
    }

    /// Each block is the parent of the next one, except that block 3 has another parent.
    fn parent(child: &BlockId) -> Option<B256> {
        let other = if child.number == 3 { 200 } else { child.number - 1 };
        Some(B256::repeat_byte(other as u8))
    }

    #[test]
    fn a_chain_of_parents_ends_at_another_hash_and_at_a_gap() {
        let ids: Vec<_> = [1, 2, 3, 4, 5, 7, 8].map(id).to_vec();
        let mut confirmed = Confirmations::from([(id(8), Confirmation::Given)]);
        descend(&ids, &mut confirmed, parent);
        assert_eq!(confirmed.len(), 2, "{confirmed:?}");
        assert_eq!(confirmed[&id(7)], Confirmation::Descendant(8));

        confirmed.insert(id(5), Confirmation::BuiltIn);
        descend(&ids, &mut confirmed, parent);
        assert_eq!(confirmed[&id(3)], Confirmation::Descendant(5));
        assert!(!confirmed.contains_key(&id(2)) && !confirmed.contains_key(&id(1)));
    }

    #[test]
    fn a_wrong_hash_is_named_with_the_right_one() {
        let given = GivenHashes::from([(7, B256::ZERO)]);
        let error = check_given(&given, &id(7), "the cache").unwrap_err().to_string();
        assert!(error.contains(&B256::ZERO.to_string()) && error.contains(&id(7).hash.to_string()));
        check_given(&given, &id(8), "the cache").unwrap();
    }
}
