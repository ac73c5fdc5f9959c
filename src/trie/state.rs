//! Accounts and storage as the witness proves them, and the state root after a block.
//!
//! This file knows that keys are hashes of addresses and slots, and how leaves are encoded. The other files
//! walk and change a trie.
//!
//! The accounts of a block are independent until their leaves are written to the account trie, and the children
//! of a branch are independent until the branch is hashed. Both are worked on in parallel. Errors are collected
//! in the order of the hashed keys, so the reported error does not depend on the threads.

use std::borrow::Cow;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use rayon::prelude::*;

use super::{
    change::{ChangeError, Changes},
    early::{EarlyStorage, EarlyStorages},
    error::TrieError,
    lookup::find,
    partial::PartialTrie,
    store::{NewNodes, NodeStore},
};
use crate::state::{AccountChange, AccountFields, PostState};

/// The state with a trusted root, as far as the nodes of a witness prove it.
#[derive(Clone, Copy, Debug)]
pub struct StateTrie<'a> {
    pub(super) nodes: &'a NodeStore,
    pub(super) root: B256,
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

/// Storage tries with their accounts.
type StorageTries<'a> = Vec<(Address, PartialTrie<'a>)>;

/// The state root after a block, and the tries that it was computed with.
///
/// The tries are kept so that a benchmark can drop them after its timer stops. They also provide the new nodes
/// for the next block.
#[derive(Clone, Debug)]
pub struct UpdatedTrie<'a> {
    root: B256,
    guesses: Vec<Guess>,
    /// The trie of accounts; `None` if nothing changed.
    accounts: Option<PartialTrie<'a>>,
    /// The changed storage tries.
    storages: StorageTries<'a>,
    /// Number of slots that were written early, and again at the end.
    written_again: usize,
}

/// The account leaf after a block, and the storage trie that its root comes from.
#[derive(Debug, Default)]
struct UpdatedAccount<'a> {
    /// The value of the leaf; `None` to remove the leaf.
    leaf: Option<Vec<u8>>,
    /// The working trie, if a slot was written.
    storage: Option<PartialTrie<'a>>,
    /// Guesses made in the storage trie.
    guesses: Vec<Guess>,
    /// Number of slots that were written early, and again at the end.
    written_again: usize,
}

/// The storage trie of an account after the block.
#[derive(Debug)]
struct UpdatedStorage<'a> {
    trie: PartialTrie<'a>,
    guesses: Vec<Guess>,
    written_again: usize,
}

/// The results of all changed accounts besides their leaves.
struct UpdatedLeaves<'a> {
    storages: StorageTries<'a>,
    guesses: Vec<Guess>,
    written_again: usize,
}

impl<'a> UpdatedTrie<'a> {
    /// The state root after the block.
    pub fn root(&self) -> B256 {
        self.root
    }

    /// The nodes that were opened or created. Together with the nodes of the previous state they contain the
    /// whole new state.
    pub fn new_nodes(&self) -> NewNodes {
        let mut kept = NewNodes::default();
        for trie in self.tries() {
            trie.keep_nodes(&mut kept);
        }
        kept
    }

