//! The last writer of each location, in a profiled run. It names the write that made an attempt
//! invalid.
//!
//! Execution does not depend on this. Only accounts with a number in the pre-state are recorded, as
//! profiles name locations by numbers.

use crate::{
    execution::{
        location::{Location, TxIndex},
        worker::TxOutcome,
    },
    state::IndexedState,
};
use alloy_primitives::{Address, U256, map::HashMap};
use revm::state::Account;

/// A part of an account that transactions can conflict over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Balance,
    Nonce,
    Code,
    /// The slot with this key.
    Slot(U256),
}

/// The last committed writer of each location.
#[derive(Debug)]
pub(super) struct LastWriters<'a> {
    numbers: &'a IndexedState,
    writers: HashMap<Location, TxIndex>,
}

impl<'a> LastWriters<'a> {
    /// Starts without writers.
    pub(super) fn new(numbers: &'a IndexedState) -> Self {
        Self { numbers, writers: HashMap::default() }
    }

    /// The location by its numbers; `None` if the account has no number.
    pub(super) fn location(&self, address: Address, field: Field) -> Option<Location> {
        let account = self.numbers.account(address).ok()?;
        let number = account.number;
        Some(match field {
            Field::Balance => Location::Balance(number),
            Field::Nonce => Location::Nonce(number),
            Field::Code => Location::Code(number),
            Field::Slot(key) => match account.slot(key) {
                Ok(Some(slot)) => Location::Slot(number, slot.number),
                _ => Location::OtherSlot(number, key),
            },
        })
    }

    /// The last writer of a location within the block.
    pub(super) fn of(&self, at: Location) -> Option<TxIndex> {
        self.writers.get(&at).copied()
    }

    /// Adds the writes of the next transaction. The deferred fee is its last write.
    pub(super) fn note(&mut self, tx: TxIndex, outcome: &TxOutcome, beneficiary: Address) {
        for (address, account) in outcome.state.iter().filter(|(_, account)| account.is_touched()) {
            changed(account).for_each(|field| self.wrote(tx, *address, field));
        }
        if outcome.deferred_fee.is_some() {
            self.wrote(tx, beneficiary, Field::Balance);
        }
    }

    fn wrote(&mut self, tx: TxIndex, address: Address, field: Field) {
        if let Some(at) = self.location(address, field) {
            self.writers.insert(at, tx);
        }
    }
}

/// The fields of an account that a transaction changed.
fn changed(account: &Account) -> impl Iterator<Item = Field> {
    let before = account.original_info();
    let fields = [
        (Field::Balance, before.balance != account.info.balance),
        (Field::Nonce, before.nonce != account.info.nonce),
        (Field::Code, before.code_hash != account.info.code_hash),
    ];
    let fields = fields.into_iter().filter_map(|(field, is_changed)| is_changed.then_some(field));
    fields.chain(account.changed_storage_slots().map(|(key, _)| Field::Slot(*key)))
}
