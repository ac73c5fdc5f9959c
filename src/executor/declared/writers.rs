//! Who writes what, and what each transaction depends on.
//!
//! All lists are of transactions, ascending, so that "the last writer before this one" is a binary search
//! ([`earlier`]). Only a read after a write makes one transaction wait for another ([`Declared::sources`]): two writers
//! of one place need not, as each one's value stays in its own journal. Two reads make nobody wait either: the sender's
//! nonce, which the block tells, and a balance that was enough before the block already.

use crate::{
    block::ReplayJob,
    executor::access::{Accesses, AccountNumber, Location, Need, TxAccess, TxIndex},
    state::NumberedAccount,
};
use alloy_primitives::{U256, map::HashMap};
use revm::context_interface::Block as _;
use std::collections::BTreeSet;

/// Transactions that write something, ascending.
type Writers = Vec<TxIndex>;

/// Who writes to one account.
#[derive(Clone, Debug, Default)]
pub(super) struct AccountWriters {
    /// Nonce, code or balance.
    pub(super) info: Writers,
    /// Nonce or code.
    pub(super) identity: Writers,
    /// All of its storage at once.
    pub(super) emptied: Writers,
    /// Whether the system calls before the first transaction did.
    pub(super) by_system: bool,
    /// Whether those emptied its storage.
    pub(super) emptied_by_system: bool,
    /// Those of `info`, and whoever asks for its nonce or balance without changing it.
    pub(super) visitors: Writers,
    /// Written slots without a number.
    pub(super) other_slots: Vec<U256>,
}

/// All that the transactions of a block declare.
#[derive(Debug, Default)]
pub(in crate::executor) struct Declared {
    /// By the account's number.
    pub(super) accounts: Vec<AccountWriters>,
    /// By the slot's number.
    pub(super) slots: Vec<Writers>,
    /// Of slots without a number.
    pub(super) other_slots: HashMap<(AccountNumber, U256), Writers>,
    /// The accounts whose exact balance each transaction has to know.
    pub(super) exact: Vec<Vec<AccountNumber>>,
    /// Accounts that may change, ascending.
    pub(super) written: Vec<AccountNumber>,
    /// The transactions that each one reads from, ascending.
    pub(in crate::executor) sources: Vec<Vec<TxIndex>>,
}

/// Those of the writers that are before `tx`, the last one at the end.
pub(super) fn earlier(writers: &[TxIndex], tx: TxIndex) -> &[TxIndex] {
    &writers[..writers.partition_point(|writer| *writer < tx)]
}

impl Declared {
    /// What these accesses are, declared beforehand.
    pub(in crate::executor) fn new(job: &ReplayJob, accesses: &Accesses) -> Self {
        let base = &job.numbered_state;
        let mut declared = Self {
            accounts: vec![AccountWriters::default(); base.accounts().len()],
            slots: vec![Writers::new(); base.slots().len()],
            ..Self::default()
        };
        for (location, _) in &accesses.before_all {
            let account = &mut declared.accounts[account_of(*location) as usize];
            account.by_system = true;
            match location {
                Location::OtherSlot(_, slot) => account.other_slots.push(*slot),
                Location::Storage(_) => account.emptied_by_system = true,
                _ => {}
            }
        }
        for (tx, access) in accesses.transactions.iter().enumerate() {
            access.writes.iter().for_each(|(location, _)| declared.add(*location, tx));
            access.reads.iter().for_each(|(location, _)| declared.add_visitor(*location, tx));
            declared.exact.push(access.reads.iter().filter_map(exact_balance).collect());
        }
        let transactions = accesses.transactions.iter().enumerate();
        let sources = transactions.map(|(tx, access)| declared.sources_of(tx, access));
        declared.sources = sources.map(Vec::from_iter).collect();
        declared.written = declared.written(job);
        declared
    }