    /// The trie of accounts and the storage tries that changed.
    fn tries(&self) -> impl Iterator<Item = &PartialTrie<'a>> {
        self.storages.iter().map(|(_, trie)| trie).chain(&self.accounts)
    }

    /// The part of [`UpdatedTrie::new_nodes`] of each changed storage trie.
    pub fn storage_nodes(&self) -> impl Iterator<Item = (Address, NewNodes)> {
        self.storages.iter().map(|(address, trie)| {
            let mut kept = NewNodes::default();
            trie.keep_nodes(&mut kept);
            (*address, kept)
        })
    }

    /// Hashes of the nodes beside the paths of the changes that the root depends on. After a deletion, such a node
    /// takes the place of its parent.
    pub fn siblings(&self) -> impl Iterator<Item = B256> {
        self.tries().flat_map(PartialTrie::siblings).copied()
    }

    /// Number of slots that were written early and again at the end, since a later transaction had changed them.
    pub fn written_again(&self) -> usize {
        self.written_again
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
    /// Work runs on the current rayon pool. The paths of the changed accounts are opened first, since a leaf holds
    /// the root of the account's storage. Then the storage tries are updated, and the leaves written. A deletion
    /// may require a guess, see [`PartialTrie::write`]. So the caller must compare the root with the header's.
    ///
    /// # Errors
    ///
    /// [`TrieError::Account`] or [`TrieError::Slot`] for the first change, in the order of hashed keys, that has
    /// no proved path.
    pub fn root_after(&self, post: &PostState) -> Result<UpdatedTrie<'a>, TrieError> {
        self.root_after_early(post, EarlyStorages::new())
    }

    /// As [`Self::root_after`], with storage tries that were updated while the block ran.
    ///
    /// # Errors
    ///
    /// As [`Self::root_after`].
    pub fn root_after_early(
        &self,
        post: &PostState,
        early: EarlyStorages<'a>,
    ) -> Result<UpdatedTrie<'a>, TrieError> {
        let accounts = &post.accounts;
        let Some((first, _)) = accounts.first() else {
            let (root, guesses, storages) = (self.root, Vec::new(), Vec::new());
            return Ok(UpdatedTrie { root, guesses, accounts: None, storages, written_again: 0 });
        };
        let unproved =
            |error: ChangeError| TrieError::account(accounts[error.index].0, error.source);
        let mut trie = PartialTrie::open(self.nodes, self.root)
            .map_err(|source| TrieError::account(*first, source))?;
        let keys = accounts.par_iter().map(|(address, _)| keccak256(address));
        let mut changes = Changes::new(keys.collect::<Vec<_>>().into_iter().map(|key| (key, None)));
        trie.open_paths(&mut changes).map_err(unproved)?;

        let leaves = self.write_leaves(accounts, &trie, &mut changes, early)?;
        let UpdatedLeaves { storages, guesses, written_again } = leaves;
        let guessed = trie.write(changes).map_err(unproved)?;
        let guessed = guessed.into_iter().map(|(index, hash)| Guess {
            address: accounts[index].0,
            slot: None,
            hash,
        });
        let guesses = guesses.into_iter().chain(guessed).collect();
        let root = trie.root();
        Ok(UpdatedTrie { root, guesses, accounts: Some(trie), storages, written_again })
    }

    /// Computes the new leaf of each changed account.
    fn write_leaves(
        &self,
        accounts: &[(Address, AccountChange)],
        trie: &PartialTrie<'_>,
        changes: &mut Changes,
        mut early: EarlyStorages<'a>,
    ) -> Result<UpdatedLeaves<'a>, TrieError> {
        let early = changes.0.iter().map(|change| early.remove(&accounts[change.index].0));
        let early: Vec<_> = early.collect();
        let updated = changes.0.par_iter().zip(early).map(|(change, early)| {
            let (address, after) = &accounts[change.index];
            self.updated_account(*address, after, trie.value(&change.key), early)
        });
        // Collecting into a `Result` directly would take a lock and would report the error that comes first in
        // time.
        let updated: Vec<_> = updated.collect();
        let (mut storages, mut guesses, mut written_again) = (Vec::new(), Vec::new(), 0);
        for (change, account) in changes.0.iter_mut().zip(updated) {
            let account = account?;
            change.value = account.leaf;
            storages.extend(account.storage.map(|trie| (accounts[change.index].0, trie)));
            guesses.extend(account.guesses);
            written_again += account.written_again;
        }
        Ok(UpdatedLeaves { storages, guesses, written_again })
    }

    /// Updates the storage of one account, which had this leaf, and encodes its new leaf.
    fn updated_account(
        &self,
        address: Address,
        change: &AccountChange,
        leaf: Option<&[u8]>,
        early: Option<Box<EarlyStorage<'a>>>,
    ) -> Result<UpdatedAccount<'a>, TrieError> {
        let Some(AccountFields { nonce, balance, code_hash }) = change.account else {
            return Ok(UpdatedAccount::default());
        };
        let before = match leaf {
            Some(leaf) if !change.storage_cleared => self.storage_root(address, leaf)?,
            _ => EMPTY_ROOT_HASH,
        };
        let storage = self.updated_storage(address, before, &change.slots, early)?;
        let storage_root = storage.as_ref().map_or(before, |storage| storage.trie.root());
        let account = TrieAccount::new(nonce, balance, storage_root, code_hash);
        let leaf = Some(alloy_rlp::encode(account));
        let Some(UpdatedStorage { trie, guesses, written_again }) = storage else {
            return Ok(UpdatedAccount { leaf, ..UpdatedAccount::default() });
        };
        Ok(UpdatedAccount { leaf, storage: Some(trie), guesses, written_again })
    }

    /// The root of the storage of the account with this leaf.
    fn storage_root(&self, address: Address, leaf: &[u8]) -> Result<B256, TrieError> {
        match alloy_rlp::decode_exact::<TrieAccount>(leaf) {
            Ok(account) => Ok(account.storage_root),
            // The error names the node, which a walk to the leaf knows.
            Err(_) => Ok(self.account(address)?.unwrap_or_default().storage_root),
        }
    }

    /// Writes slots into the storage with this root; `None` if there are no slots. `early` has some of them.
    fn updated_storage(
        &self,
        address: Address,
        root: B256,
        slots: &[(U256, U256)],
        early: Option<Box<EarlyStorage<'a>>>,
    ) -> Result<Option<UpdatedStorage<'a>>, TrieError> {
        let Some((first, _)) = slots.first() else { return Ok(None) };
        let (mut trie, slots, written_again) = match early {
            Some(early) if early.is_of(root) => {
                let (trie, rest, again) = early.rest(slots);
                (trie, Cow::Owned(rest), again)
            }
            _ => {
                let trie = PartialTrie::open(self.nodes, root)
                    .map_err(|source| TrieError::slot(address, *first, source))?;
                (trie, Cow::Borrowed(slots), 0)
            }
        };
        let changes = slots.iter().map(|(slot, value)| {
            (slot_key(*slot), (!value.is_zero()).then(|| alloy_rlp::encode(value)))
        });
        let guessed = trie
            .write(Changes::new(changes))
            .map_err(|error| TrieError::slot(address, slots[error.index].0, error.source))?;
        let guesses = guessed.into_iter().map(|(index, hash)| {
            let slot = Some(slots[index].0);
            Guess { address, slot, hash }
        });
        Ok(Some(UpdatedStorage { guesses: guesses.collect(), trie, written_again }))
    }
}

/// The key of a slot in its storage trie.
pub(super) fn slot_key(slot: U256) -> B256 {
    keccak256(B256::from(slot))
}
