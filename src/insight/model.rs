//! Defines conflict models, which turn recorded accesses into reads and writes.
//!
//! Engines detect conflicts at different granularity. Some lock or version whole accounts. Others distinguish
//! balance, nonce, code and slots, and know that additions commute. Each [`Model`] turns the same recorded
//! accesses into reads and writes of [`Spot`]s. One rule then derives the dependencies for all models.

use crate::{
    evm::PLAIN_TRANSFER_GAS,
    execution::{
        access::TxAccess,
        dependency::Dependency,
        location::{AccountNumber, Location, Write},
    },
};
use alloy_primitives::U256;
use std::collections::BTreeSet;

/// A unit of conflict detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spot {
    /// A balance, nonce, code, storage or slot.
    Field(Location),
    /// A whole account.
    Account(AccountNumber),
}

impl Spot {
    /// The account of the spot.
    pub const fn account(self) -> AccountNumber {
        match self {
            Self::Field(location) => account(location),
            Self::Account(account) => account,
        }
    }
}

const fn account(location: Location) -> AccountNumber {
    match location {
        Location::Balance(at)
        | Location::Nonce(at)
        | Location::Code(at)
        | Location::Storage(at)
        | Location::Slot(at, _)
        | Location::OtherSlot(at, _) => at,
    }
}

/// A conflict model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// No conflicts: all values that a transaction reads are known beforehand.
    Independent,
    /// A conflict is a read of a field that another transaction wrote. Three refinements apply. Additions to
    /// balances commute, a balance that pays need only be sufficient, and senders' nonces are known beforehand.
    Fields,
    /// Like `Fields`, without one of the three refinements.
    FieldsBut(Ordered),
    /// A conflict is an access to an account that another transaction changed, the beneficiary included.
    Accounts,
    /// Like `Accounts`, but the beneficiary's fee and the payment of a plain transfer are additions without a
    /// read.
    AccountsDeferred,
}

/// A refinement that a model does without. The operation then happens in block order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// Payment of the beneficiary's fee.
    Fees,
    /// Increment of the sender's nonce.
    Nonces,
    /// Load and change of a balance, except for the beneficiary's fee.
    Balances,
}

impl Ordered {
    /// All refinements.
    pub const ALL: [Self; 3] = [Self::Fees, Self::Nonces, Self::Balances];
}

/// Reads and writes of a transaction under a model.
#[derive(Debug, Default)]
pub(super) struct Touches {
    pub(super) reads: Vec<(Spot, Dependency)>,
    pub(super) writes: Vec<(Spot, Write)>,
}

impl Touches {
    /// Adds a read of the spot and a write of a new value.
    fn update(&mut self, spot: Spot) {
        self.reads.push((spot, Dependency::Exact));
        self.writes.push((spot, Write::Set(U256::ZERO)));
    }
}

impl Model {
    pub(super) fn touches(self, access: &TxAccess, beneficiary: Option<AccountNumber>) -> Touches {
        match self {
            Self::Independent => Touches::default(),
            Self::Fields => fields(access),
            Self::FieldsBut(Ordered::Nonces) => nonces_in_order(access),
            Self::FieldsBut(Ordered::Fees) => fees_in_order(access, beneficiary),
            Self::FieldsBut(Ordered::Balances) => balances_in_order(access, beneficiary),
            Self::Accounts => accounts(access),
            Self::AccountsDeferred => accounts_deferred(access, beneficiary),
        }
    }
}

fn fields(access: &TxAccess) -> Touches {
    Touches {
        reads: access.reads.iter().map(|(at, need)| (Spot::Field(*at), *need)).collect(),
        writes: access.writes.iter().map(|(at, write)| (Spot::Field(*at), *write)).collect(),
    }
}

fn nonces_in_order(access: &TxAccess) -> Touches {
    let mut touches = fields(access);
    for (_, need) in touches.reads.iter_mut().filter(|(_, need)| *need == Dependency::Known) {
        *need = Dependency::Exact;
    }
    touches
}

fn fees_in_order(access: &TxAccess, beneficiary: Option<AccountNumber>) -> Touches {
    let mut touches = fields(access);
    if let Some(beneficiary) = beneficiary {
        touches.update(Spot::Field(Location::Balance(beneficiary)));
    }
    touches
}

fn balances_in_order(access: &TxAccess, beneficiary: Option<AccountNumber>) -> Touches {
    let mut touches = fields(access);
    let loaded = loaded(access);
    let balance = |at: AccountNumber| Spot::Field(Location::Balance(at));
    touches.reads.extend(loaded.iter().map(|at| (balance(*at), Dependency::Exact)));
    let changed: Vec<_> = balances_changed(access).collect();
    for at in changed {
        if loaded.contains(&at) || Some(at) != beneficiary {
            touches.update(balance(at));
        }
    }
    touches
}

/// The accounts that the transaction loaded. A load reads the code of the account.
fn loaded(access: &TxAccess) -> BTreeSet<AccountNumber> {
    access.reads.iter().map(|(location, _)| account(*location)).collect()
}

fn balances_changed(access: &TxAccess) -> impl Iterator<Item = AccountNumber> {
    access.writes.iter().filter_map(|(location, _)| match location {
        Location::Balance(at) => Some(*at),
        _ => None,
    })
}

fn changed(access: &TxAccess) -> BTreeSet<AccountNumber> {
    access.writes.iter().map(|(location, _)| account(*location)).collect()
}

fn accounts(access: &TxAccess) -> Touches {
    let mut touches = Touches::default();
    let changed = changed(access);
    for at in loaded(access).union(&changed) {
        touches.reads.push((Spot::Account(*at), Dependency::Exact));
    }
    touches.writes.extend(changed.iter().map(|at| (Spot::Account(*at), Write::Set(U256::ZERO))));
    touches
}

fn accounts_deferred(access: &TxAccess, beneficiary: Option<AccountNumber>) -> Touches {
    let loaded = loaded(access);
    let is_fee = |at: AccountNumber| Some(at) == beneficiary && !loaded.contains(&at);
    let is_plain = access.gas == PLAIN_TRANSFER_GAS;
    let is_paid = |at: AccountNumber| is_plain && !sends(access, at);
    let mut touches = accounts(access);
    touches.reads.retain(|(spot, _)| !is_fee(spot.account()) && !is_paid(spot.account()));
    for (spot, write) in &mut touches.writes {
        if is_fee(spot.account()) || is_paid(spot.account()) {
            *write = Write::Add(U256::ONE);
        }
    }
    touches
}

/// Whether `at` is the sender. Only the sender's nonce is known.
fn sends(access: &TxAccess, at: AccountNumber) -> bool {
    access.reads.contains(&(Location::Nonce(at), Dependency::Known))
}
