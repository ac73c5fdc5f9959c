//! Who wrote where last, for whoever watches and wants to know whose write made an attempt wrong.
//!
//! Nothing is decided by this. Only what the state before the block has numbers for is noted, since
//! watchers call places by numbers.

use crate::{
    executor::{
        access::{Location, TxIndex},
        worker::TxOutcome,
    },
    state::IndexedState,
};
use alloy_primitives::{Address, U256, map::HashMap};
use revm::state::Account;

/// A part of an account that transactions conflict over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Balance,
    Nonce,
    Code,
    /// By its key.
    Slot(U256),
}

/// The last committed writer of every location.
#[derive(Debug)]
pub(super) struct LastWriters<'a> {
    numbers: &'a IndexedState,
    writers: HashMap<Location, TxIndex>,
}

impl<'a> LastWriters<'a> {
    /// Nobody wrote anything yet.
    pub(super) fn new(numbers: &'a IndexedState) -> Self {
        Self { numbers, writers: HashMap::default() }
    }

    /// By its numbers; `None` if the account has none.
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

    /// Who wrote there last, if anybody of this block did.
    pub(super) fn of(&self, at: Location) -> Option<TxIndex> {
        self.writers.get(&at).copied()
    }

    /// The next transaction commits. Its fee is the last thing that it writes.
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

/// What of an account a transaction changed.
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
