//! A database wrapper that reports each read before it happens.

use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit,
    bytecode::Bytecode,
    state::{Account, AccountInfo},
};
use std::fmt;

/// An item that the EVM loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// Balance, nonce and code of an account.
    Account(Address),
    /// A slot, by key.
    Slot(Address, U256),
}

/// Calls `on_read` before each read of an account or slot.
pub struct Watched<DB, F> {
    db: DB,
    on_read: F,
}

impl<DB, F> Watched<DB, F> {
    /// Wraps `db`.
    pub const fn new(db: DB, on_read: F) -> Self {
        Self { db, on_read }
    }
}

impl<DB: fmt::Debug, F> fmt::Debug for Watched<DB, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("db", &self.db).finish_non_exhaustive()
    }
}

impl<DB: Database, F: FnMut(Read)> Database for Watched<DB, F> {
    type Error = DB::Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, DB::Error> {
        (self.on_read)(Read::Account(address));
        self.db.basic(address)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, DB::Error> {
        self.db.code_by_hash(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, DB::Error> {
        (self.on_read)(Read::Slot(address, slot));
        self.db.storage(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, DB::Error> {
        self.db.block_hash(number)
    }
}

impl<DB: DatabaseCommit, F> DatabaseCommit for Watched<DB, F> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        self.db.commit(changes);
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        self.db.commit_iter(changes);
    }
}
