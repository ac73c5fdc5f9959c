//! The access list that a block has or would have, from executing it in order.
//!
//! revm builds the list out of the journals of system calls and transactions, as a client does that makes a
//! block. From Cancun on it says everything. Before, two things happened that it has no words for, which
//! are noted beside it: an account could exist with nothing in it (until EIP-161), and a contract's storage
//! could vanish as a whole, slots that nobody accessed included (until EIP-6780).

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

/// A block's list, and what it cannot say.
#[derive(Debug, Default)]
pub(super) struct Derived {
    pub(super) list: Bal,
    /// Whether accounts with nothing in them, before or after, existed after which indices, ascending.
    pub(super) empty: AddressMap<BTreeMap<u64, bool>>,
    /// Whose storage was emptied at which indices, ascending, by creating or removing the account.
    pub(super) emptied: AddressMap<Vec<u64>>,
}

/// Executes the block in order, and checks the list's hash where the header has one.
///
/// # Errors
/// The block is invalid, the pre-state lacks what it reads, or the hash is another.
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

/// A state that writes down what is committed to it.
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
        // What is left with nothing in it is removed (EIP-161), its storage with it.
        if account.is_created() || account.is_selfdestructed() || account.is_empty() {
            let emptied = self.derived.emptied.entry(address).or_default();
            if emptied.last() != Some(&index) {
                emptied.push(index);
            }
        }
    }

    /// Lists an account whose storage was emptied. revm compares a slot with the value that it listed last, as
    /// it does not know that the slot was zero in between: it would leave out that value where it is written
    /// again, and take a zero that is read for one that is written.
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

    /// Whether the account exists with nothing in it.
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
