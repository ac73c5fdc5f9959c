//! Storage tries that are updated before the block has ended.
//!
//! A block-wide update at the end writes and hashes every changed slot. A slot that is written early costs nothing
//! then, if no later transaction changes it again. Only slots that are not zero before and after are written early,
//! so the shape of the trie stays as it was, and no node is needed that the update at the end would not need.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};

use super::{
    change::{ChangeError, Changes, PARALLEL_KEYS},
    error::{NodeError, TrieError},
    partial::PartialTrie,
    state::{StateTrie, slot_key},
};

/// Storage tries that were updated early, by account.
pub type EarlyStorages<'a> = BTreeMap<Address, Box<EarlyStorage<'a>>>;

/// The storage trie of one account, with the values of some slots at some moment of the block.
#[derive(Debug)]
pub struct EarlyStorage<'a> {
    /// The root before the block.
    root: B256,
    trie: PartialTrie<'a>,
    written: BTreeMap<U256, Written>,
}

/// The values of a slot that was written early.
#[derive(Clone, Copy, Debug)]
struct Written {
    before: U256,
    now: U256,
}

/// A slot to write early.
#[derive(Clone, Copy, Debug)]
pub struct EarlySlot {
    /// The slot.
    pub slot: U256,
    /// Its key in the trie, [`EarlySlot::key`].
    pub key: B256,
    /// The value before the block, which is not zero.
    pub before: U256,
    /// The value to write, which is not zero.
    pub now: U256,
}

impl EarlySlot {
    /// The key of a slot in its trie.
    pub fn key(slot: U256) -> B256 {
        slot_key(slot)
    }
}

impl<'a> EarlyStorage<'a> {
    /// Maximum number of slots for [`Self::write`]. More would be split over rayon's threads.
    pub const MOST_AT_ONCE: usize = PARALLEL_KEYS - 1;

    /// Opens the storage trie of an account as it was before the block; `None` if the storage was empty.
    ///
    /// # Errors
    ///
    /// The account or the root of its storage is not proved.
    pub fn open(state: &StateTrie<'a>, address: Address) -> Result<Option<Box<Self>>, TrieError> {
        let Some(account) = state.account(address)? else { return Ok(None) };
        let root = account.storage_root;
        let trie = PartialTrie::open(state.nodes, root)
            .map_err(|source| TrieError::account(address, source))?;
        Ok(Some(Box::new(Self { root, trie, written: BTreeMap::new() })))
    }

    /// Writes at most [`Self::MOST_AT_ONCE`] slots with different keys, and hashes the nodes on their paths on the
    /// calling thread.
    ///
    /// # Errors
    ///
    /// A node on the path of a slot is missing or malformed. The trie must then be dropped.
    pub fn write(&mut self, slots: &[EarlySlot]) -> Result<(), NodeError> {
        let changes = slots.iter().map(|slot| (slot.key, Some(alloy_rlp::encode(slot.now))));
        let written = self.trie.write(Changes::new(changes));
        written.map_err(|ChangeError { source, .. }| source)?;
        self.trie.root_on_this_thread();
        for EarlySlot { slot, before, now, .. } in slots.iter().copied() {
            let entry = self.written.entry(slot).or_insert(Written { before, now });
            entry.now = now;
        }
        Ok(())
    }

    /// The value that was written for a slot.
    pub fn value(&self, slot: U256) -> Option<U256> {
        self.written.get(&slot).map(|written| written.now)
    }

    /// Number of slots that were written.
    pub fn count(&self) -> usize {
        self.written.len()
    }

    /// Whether the storage had this root before the block.
    pub(super) fn is_of(&self, root: B256) -> bool {
        self.root == root
    }

    /// The trie, and the slots that have to be written so that it holds `slots`, which are all changed slots in
    /// ascending order, and the number of those that are written for the second time.
    pub(super) fn rest(
        self,
        slots: &[(U256, U256)],
    ) -> (PartialTrie<'a>, Vec<(U256, U256)>, usize) {
        let new = slots.iter().filter(|(slot, value)| self.value(*slot) != Some(*value)).copied();
        let is_unchanged =
            |slot: &U256| slots.binary_search_by_key(slot, |(slot, _)| *slot).is_err();
        let restored = self
            .written
            .iter()
            .filter(|(slot, written)| is_unchanged(slot) && written.now != written.before);
        let restored = restored.map(|(slot, written)| (*slot, written.before));
        let rest: Vec<_> = new.chain(restored).collect();
        let again = rest.iter().filter(|(slot, _)| self.written.contains_key(slot)).count();
        (self.trie, rest, again)
    }
}
