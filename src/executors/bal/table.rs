//! The list joined with the pre-state: the value of each account and slot before the block and
//! after each change.
//!
//! Workers look up values here. A read is one lookup of an account, one more for a slot, and a
//! binary search by index among the changes. A client builds this table when it decodes the list,
//! so building it is untimed.

use crate::{
    block::{DerivedList, ReplayJob},
    execution::{ListError, codes::strip},
};
use alloy_primitives::{
    Address, U256,
    map::{AddressMap, U256Map},
};
use revm::state::{
    AccountInfo,
    bal::{AccountBal, BalWrites, BlockAccessIndex},
};
use std::collections::{BTreeMap, BTreeSet};

/// A position in the list: 0 for the system calls before the transactions, then one for each
/// transaction, then one for the work after them.
pub(super) type Index = u64;

pub(super) use crate::block::index_of;

/// An account that the list names.
#[derive(Debug)]
pub(super) struct ListedAccount {
    pub(super) address: Address,
    /// Its number among all accounts and slots of the list.
    pub(super) number: usize,
    /// Whether the list has changes of the account, or its storage was cleared.
    pub(super) is_changed: bool,
    /// The account before the block. A code that each worker has a copy of is removed, as in
    /// `changes`.
    before: Option<AccountInfo>,
    /// The account after each index that changed it, ascending.
    changes: Vec<(Index, Option<AccountInfo>)>,
    /// Whether its whole storage was cleared.
    pub(super) is_emptied: bool,
    pub(super) slots: U256Map<ListedSlot>,
}

/// A slot that the list names.
#[derive(Debug, Default)]
pub(super) struct ListedSlot {
    /// Its number among all accounts and slots of the list.
    pub(super) number: usize,
    pub(super) before: U256,
    /// The value after each index that changed it, ascending.
    pub(super) changes: Vec<(Index, U256)>,
}

/// The value before `index` and its origin: the last earlier change, or else `before`.
fn value<'a, T>(before: &'a T, changes: &'a [(Index, T)], index: Index) -> (&'a T, Origin) {
    let earlier = changes.partition_point(|(at, _)| *at < index);
    match earlier.checked_sub(1).and_then(|last| changes.get(last)) {
        Some((_, value)) => (value, Origin::BalDb),
        None => (before, Origin::PreState),
    }
}

fn change_at<T>(changes: &[(Index, T)], index: Index) -> Option<&T> {
    let at = changes.binary_search_by_key(&index, |(at, _)| *at).ok()?;
    changes.get(at).map(|(_, value)| value)
}

/// Origin of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    PreState,
    BalDb,
}

impl ListedAccount {
    /// The account before `index`.
    pub(super) fn info(&self, index: Index) -> (&Option<AccountInfo>, Origin) {
        value(&self.before, &self.changes, index)
    }

    /// The account after `index`, if that changed it.
    pub(super) fn change_at(&self, index: Index) -> Option<&Option<AccountInfo>> {
        change_at(&self.changes, index)
    }

    /// The account before the block.
    pub(super) const fn before(&self) -> Option<&AccountInfo> {
        self.before.as_ref()
    }

    /// The account after the block.
    pub(super) fn after(&self) -> Option<&AccountInfo> {
        self.info(Index::MAX).0.as_ref()
    }
}

impl ListedSlot {
    /// The value before `index`.
    pub(super) fn value(&self, index: Index) -> (U256, Origin) {
        let (value, origin) = value(&self.before, &self.changes, index);
        (*value, origin)
    }

    /// The value after `index`, if that changed it.
    pub(super) fn change_at(&self, index: Index) -> Option<U256> {
        change_at(&self.changes, index).copied()
    }
}

/// A block's list, joined with its pre-state.
#[derive(Debug)]
pub(super) struct Table {
    /// Ascending by address.
    accounts: Vec<ListedAccount>,
    /// Positions in `accounts`.
    places: AddressMap<usize>,
    /// Number of accounts and slots.
    pub(super) count: usize,
    /// Number of listed changes at each index. Accounts and slots both count.
    pub(super) changes_at: Vec<usize>,
}

impl Table {
    pub(super) fn new(job: &ReplayJob, derived: &DerivedList) -> Self {
        let mut table = Self {
            accounts: Vec::with_capacity(derived.list.accounts.len()),
            places: AddressMap::default(),
            count: 0,
            changes_at: vec![0; job.transactions.len() + 2],
        };
        let mut accounts: Vec<_> = derived.list.accounts.iter().collect();
        accounts.sort_unstable_by_key(|(address, _)| **address);
        for (place, (address, listed)) in accounts.into_iter().enumerate() {
            let account = table.lay_over(job, derived, *address, listed);
            table.accounts.push(account);
            table.places.insert(*address, place);
        }
        table
    }

