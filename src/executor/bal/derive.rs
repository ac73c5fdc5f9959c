//! Derives the block access list of a block from an execution in order.
//!
//! revm builds the list from the journals of system calls and transactions, as a block builder
//! does. From Cancun on the list is complete. Two older effects cannot be expressed in it, and are
//! recorded beside it. Until EIP-161 an account can exist and be empty. Until EIP-6780 a contract's
//! whole storage can be cleared, including slots that no transaction accessed.

use super::error::ListError;
use crate::{
    block::ReplayJob,
    evm::run_block,
    executor::{ExecuteError, committer::State},
    state::{BlockState, StateError},
};
use alloy_consensus::BlockHeader as _;
use alloy_eips::eip7928::compute_block_access_list_hash;
use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    bytecode::Bytecode,
    state::{
        Account, AccountInfo, EvmStorage,
        bal::{Bal, BlockAccessIndex},
    },
};
use std::{cell::Cell, collections::BTreeMap};

/// A block's list, and the effects that it cannot express.
#[derive(Debug, Default)]
pub(super) struct Derived {
    pub(super) list: Bal,
    /// For each account that was empty before or after an index: whether it exists after that
    /// index. Indices are ascending.
    pub(super) empty: AddressMap<BTreeMap<u64, bool>>,
    /// For each account with a cleared storage: the indices that created or removed the account,
    /// ascending.
    pub(super) emptied: AddressMap<Vec<u64>>,
}

/// Executes the block in order. If the header has a hash of the list, the hash is checked.
///
/// # Errors
/// The block is invalid, the pre-state lacks a value that the block reads, or the hash differs.
pub(super) fn derive(job: &ReplayJob) -> Result<Derived, ExecuteError> {
    let storage = job.instant_storage();
    let (state, derived) = (BlockState::new(&storage), Derived::default());
    let listing = Listing { state, index: Cell::new(0), derived };
    let between = |done: usize, listing: &Listing<'_>| {
        listing.index.set(super::table::index_of(done));
        Ok::<(), ExecuteError>(())
    };
    let (_, listing) = run_block(&job.context(), &job.transactions, listing, between)?;
    if let Some(expected) = job.header.block_access_list_hash() {
        check_hash(&listing.derived.list, expected)?;
    }
    Ok(listing.derived)
}

fn check_hash(list: &Bal, expected: B256) -> Result<(), ListError> {
    let actual = compute_block_access_list_hash(&list.clone().into_alloy_bal());
    if actual == expected { Ok(()) } else { Err(ListError::Hash { expected, actual }) }
}

/// A state that records all changes committed to it.
#[derive(Debug)]
struct Listing<'a> {
    state: State<'a>,
    index: Cell<u64>,
    derived: Derived,
}

impl Listing<'_> {
    fn note(&mut self, address: Address, account: &Account) {
        let index = self.index.get();
        if self.derived.emptied.contains_key(&address) {
            self.list_again(BlockAccessIndex::new(index), address, account);
        } else {
            self.derived.list.update_account(BlockAccessIndex::new(index), address, account);
        }
        if !account.is_touched() {
            return;
        }
        // An empty account is removed together with its storage (EIP-161).
        if account.is_created() || account.is_selfdestructed() || account.is_empty() {
            let emptied = self.derived.emptied.entry(address).or_default();
            if emptied.last() != Some(&index) {
                emptied.push(index);
            }
        }
    }

    /// Adds the changes of an account with a cleared storage. The function `update_account` of revm
    /// compares a slot with the value that it listed last. It does not know that the slot was zero
    /// in between. It would omit a value that is written again. It would also list a write of zero
    /// where the slot is only read.
    fn list_again(&mut self, index: BlockAccessIndex, address: Address, account: &Account) {
        let mut fields = account.clone();
        fields.storage = EvmStorage::default();
        self.derived.list.update_account(index, address, &fields);
        let Some(listed) = self.derived.list.accounts.get_mut(&address) else { return };
        for (slot, value) in &account.storage {
            let after = if account.is_selfdestructed() { U256::ZERO } else { value.present_value };
            let writes = listed.storage.storage.entry(*slot).or_default();
            if after != value.original_value {
                writes.force_update(index, after);
            }
        }
    }

    /// Whether the account exists and is empty.
    fn is_there_and_empty(&self, address: Address) -> bool {
        let info = self.state.basic_ref(address).ok().flatten();
        info.is_some_and(|info| info.is_empty())
    }
}

impl DatabaseCommit for Listing<'_> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        self.commit_iter(&mut changes.into_iter());
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        for (address, account) in changes {
            self.note(address, &account);
            let was_empty = self.is_there_and_empty(address);
            self.state.commit_iter(&mut std::iter::once((address, account)));
            let is_empty = self.is_there_and_empty(address);
            if was_empty || is_empty {
                let noted = self.derived.empty.entry(address).or_default();
                noted.insert(self.index.get(), is_empty);
            }
        }
    }
}

impl Database for Listing<'_> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        self.state.basic_ref(address)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        self.state.code_by_hash_ref(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.state.storage_ref(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        self.state.block_hash_ref(number)
    }
}
