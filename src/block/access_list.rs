//! The block access list (EIP-7928) of a block: derived by executing the block in order, and its own.
//!
//! revm builds the list from the journals of system calls and transactions, as a client does when it builds
//! a block. From Cancun on the list is complete. Two older effects cannot be expressed in it and are recorded
//! beside it. Until EIP-161 an account can exist and be empty. Until EIP-6780 a contract's whole storage can be
//! cleared, including slots that no transaction accessed.

mod difference;
mod own;
#[cfg(test)]
mod tests;

pub use difference::{ListDifference, ListedField, MalformedList};
pub use own::{OwnList, WrongList};

use super::{PrepareError, ReplayJob};
use crate::{
    evm::{FailedPhase, run_block},
    state::{BlockState, StateError, Storage},
};
use alloy_eips::eip7928::{AccountChanges, compute_block_access_list_hash, total_bal_items};
use alloy_primitives::{Address, B256, U256, map::AddressMap};
use own::GivenList;
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    bytecode::Bytecode,
    state::{
        Account, AccountInfo, EvmStorage,
        bal::{Bal, BlockAccessIndex},
    },
};
use std::{borrow::Cow, cell::Cell, collections::BTreeMap};

/// A transaction's index in the list. Index 0 stands for the system calls before the transactions, and the
/// index after the last transaction for the phases after them.
pub const fn index_of(tx: usize) -> u64 {
    tx as u64 + 1
}

/// The transaction of an index in the list; `None` for the index before the transactions.
pub const fn transaction_of(index: u64) -> Option<usize> {
    match index.checked_sub(1) {
        Some(tx) => Some(tx as usize),
        None => None,
    }
}

/// A block's access list, and the facts that it cannot express.
#[derive(Debug, Default)]
pub struct DerivedList {
    /// The list in revm's form.
    pub list: Bal,
    /// For accounts that were empty before or after the block: whether they existed after an index, ascending.
    pub empty: AddressMap<BTreeMap<u64, bool>>,
    /// Indices at which an account's storage was removed, by creation or removal of the account, ascending.
    pub emptied: AddressMap<Vec<u64>>,
}

/// Hash and size of a block access list, as the header and the gas limit constrain them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessListFacts {
    /// Keccak-256 of the list's RLP.
    pub hash: B256,
    /// Accounts and storage keys in the list.
    pub items: u64,
}

/// Known facts of a block's access list, from Amsterdam on.
#[derive(Debug)]
pub struct BlockAccessList {
    /// Hash and size of the list that the execution gives.
    pub executed: AccessListFacts,
    /// The list that the header commits to; `None` if neither a node nor the execution gives one with its hash.
    pub own: Option<OwnList>,
}

impl BlockAccessList {
    /// Derives a block's list by execution and compares the list of a node with it. `given` is the RLP of that list, or
    /// empty. The derived list takes its place then, and is the block's own if the header has its hash.
    ///
    /// # Errors
    /// The block is invalid, the pre-state lacks a value that it reads, or the given list is not the block's.
    pub(super) fn of(job: &ReplayJob, stated: B256, given: &[u8]) -> Result<Self, PrepareError> {
        let list = derive_access_list(job)?.into_canonical();
        let executed = AccessListFacts::of(&list);
        let given = match given {
            [] => Cow::Owned(alloy_rlp::encode(&list)),
            given => Cow::Borrowed(given),
        };
        let given = GivenList::new(&given, job.transactions.len());
        let own = given.check(stated, (&list, executed.hash))?;
        Ok(Self { executed, own })
    }
}

impl AccessListFacts {
    /// Hash and number of items of a list.
    fn of(list: &[AccountChanges]) -> Self {
        Self { hash: compute_block_access_list_hash(list), items: total_bal_items(list) }
    }
}

impl DerivedList {
    /// Hash and number of items.
    pub fn facts(&self) -> AccessListFacts {
        AccessListFacts::of(&self.list.clone().into_alloy_bal())
    }

    /// The list in the order and form of EIP-7928.
    pub fn into_canonical(self) -> Vec<AccountChanges> {
        self.list.into_alloy_bal()
    }
}

/// Whether a transaction empties the account's storage: by its creation or removal, or because the account ends
/// empty and is removed (EIP-161).
pub fn empties_storage(account: &Account) -> bool {
    account.is_touched()
        && (account.is_created() || account.is_selfdestructed() || account.is_empty())
}

/// Executes the block in order and derives its list.
///
/// # Errors
/// The block is invalid, or the pre-state lacks a value that it reads.
pub fn derive_access_list(job: &ReplayJob) -> Result<DerivedList, FailedPhase> {
    let storage = job.instant_storage();
    let (state, derived) = (BlockState::new(&storage), DerivedList::default());
    let listing = Listing { state, index: Cell::new(0), derived };
    let between = |done: usize, listing: &Listing<'_>| {
        listing.index.set(index_of(done));
        Ok::<(), FailedPhase>(())
    };
    let (_, listing) = run_block(&job.context(), &job.transactions, listing, between)?;
    Ok(listing.derived)
}

/// A state that writes down what is committed to it.
#[derive(Debug)]
struct Listing<'a> {
    state: BlockState<&'a Storage<'a>>,
    index: Cell<u64>,
    derived: DerivedList,
}

impl Listing<'_> {
    fn note(&mut self, address: Address, account: &Account) {
        let index = self.index.get();
        if self.derived.emptied.contains_key(&address) {
            self.list_again(BlockAccessIndex::new(index), address, account);
        } else {
            self.derived.list.update_account(BlockAccessIndex::new(index), address, account);
        }
        if empties_storage(account) {
            let emptied = self.derived.emptied.entry(address).or_default();
            if emptied.last() != Some(&index) {
                emptied.push(index);
            }
        }
    }

    /// Lists an account after its storage was emptied. revm compares a slot with the value that it listed
    /// last, and does not know that the slot was zero in between. It would omit that value when the block writes
    /// it again, and would list a zero that the block only reads as a write.
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
