//! Declared writers of each location, and the sources of each transaction.
//!
//! All lists of transactions are ascending, so the last writer before a transaction is found by
//! binary search ([`earlier`]). Only a read after a write orders two transactions
//! ([`Declared::sources`]). Two writers of one location may run in any order, because each value
//! stays in its own transaction's effects.
//!
//! Three kinds of reads have no source either. The first is the sender's nonce, which the block
//! contains. The second is the nonce of another account, if the transaction does not depend on it
//! ([`Declared::stale`]). An account that only its nonce keeps from being empty is excluded from
//! this. The third is a balance that was sufficient before the block already.

use crate::{
    block::ReplayJob,
    execution::{
        access::{Accesses, TxAccess},
        dependency::Dependency,
        location::{AccountNumber, Location, TxIndex},
        speculative_db::is_bare,
    },
    state::NumberedAccount,
};
use alloy_primitives::{U256, map::HashMap};
use revm::context_interface::Block as _;
use std::collections::BTreeSet;

/// Transactions that write one location, ascending.
type Writers = Vec<TxIndex>;

/// A list of transactions for each number. The lists lie in one allocation: every read looks at
/// several of them, most are empty, and so one cache line covers many lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Start of each list, and the end of the last one.
    starts: Vec<u32>,
    all: Writers,
}

impl Lists {
    fn new<'a>(lists: impl Iterator<Item = &'a Writers>) -> Self {
        let mut packed = Self { starts: vec![0], all: Writers::new() };
        for list in lists {
            packed.all.extend(list);
            packed.starts.push(packed.all.len() as u32);
        }
        packed
    }

    /// The list with this number.
    pub(super) fn of(&self, number: u32) -> &[TxIndex] {
        let at = number as usize;
        &self.all[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

/// Effect on an account of the system calls before the first transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BySystem {
    #[default]
    Nothing,
    Written,
    /// Written, and its whole storage cleared.
    Emptied,
}

impl BySystem {
    /// The effect on an account that they wrote to.
    pub(super) const fn of(is_emptied: bool) -> Self {
        if is_emptied { Self::Emptied } else { Self::Written }
    }
}

/// Declared accesses of a block's transactions.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// Writers of nonce, code or balance, by account number. The lists up to `visitors` are by
    /// account number, too.
    pub(super) info: Lists,
    /// Writers of nonce or code.
    pub(super) identity: Lists,
    /// Writers of code.
    pub(super) code: Lists,
    /// Transactions that clear the account's whole storage.
    pub(super) emptied: Lists,
    /// The transactions of `info`, and those that depend on the account's nonce or balance.
    pub(super) visitors: Lists,
    pub(super) by_system: Vec<BySystem>,
    /// Written slots without a number, by account.
    pub(super) unlisted: HashMap<AccountNumber, Vec<U256>>,
    /// Writers by slot number.
    pub(super) slots: Lists,
    /// Writers of slots without a number.
    other_slots: HashMap<(AccountNumber, U256), Writers>,
    /// For each transaction, the accounts with a balance that it depends on exactly.
    pub(super) exact: Vec<Vec<AccountNumber>>,
    /// For each transaction, the accounts with a changed nonce that it may read as they were before
    /// the block. Their code is unchanged.
    pub(super) stale: Vec<Vec<AccountNumber>>,
    /// Accounts that may change, ascending.
    pub(super) written: Vec<AccountNumber>,
    /// Sources of each transaction: the transactions that it reads from, ascending.
    pub(crate) sources: Vec<Vec<TxIndex>>,
}

/// The writers before `tx`, ascending.
pub(super) fn earlier(writers: &[TxIndex], tx: TxIndex) -> &[TxIndex] {
    &writers[..writers.partition_point(|writer| *writer < tx)]
}

impl Declared {
    /// Declares these accesses.
    pub(crate) fn new(job: &ReplayJob, accesses: &Accesses) -> Self {
        let mut found = Found::new(job);
        for (location, _) in &accesses.before_all {
            found.add_system(*location);
        }
        for (tx, access) in accesses.transactions.iter().enumerate() {
            access.writes.iter().for_each(|(location, _)| found.add(*location, tx));
            access.reads.iter().for_each(|(location, _)| found.add_visitor(*location, tx));
        }
        let mut declared = found.pack();
        for (tx, access) in accesses.transactions.iter().enumerate() {
            declared.exact.push(access.reads.iter().filter_map(exact_balance).collect());
            declared.stale.push(declared.stale_for(job, tx, access));
            declared.sources.push(Vec::from_iter(declared.sources_of(tx, access)));
        }
        declared.written = declared.written(job);
        declared
    }

