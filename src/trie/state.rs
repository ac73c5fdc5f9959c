//! Accounts and storage as the witness proves them, and the state root after a block.
//!
//! This file knows that keys are hashes of addresses and slots, and how leaves are encoded. The other files
//! walk and change a trie.
//!
//! The accounts of a block are independent until their leaves are written to the account trie. So the leaves
//! are computed in parallel and then written in order. Errors are collected in the order of the addresses, so
//! the reported error does not depend on the threads.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use rayon::prelude::*;

use super::{
    error::TrieError,
    lookup::find,
    partial::PartialTrie,
    store::{NewNodes, NodeStore},
};
use crate::state::{AccountChange, AccountFields, PostState};

/// The state with a trusted root, as far as the nodes of a witness prove it.
#[derive(Clone, Copy, Debug)]
pub struct StateTrie<'a> {
    nodes: &'a NodeStore,
    root: B256,
}

/// A missing node that was assumed to be a branch, after a deletion left it as the only child of its parent. If
/// the node is not a branch, the root is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// The account that was deleted, or the owner of the slot that was deleted.
    pub address: Address,
    /// The deleted slot; `None` if the account was deleted.
    pub slot: Option<U256>,
    /// The Keccak-256 of the node.
    pub hash: B256,
}

/// The state root after a block, and the tries that it was computed with.
///
/// The tries are kept so that a benchmark can drop them after its timer stops. They also provide the new nodes
/// for the next block.
#[derive(Clone, Debug)]
pub struct UpdatedTrie<'a> {
    root: B256,
    guesses: Vec<Guess>,
    tries: Vec<PartialTrie<'a>>,
}

/// One changed account with updated storage, before it is written to the account trie.
#[derive(Debug)]
struct UpdatedAccount<'a> {
    address: Address,
    /// The key of the leaf: the hashed address.
    key: B256,
    /// The value of the leaf; `None` to remove the leaf.
    leaf: Option<Vec<u8>>,
    /// The working trie, if a slot was written.
    storage: Option<PartialTrie<'a>>,
    /// Guesses made in the storage trie.
    guesses: Vec<Guess>,
}

impl UpdatedTrie<'_> {
    /// The state root after the block.
    pub fn root(&self) -> B256 {
        self.root
    }

    /// The nodes that were opened or created. Together with the nodes of the previous state they contain the
    /// whole new state.
    pub fn new_nodes(&self) -> NewNodes {
        let mut kept = NewNodes::default();
        for trie in &self.tries {
            trie.keep_nodes(&mut kept);
        }
        kept
    }

    /// Guesses that the root depends on. They do not matter if the root matches the header.
    pub fn guesses(&self) -> &[Guess] {
        &self.guesses
    }
}

impl<'a> StateTrie<'a> {
    /// The state with this root, which must come from a trusted header.
    pub fn new(nodes: &'a NodeStore, root: B256) -> Self {
        Self { nodes, root }
    }

    /// The account; `None` if its absence is proved.
    ///
    /// # Errors
    ///
    /// [`TrieError::Account`] if neither is proved.
    pub fn account(&self, address: Address) -> Result<Option<TrieAccount>, TrieError> {
        find(self.nodes, &self.root, &keccak256(address))
            .and_then(|leaf| leaf.map(|leaf| leaf.account()).transpose())
            .map_err(|source| TrieError::account(address, source))
    }

    /// The value of a slot in the storage with this root; zero if the absence of the slot is proved. `address`
    /// is used in errors only.
    ///
    /// # Errors
    ///
    /// [`TrieError::Slot`] if neither is proved.
    pub fn slot(
        &self,
        address: Address,
        storage_root: B256,
        slot: U256,
    ) -> Result<U256, TrieError> {
        find(self.nodes, &storage_root, &slot_key(slot))
            .and_then(|leaf| leaf.map_or(Ok(U256::ZERO), |leaf| leaf.slot()))
            .map_err(|source| TrieError::slot(address, slot, source))
    }

