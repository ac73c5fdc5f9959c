//! Finds the nodes of a witness that reads and a change of the state need.
//!
//! A read needs the nodes on its path. So does a write, and each written value was read before. A deletion may also
//! need the node that takes the place of its parent, which [`UpdatedTrie::siblings`](super::UpdatedTrie::siblings)
//! names. A branch that a deletion leaves alone is not needed, since the trie assumes a branch if the node is missing.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::B256Set};
use alloy_trie::EMPTY_ROOT_HASH;

use super::{
    error::TrieError,
    lookup::find_along,
    state::{StateTrie, slot_key},
};

impl StateTrie<'_> {
    /// The nodes on the paths of accounts and their slots, and the nodes with the hashes of `siblings`. Each node is
    /// returned once, in the order of byte strings. So the list does not depend on the other nodes of the witness.
    ///
    /// # Errors
    ///
    /// [`TrieError::Account`] or [`TrieError::Slot`] for a value without a proof.
    pub fn needed<S: IntoIterator<Item = U256>>(
        &self,
        reads: impl IntoIterator<Item = (Address, S)>,
        siblings: impl IntoIterator<Item = B256>,
    ) -> Result<Vec<Bytes>, TrieError> {
        let mut hashes: B256Set = siblings.into_iter().collect();
        for (address, slots) in reads {
            let storage_root = self.account_along(address, &mut hashes)?;
            for slot in slots {
                let mut entered = |hash: &B256| {
                    hashes.insert(*hash);
                };
                find_along(self.nodes, &storage_root, &slot_key(slot), &mut entered)
                    .map_err(|source| TrieError::slot(address, slot, source))?;
            }
        }
        let mut nodes: Vec<_> = hashes.iter().filter_map(|hash| self.nodes.shared(hash)).collect();
        nodes.sort_unstable();
        Ok(nodes)
    }

    /// Adds the nodes on the path of an account. Returns the root of its storage.
    fn account_along(&self, address: Address, hashes: &mut B256Set) -> Result<B256, TrieError> {
        let mut entered = |hash: &B256| {
            hashes.insert(*hash);
        };
        let account = find_along(self.nodes, &self.root, &keccak256(address), &mut entered)
            .and_then(|leaf| leaf.map(|leaf| leaf.account()).transpose())
            .map_err(|source| TrieError::account(address, source))?;
        Ok(account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
    }
}
