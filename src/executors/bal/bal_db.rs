//! The database of a worker: the state before one index, by the list.
//!
//! Indices are those of EIP-7928. The system calls before the transactions have index 0, and
//! transaction `n` has index `n + 1`. The work after the transactions has the number of
//! transactions plus 1. A value before an index is the last one that the list has for a lower
//! index, or else that of the pre-state. A read of something that the list does not name is an
//! error, because EIP-7928 requires a list to name every access.
//!
//! Accesses are recorded as well, since a list may not name anything else.

use super::table::{Index, ListedAccount, Origin, Table};
use crate::{
    execution::{ListError, codes::supply},
    state::Storage,
};
use alloy_primitives::{Address, B256, U256, map::B256Map};
use revm::{
    Database, DatabaseRef,
    bytecode::Bytecode,
    state::{Account, AccountId, AccountInfo},
};
use std::cell::RefCell;

/// The listed accounts and slots that one worker accessed, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched(Vec<bool>);

impl Touched {
    /// Ignores numbers that the list does not have.
    fn touch(&mut self, number: usize) {
        if let Some(touched) = self.0.get_mut(number) {
            *touched = true;
        }
    }

    /// Adds the accesses of another worker.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(touched, other)| *touched |= other);
    }

    fn is_touched(&self, number: usize) -> bool {
        self.0.get(number).copied().unwrap_or_default()
    }

    /// Checks that every listed account and slot was accessed.
    ///
    /// # Errors
    /// The first account or slot without an access.
    pub(super) fn check(&self, table: &Table) -> Result<(), ListError> {
        if self.0.iter().all(|touched| *touched) {
            return Ok(());
        }
        for account in table.accounts() {
            let address = account.address;
            if !self.is_touched(account.number) {
                return Err(ListError::account(address, true));
            }
            if let Some((slot, _)) =
                account.slots.iter().find(|(_, slot)| !self.is_touched(slot.number))
            {
                return Err(ListError::slot(address, *slot, true));
            }
        }
        Ok(())
    }
}

/// The state before one index, for one worker. For revm, the account id is the account's position
/// in the list. revm passes this id when it reads a slot.
#[derive(Debug)]
pub(super) struct BalDb<'a> {
    table: &'a Table,
    codes: &'a B256Map<Bytecode>,
    storage: &'a Storage<'a>,
    index: Index,
    touched: RefCell<Touched>,
}

impl<'a> BalDb<'a> {
    pub(super) fn new(
        table: &'a Table,
        codes: &'a B256Map<Bytecode>,
        storage: &'a Storage<'a>,
        index: Index,
    ) -> Self {
        let touched = RefCell::new(Touched(vec![false; table.count]));
        Self { table, codes, storage, index, touched }
    }

    /// Switches to another index.
    pub(super) const fn begin(&mut self, index: Index) {
        self.index = index;
    }

    /// The list.
    pub(super) const fn table(&self) -> &'a Table {
        self.table
    }

    /// The worker's codes.
    pub(super) const fn codes(&self) -> &'a B256Map<Bytecode> {
        self.codes
    }

    /// Marks the account or slot with this number as accessed.
    pub(super) fn touch(&self, number: usize) {
        self.touched.borrow_mut().touch(number);
    }

    /// Adds the accesses of another database.
    pub(super) fn touch_as(&self, other: &Self) {
        self.touched.borrow_mut().add(&other.touched.borrow());
    }

    /// A copy of the recorded accesses.
    pub(super) fn touched(&self) -> Touched {
        self.touched.borrow().clone()
    }

    /// Takes the recorded accesses.
    pub(super) fn take_touched(&self) -> Touched {
        self.touched.take()
    }

    /// The list's entry for an account of the journal.
    pub(super) fn loaded(
        &self,
        address: Address,
        account: &Account,
    ) -> Result<&'a ListedAccount, ListError> {
        match account.info.account_id.and_then(|id| self.table.accounts().get(id.get())) {
            Some(listed) => Ok(listed),
            None => self.table.account(address),
        }
    }

    fn slot(&self, account: &ListedAccount, slot: U256) -> Result<U256, ListError> {
        let address = account.address;
        let listed =
            account.slots.get(&slot).ok_or_else(|| ListError::slot(address, slot, false))?;
        self.touch(listed.number);
        let (value, origin) = listed.value(self.index);
        if origin == Origin::PreState {
            self.storage.wait_for(address, Some(slot));
        }
        Ok(value)
    }
}

impl DatabaseRef for BalDb<'_> {
    type Error = ListError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ListError> {
        let place = self.table.place(address)?;
        let account = &self.table.accounts()[place];
        self.touch(account.number);
        let (info, origin) = account.info(self.index);
        if origin == Origin::PreState {
            self.storage.wait_for(address, None);
        }
        let mut info = info.clone();
        if let Some(info) = &mut info {
            supply(info, self.codes);
            info.account_id = AccountId::new(place);
        }
        Ok(info)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ListError> {
        Ok(self.storage.code_by_hash_ref(hash)?)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ListError> {
        self.slot(self.table.account(address)?, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ListError> {
        Ok(self.storage.block_hash_ref(number)?)
    }
}

impl Database for BalDb<'_> {
    type Error = ListError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ListError> {
        self.basic_ref(address)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ListError> {
        self.code_by_hash_ref(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ListError> {
        self.storage_ref(address, slot)
    }

    fn storage_by_account_id(
        &mut self,
        _address: Address,
        account: AccountId,
        slot: U256,
    ) -> Result<U256, ListError> {
        self.slot(&self.table.accounts()[account.get()], slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ListError> {
        self.block_hash_ref(number)
    }
}