    /// All written accounts, and the beneficiary.
    fn written(&self, job: &ReplayJob) -> Vec<AccountNumber> {
        let beneficiary = job.env.block_env.beneficiary();
        let is_written = |account: &&NumberedAccount| {
            let number = account.number;
            let mut slots = account.slot_numbers().map(|slot| self.slots.of(slot));
            account.address == beneficiary
                || self.by_system[number as usize] != BySystem::Nothing
                || !(self.info.of(number).is_empty() && self.emptied.of(number).is_empty())
                || self.unlisted.contains_key(&number)
                || slots.any(|writers| !writers.is_empty())
        };
        let accounts = job.indexed_state.accounts().iter();
        accounts.filter(is_written).map(|account| account.number).collect()
    }

    /// Accounts for which `tx` may read the nonce from before the block. Only their nonce has
    /// changed before `tx`, and `tx` does not depend on it. Either the account is the sender, or
    /// its code or an earlier nonce keeps it from being empty.
    fn stale_for(&self, job: &ReplayJob, tx: TxIndex, access: &TxAccess) -> Vec<AccountNumber> {
        let need = |location| {
            let found = access.reads.binary_search_by_key(&location, |read| read.0);
            found.ok().map(|at| access.reads[at].1)
        };
        let is_stale = |account: &AccountNumber| {
            let before = job.indexed_state.accounts()[*account as usize].info.as_ref();
            let is_unasked = match need(Location::Nonce(*account)) {
                Some(Dependency::Known) => before.is_some(),
                Some(_) => false,
                None => !is_bare(before),
            };
            is_unasked
                && !earlier(self.identity.of(*account), tx).is_empty()
                && earlier(self.code.of(*account), tx).is_empty()
        };
        let loaded = access.reads.iter().filter_map(|(location, _)| match location {
            Location::Code(account) => Some(*account),
            _ => None,
        });
        loaded.filter(is_stale).collect()
    }

    /// The transactions that wrote the values that `tx` reads.
    fn sources_of(&self, tx: TxIndex, access: &TxAccess) -> BTreeSet<TxIndex> {
        let mut sources = BTreeSet::new();
        for read in &access.reads {
            let account = account_of(read.0);
            if exact_balance(read).is_some() {
                sources.extend(earlier(self.info.of(account), tx));
                continue;
            }
            match *read {
                (Location::Nonce(_) | Location::Code(_), Dependency::Exact)
                    if !self.stale[tx].contains(&account) =>
                {
                    sources.extend(earlier(self.identity.of(account), tx).last());
                }
                (Location::Slot(_, slot), _) => {
                    sources.extend(earlier(self.slots.of(slot), tx).last());
                    sources.extend(earlier(self.emptied.of(account), tx).last());
                }
                (Location::OtherSlot(number, slot), _) => {
                    sources.extend(earlier(self.slot(number, None, slot), tx).last());
                    sources.extend(earlier(self.emptied.of(account), tx).last());
                }
                _ => {}
            }
        }
        sources
    }

    /// The slot's writers, by its number if it has one, else by its key.
    pub(super) fn slot(
        &self,
        account: AccountNumber,
        number: Option<u32>,
        key: U256,
    ) -> &[TxIndex] {
        match number {
            Some(number) => self.slots.of(number),
            None => self.other_slots.get(&(account, key)).map_or(&[], Vec::as_slice),
        }
    }
}

/// Writers of one account.
#[derive(Clone, Debug, Default)]
struct AccountWriters {
    info: Writers,
    identity: Writers,
    code: Writers,
    emptied: Writers,
    visitors: Writers,
    by_system: BySystem,
}

/// Declarations that were collected so far.
struct Found {
    accounts: Vec<AccountWriters>,
    slots: Vec<Writers>,
    unlisted: HashMap<AccountNumber, Vec<U256>>,
    other_slots: HashMap<(AccountNumber, U256), Writers>,
}