    /// All accounts, ascending by address.
    pub(super) fn accounts(&self) -> &[ListedAccount] {
        &self.accounts
    }

    /// Position of an account in [`Table::accounts`].
    pub(super) fn place(&self, address: Address) -> Result<usize, ListError> {
        self.places.get(&address).copied().ok_or_else(|| ListError::account(address, false))
    }

    pub(super) fn account(&self, address: Address) -> Result<&ListedAccount, ListError> {
        Ok(&self.accounts[self.place(address)?])
    }

    fn lay_over(
        &mut self,
        job: &ReplayJob,
        derived: &DerivedList,
        address: Address,
        listed: &AccountBal,
    ) -> ListedAccount {
        let known = job.pre_state.accounts.get(&address);
        let mut before = known.and_then(|account| account.info.clone());
        let mut changes = account_changes(before.clone(), listed, derived.empty.get(&address));
        let infos = changes.iter_mut().filter_map(|(_, info)| info.as_mut());
        infos.for_each(|info| strip(info, before.as_ref()));
        if let Some(before) = &mut before {
            before.code = None;
        }
        let number = self.next_number();
        let slots: U256Map<_> = listed
            .storage
            .storage
            .iter()
            .map(|(slot, writes)| {
                let before = known.and_then(|account| account.slots.get(slot).copied());
                (*slot, self.slot(before.unwrap_or_default(), writes))
            })
            .collect();
        for (index, _) in &changes {
            self.changes_at[*index as usize] += 1;
        }
        let emptied = derived.emptied.get(&address);
        let is_emptied = emptied.is_some();
        let is_changed = is_emptied
            || !changes.is_empty()
            || slots.values().any(|slot| !slot.changes.is_empty());
        let mut account =
            ListedAccount { address, number, is_changed, before, changes, is_emptied, slots };
        emptied.into_iter().flatten().for_each(|index| empty(&mut account, *index));
        account
    }

    fn slot(&mut self, before: U256, writes: &BalWrites<U256>) -> ListedSlot {
        let changes = writes.writes.iter().map(|(index, value)| (index.get(), *value));
        let changes: Vec<_> = changes.collect();
        for (index, _) in &changes {
            self.changes_at[*index as usize] += 1;
        }
        ListedSlot { number: self.next_number(), before, changes }
    }

    fn next_number(&mut self) -> usize {
        self.count += 1;
        self.count - 1
    }
}

/// Sets slots to zero that had a value when `index` cleared the storage, unless the list has a
/// change there. The list omits slots that were not accessed.
fn empty(account: &mut ListedAccount, index: Index) {
    for slot in account.slots.values_mut() {
        if !slot.value(index).0.is_zero() && slot.change_at(index).is_none() {
            let place = slot.changes.partition_point(|(at, _)| *at < index);
            slot.changes.insert(place, (index, U256::ZERO));
        }
    }
}

/// The account after each index that changed it. An empty account does not exist, unless `empty`
/// says that it does.
fn account_changes(
    before: Option<AccountInfo>,
    listed: &AccountBal,
    empty: Option<&BTreeMap<Index, bool>>,
) -> Vec<(Index, Option<AccountInfo>)> {
    let (mut changes, mut current) = (Vec::new(), before);
    let mut indices = indices(listed);
    indices.extend(empty.into_iter().flat_map(BTreeMap::keys));
    for index in indices {
        let mut info = current.clone().unwrap_or_default();
        let at = BlockAccessIndex::new(index + 1);
        listed.account_info.populate_account_info(at, &mut info);
        let is_there = || empty.and_then(|empty| empty.get(&index)).copied().unwrap_or_default();
        let next = (!info.is_empty() || is_there()).then_some(info);
        if next != current {
            current.clone_from(&next);
            changes.push((index, next));
        }
    }
    changes
}

/// All indices at which nonce, balance or code changed, ascending.
fn indices(listed: &AccountBal) -> BTreeSet<Index> {
    fn of<T: PartialEq + Clone>(writes: &BalWrites<T>) -> impl Iterator<Item = Index> {
        writes.writes.iter().map(|(index, _)| index.get())
    }
    let info = &listed.account_info;
    of(&info.nonce).chain(of(&info.balance)).chain(of(&info.code)).collect()
}