    /// The state root after the changes of a block.
    ///
    /// Storage tries are updated in parallel on the current rayon pool, then the account trie on this thread. A
    /// deletion may require a guess, see [`PartialTrie::remove`]. So the caller must compare the root with the
    /// header's.
    ///
    /// # Errors
    ///
    /// [`TrieError::Account`] or [`TrieError::Slot`] for the first change that has no proved path.
    pub fn root_after(&self, post: &PostState) -> Result<UpdatedTrie<'a>, TrieError> {
        let Some((first, _)) = post.accounts.first() else {
            return Ok(UpdatedTrie { root: self.root, guesses: Vec::new(), tries: Vec::new() });
        };
        // Collecting into a `Result` directly would take a lock and would report the error that comes first in
        // time.
        let results: Vec<Result<_, _>> = post
            .accounts
            .par_iter()
            .map(|(address, change)| self.updated_account(*address, change))
            .collect();
        let updates = results.into_iter().collect::<Result<Vec<_>, _>>()?;

        let accounts = PartialTrie::open(self.nodes, self.root)
            .map_err(|source| TrieError::account(*first, source))?;
        apply(accounts, updates)
    }

    /// Updates the storage of one account and encodes its new leaf.
    fn updated_account(
        &self,
        address: Address,
        change: &AccountChange,
    ) -> Result<UpdatedAccount<'a>, TrieError> {
        let key = keccak256(address);
        let mut guesses = Vec::new();
        let Some(AccountFields { nonce, balance, code_hash }) = change.account else {
            return Ok(UpdatedAccount { address, key, leaf: None, storage: None, guesses });
        };
        let before = self.storage_root_before(address, change)?;
        let storage = self.updated_storage(address, before, &change.slots, &mut guesses)?;
        let storage_root = storage.as_ref().map_or(before, PartialTrie::root);
        let account = TrieAccount::new(nonce, balance, storage_root, code_hash);
        Ok(UpdatedAccount {
            address,
            key,
            leaf: Some(alloy_rlp::encode(account)),
            storage,
            guesses,
        })
    }

    /// The root of the storage that the slots are written to.
    fn storage_root_before(
        &self,
        address: Address,
        change: &AccountChange,
    ) -> Result<B256, TrieError> {
        if change.storage_cleared {
            return Ok(EMPTY_ROOT_HASH);
        }
        Ok(self.account(address)?.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
    }

    /// Writes slots into the storage with this root; `None` if there are no slots.
    fn updated_storage(
        &self,
        address: Address,
        root: B256,
        slots: &[(U256, U256)],
        guesses: &mut Vec<Guess>,
    ) -> Result<Option<PartialTrie<'a>>, TrieError> {
        let Some((first, _)) = slots.first() else { return Ok(None) };
        let mut trie = PartialTrie::open(self.nodes, root)
            .map_err(|source| TrieError::slot(address, *first, source))?;
        for (slot, value) in slots.iter().filter(|(_, value)| !value.is_zero()) {
            trie.insert(slot_key(*slot), alloy_rlp::encode(value))
                .map_err(|source| TrieError::slot(address, *slot, source))?;
        }
        // Deletions come last: see `remove`.
        for (slot, _) in slots.iter().filter(|(_, value)| value.is_zero()) {
            let guessed = trie
                .remove(slot_key(*slot))
                .map_err(|source| TrieError::slot(address, *slot, source))?;
            guesses.extend(guessed.map(|hash| Guess { address, slot: Some(*slot), hash }));
        }
        Ok(Some(trie))
    }
}

/// Writes the changed accounts into the account trie and hashes it.
fn apply<'a>(
    mut accounts: PartialTrie<'a>,
    updates: Vec<UpdatedAccount<'a>>,
) -> Result<UpdatedTrie<'a>, TrieError> {
    let mut removed = Vec::new();
    let (mut tries, mut guesses) = (Vec::new(), Vec::new());
    for UpdatedAccount { address, key, leaf, storage, guesses: in_storage } in updates {
        tries.extend(storage);
        guesses.extend(in_storage);
        match leaf {
            Some(leaf) => {
                accounts.insert(key, leaf).map_err(|source| TrieError::account(address, source))?
            }
            None => removed.push((address, key)),
        }
    }
    // Deletions come last: see `remove`.
    for (address, key) in removed {
        let guessed = accounts.remove(key).map_err(|source| TrieError::account(address, source))?;
        guesses.extend(guessed.map(|hash| Guess { address, slot: None, hash }));
    }
    let root = accounts.root();
    tries.push(accounts);
    Ok(UpdatedTrie { root, guesses, tries })
}

/// The key of a slot in its storage trie.
fn slot_key(slot: U256) -> B256 {
    keccak256(B256::from(slot))
}