    /// All accounts that somebody writes to, and the beneficiary.
    fn written(&self, job: &ReplayJob) -> Vec<AccountNumber> {
        let beneficiary = job.env.block_env.beneficiary();
        let is_written = |account: &&NumberedAccount| {
            let writers = &self.accounts[account.number as usize];
            let mut slots = account.slot_numbers().map(|slot| &self.slots[slot as usize]);
            account.address == beneficiary
                || writers.by_system
                || !(writers.info.is_empty() && writers.emptied.is_empty())
                || !writers.other_slots.is_empty()
                || slots.any(|writers| !writers.is_empty())
        };
        let accounts = job.numbered_state.accounts().iter();
        accounts.filter(is_written).map(|account| account.number).collect()
    }

    /// Notes who asks for a nonce or balance.
    fn add_visitor(&mut self, location: Location, tx: TxIndex) {
        if let Location::Balance(account) | Location::Nonce(account) = location {
            push(&mut self.accounts[account as usize].visitors, tx);
        }
    }

    /// Notes a writer of a location. Writes come in the order of transactions.
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
            }
            Location::Storage(_) => push(&mut account.emptied, tx),
            Location::Slot(_, slot) => push(&mut self.slots[slot as usize], tx),
            Location::OtherSlot(number, slot) => {
                let writers = self.other_slots.entry((number, slot)).or_default();
                if !account.other_slots.contains(&slot) {
                    account.other_slots.push(slot);
                }
                push(writers, tx);
            }
        }
    }

    /// The transactions that wrote what `tx` reads.
    fn sources_of(&self, tx: TxIndex, access: &TxAccess) -> BTreeSet<TxIndex> {
        let mut sources = BTreeSet::new();
        for read in &access.reads {
            let account = &self.accounts[account_of(read.0) as usize];
            if exact_balance(read).is_some() {
                sources.extend(earlier(&account.info, tx));
                continue;
            }
            match *read {
                (Location::Nonce(_) | Location::Code(_), Need::Exact) => {
                    sources.extend(earlier(&account.identity, tx).last());
                }
                (Location::Slot(_, slot), _) => {
                    sources.extend(earlier(&self.slots[slot as usize], tx).last());
                    sources.extend(earlier(&account.emptied, tx).last());
                }
                (Location::OtherSlot(number, slot), _) => {
                    let writers = self.other_slots.get(&(number, slot));
                    sources.extend(writers.and_then(|writers| earlier(writers, tx).last()));
                    sources.extend(earlier(&account.emptied, tx).last());
                }
                _ => {}
            }
        }
        sources
    }

    /// The slot's writers: by its number where it has one, else by its key.
    pub(super) fn slot(
        &self,
        account: AccountNumber,
        number: Option<u32>,
        key: U256,
    ) -> &[TxIndex] {
        match number {
            Some(number) => &self.slots[number as usize],
            None => self.other_slots.get(&(account, key)).map_or(&[], Vec::as_slice),
        }
    }
}

/// Whose location it is.
pub(in crate::executor) const fn account_of(location: Location) -> AccountNumber {
    match location {
        Location::Balance(account)
        | Location::Nonce(account)
        | Location::Code(account)
        | Location::Storage(account)
        | Location::Slot(account, _)
        | Location::OtherSlot(account, _) => account,
    }
}

/// The account, if its balance has to be known exactly. A balance that was enough only thanks to payments
/// within the block has to be.
fn exact_balance((location, need): &(Location, Need)) -> Option<AccountNumber> {
    match (location, need) {
        (Location::Balance(account), Need::Exact) => Some(*account),
        (Location::Balance(account), Need::AtLeast { minimum, before }) => {
            (before < minimum).then_some(*account)
        }
        _ => None,
    }
}

/// Each once, though it may write several fields of an account.
fn push(writers: &mut Writers, tx: TxIndex) {
    if writers.last() != Some(&tx) {
        writers.push(tx);
    }
}
