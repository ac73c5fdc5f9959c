//! Compares the changes of an execution with those of the list, at one index.
//!
//! The comparison covers both directions. Each change must be in the list with its value. The
//! numbers of changes must also be equal, so no listed change is missing.

use super::{
    bal_db::BalDb,
    table::{Index, ListedAccount, Table},
};
use crate::{
    block::{ListedField, empties_storage},
    execution::ListError,
    state::{AccountFields, PostState, is_removed},
};
use alloy_primitives::{Address, U256};
use revm::state::{Account, AccountInfo, EvmState};

/// Checks the journal of a transaction. Returns the accounts with a storage that it emptied.
///
/// # Errors
/// The first difference.
pub(super) fn transaction(
    state: &BalDb<'_>,
    index: Index,
    journal: &EvmState,
) -> Result<Vec<Address>, ListError> {
    let (mut found, mut emptied) = (0, Vec::new());
    for (address, account) in journal.iter().filter(|(_, account)| matters(account)) {
        let address = *address;
        let listed = state.loaded(address, account)?;
        if listed.info(index).0.as_ref().is_none_or(AccountInfo::is_empty_code_hash) {
            touch_all(state, listed, account);
        }
        if account.is_touched() {
            found += account_changes(index, address, listed, account)?;
            found += slot_changes(index, listed, account)?;
        }
        if empties_storage(account) && listed.before().is_some() {
            emptied.push(address);
        }
    }
    let made = |address: Address, slot: Option<U256>| {
        let account = journal.get(&address).filter(|account| account.is_touched());
        account.is_some_and(|account| slot.is_none_or(|slot| slot_change(account, slot).is_some()))
    };
    is_all(state.table(), index, found, made)?;
    Ok(emptied)
}

/// Checks a phase outside the transactions by its changes.
///
/// # Errors
/// The first difference.
pub(super) fn phase(table: &Table, index: Index, changes: &PostState) -> Result<(), ListError> {
    let mut found = 0;
    for (address, change) in &changes.accounts {
        let address = *address;
        let listed = table.account(address)?;
        let after = listed.info(index + 1).0.as_ref();
        if change.account != after.map(AccountFields::from) {
            let before = listed.info(index).0.as_ref();
            return Err(ListError::fields((index, address), before, after, change.account));
        }
        found += usize::from(listed.change_at(index).is_some());
        for (slot, value) in &change.slots {
            check_slot(index, listed, *slot, *value)?;
            found += 1;
        }
    }
    is_all(table, index, found, |address, slot| {
        let place = changes.accounts.binary_search_by_key(&address, |(address, _)| *address);
        let change = place.ok().map(|place| &changes.accounts[place].1);
        change.is_some_and(|change| {
            slot.is_none_or(|slot| change.slots.iter().any(|(changed, _)| *changed == slot))
        })
    })
}

/// Checks that the execution made every change that the list has at an index. `made` says whether it made a
/// change of an account, or of a slot.
fn is_all(
    table: &Table,
    index: Index,
    found: usize,
    made: impl Fn(Address, Option<U256>) -> bool,
) -> Result<(), ListError> {
    let listed = table.changes_at.get(index as usize).copied().unwrap_or_default();
    if found == listed { Ok(()) } else { Err(first_not_made(table, index, made)) }
}

/// The first change of the list at an index that the execution does not make.
fn first_not_made(
    table: &Table,
    index: Index,
    made: impl Fn(Address, Option<U256>) -> bool,
) -> ListError {
    for account in table.accounts() {
        let place = (index, account.address);
        if let Some(after) = account.change_at(index).filter(|_| !made(account.address, None)) {
            let before = account.info(index).0.as_ref();
            let unchanged = before.map(AccountFields::from);
            return ListError::fields(place, before, after.as_ref(), unchanged);
        }
        for (slot, listed) in &account.slots {
            let change = listed.change_at(index);
            if change.is_some() && !made(account.address, Some(*slot)) {
                return ListError::change(place, ListedField::Slot(*slot), (change, None));
            }
        }
    }
    // An account or a slot was counted that the list has no change of, which the caller has excluded.
    ListError::account(Address::ZERO, true)
}

/// Number of changes of nonce, balance and code: one or none.
fn account_changes(
    index: Index,
    address: Address,
    listed: &ListedAccount,
    account: &Account,
) -> Result<usize, ListError> {
    let executed = (!is_removed(account)).then(|| AccountFields::from(&account.info));
    let before = listed.info(index).0.as_ref();
    let change = listed.change_at(index);
    let after = change.map_or(before, Option::as_ref);
    if executed == after.map(AccountFields::from) {
        return Ok(usize::from(change.is_some()));
    }
    Err(ListError::fields((index, address), before, after, executed))
}

fn slot_changes(
    index: Index,
    listed: &ListedAccount,
    account: &Account,
) -> Result<usize, ListError> {
    let mut found = 0;
    for slot in account.storage.keys() {
        if let Some(after) = slot_change(account, *slot) {
            check_slot(index, listed, *slot, after)?;
            found += 1;
        }
    }
    Ok(found)
}

/// The value of a slot after a transaction that changed it.
fn slot_change(account: &Account, slot: U256) -> Option<U256> {
    let value = account.storage.get(&slot)?;
    let after = if account.is_selfdestructed() { U256::ZERO } else { value.present_value };
    (after != value.original_value).then_some(after)
}

/// Checks that the list changes a slot to this value at an index.
fn check_slot(
    index: Index,
    account: &ListedAccount,
    slot: U256,
    after: U256,
) -> Result<(), ListError> {
    let change = account.slots.get(&slot).and_then(|listed| listed.change_at(index));
    if change == Some(after) {
        return Ok(());
    }
    let place = (index, account.address);
    Err(ListError::change(place, ListedField::Slot(slot), (change, Some(after))))
}

/// Whether an account may have changed, or has slots that were not read. A failed creation leaves
/// such an account untouched and without code.
fn matters(account: &Account) -> bool {
    account.is_touched() || (!account.storage.is_empty() && account.info.is_empty_code_hash())
}

/// Marks the slots of a created account as accessed. The EVM does not read them from the database,
/// because they are zero.
fn touch_all(state: &BalDb<'_>, listed: &ListedAccount, account: &Account) {
    let slots = account.storage.keys().filter_map(|slot| listed.slots.get(slot));
    slots.for_each(|slot| state.touch(slot.number));
}