impl Found {
    fn new(job: &ReplayJob) -> Self {
        let base = &job.indexed_state;
        Self {
            accounts: vec![AccountWriters::default(); base.accounts().len()],
            slots: vec![Writers::new(); base.slots().len()],
            unlisted: HashMap::default(),
            other_slots: HashMap::default(),
        }
    }

    /// Adds a write of the system calls.
    fn add_system(&mut self, location: Location) {
        let by_system = &mut self.accounts[account_of(location) as usize].by_system;
        *by_system = BySystem::of(matches!(location, Location::Storage(_))).max(*by_system);
        if let Location::OtherSlot(account, slot) = location {
            self.add_unlisted(account, slot);
        }
    }

    fn add_unlisted(&mut self, account: AccountNumber, slot: U256) {
        let slots = self.unlisted.entry(account).or_default();
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }

    /// Adds a dependency on a nonce or balance.
    fn add_visitor(&mut self, location: Location, tx: TxIndex) {
        if let Location::Balance(account) | Location::Nonce(account) = location {
            push(&mut self.accounts[account as usize].visitors, tx);
        }
    }

    /// Adds a writer of a location. Calls are in the order of transactions.
    fn add(&mut self, location: Location, tx: TxIndex) {
        let account = &mut self.accounts[account_of(location) as usize];
        match location {
            Location::Balance(_) => {
                push(&mut account.info, tx);
                push(&mut account.visitors, tx);
            }
            Location::Nonce(_) | Location::Code(_) => {
                push(&mut account.info, tx);
                push(&mut account.visitors, tx);
                push(&mut account.identity, tx);
                if matches!(location, Location::Code(_)) {
                    push(&mut account.code, tx);
                }
            }
            Location::Storage(_) => push(&mut account.emptied, tx),
            Location::Slot(_, slot) => push(&mut self.slots[slot as usize], tx),
            Location::OtherSlot(number, slot) => {
                push(self.other_slots.entry((number, slot)).or_default(), tx);
                self.add_unlisted(number, slot);
            }
        }
    }

    fn pack(self) -> Declared {
        let accounts = || self.accounts.iter();
        Declared {
            info: Lists::new(accounts().map(|writers| &writers.info)),
            identity: Lists::new(accounts().map(|writers| &writers.identity)),
            code: Lists::new(accounts().map(|writers| &writers.code)),
            emptied: Lists::new(accounts().map(|writers| &writers.emptied)),
            visitors: Lists::new(accounts().map(|writers| &writers.visitors)),
            by_system: accounts().map(|writers| writers.by_system).collect(),
            slots: Lists::new(self.slots.iter()),
            unlisted: self.unlisted,
            other_slots: self.other_slots,
            ..Declared::default()
        }
    }
}

/// The account of a location.
pub(crate) const fn account_of(location: Location) -> AccountNumber {
    match location {
        Location::Balance(account)
        | Location::Nonce(account)
        | Location::Code(account)
        | Location::Storage(account)
        | Location::Slot(account, _)
        | Location::OtherSlot(account, _) => account,
    }
}

/// The account, if its exact balance is a dependency. A balance that is sufficient only with
/// payments inside the block is an exact dependency.
pub(crate) fn exact_balance((location, need): &(Location, Dependency)) -> Option<AccountNumber> {
    match (location, need) {
        (Location::Balance(account), Dependency::Exact) => Some(*account),
        (Location::Balance(account), Dependency::AtLeast { minimum, before }) => {
            (before < minimum).then_some(*account)
        }
        _ => None,
    }
}

/// Adds the transaction once, though it may write several fields of an account.
fn push(writers: &mut Writers, tx: TxIndex) {
    if writers.last() != Some(&tx) {
        writers.push(tx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_found_by_their_numbers() {
        let lists: [Writers; 4] = [vec![], vec![3, 5], vec![], vec![1]];
        let packed = Lists::new(lists.iter());
        for (number, list) in (0..).zip(&lists) {
            assert_eq!(packed.of(number), list);
        }
        assert_eq!(earlier(packed.of(1), 5), [3]);
    }
}
