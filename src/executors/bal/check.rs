//! Compares the changes of an execution with those of the list, at one index.
//!
//! The comparison covers both directions. Each change must be in the list with its value. The
//! numbers of changes must also be equal, so no listed change is missing.

use super::{
    bal_db::BalDb,
    table::{Index, ListedAccount, Table},
};
use crate::{
    execution::ListError,
    state::{AccountFields, PostState, is_removed},
};
use alloy_primitives::{Address, U256};
use revm::state::{Account, AccountInfo, EvmState};

/// Checks the journal of a transaction.
///
/// # Errors
/// The first difference.
pub(super) fn transaction(
    state: &BalDb<'_>,
    index: Index,
    journal: &EvmState,
) -> Result<(), ListError> {
    let mut found = 0;
    for (address, account) in journal.iter().filter(|(_, account)| matters(account)) {
        let address = *address;
        let listed = state.loaded(address, account)?;
        if listed.info(index).0.as_ref().is_none_or(AccountInfo::is_empty_code_hash) {
            touch_all(state, listed, account);
        }
        if account.is_touched() {
            found += account_changes(index, address, listed, account)?;
            found += slot_changes(index, address, listed, account)?;
        }
    }
    is_all(state.table(), index, found)
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
        let after = listed.info(index + 1).0.as_ref().map(AccountFields::from);
        if change.account != after {
            return Err(ListError::Account { index, address });
        }
        found += usize::from(listed.change_at(index).is_some());
        for (slot, value) in &change.slots {
            let listed = listed.slots.get(slot);
            if listed.and_then(|listed| listed.change_at(index)) != Some(*value) {
                return Err(ListError::Slot { index, address, slot: *slot });
            }
            found += 1;
        }
    }
    is_all(table, index, found)
}

fn is_all(table: &Table, index: Index, found: usize) -> Result<(), ListError> {
    let listed = table.changes_at.get(index as usize).copied().unwrap_or_default();
    if found == listed { Ok(()) } else { Err(ListError::Superfluous { index, listed, found }) }
}

/// Number of changes of nonce, balance and code: one or none.
fn account_changes(
    index: Index,
    address: Address,
    listed: &ListedAccount,
    account: &Account,
) -> Result<usize, ListError> {
    let is_gone = is_removed(account);
    let is_same = |after: &Option<AccountInfo>| match after {
        Some(after) => !is_gone && AccountFields::from(after) == AccountFields::from(&account.info),
        None => is_gone,
    };
    match listed.change_at(index) {
        Some(after) if is_same(after) => Ok(1),
        None if is_same(listed.info(index).0) => Ok(0),
        _ => Err(ListError::Account { index, address }),
    }
}

fn slot_changes(
    index: Index,
    address: Address,
    listed: &ListedAccount,
    account: &Account,
) -> Result<usize, ListError> {
    let mut found = 0;
    for (slot, value) in &account.storage {
        let after = if account.is_selfdestructed() { U256::ZERO } else { value.present_value };
        if after == value.original_value {
            continue;
        }
        let change = listed.slots.get(slot).and_then(|listed| listed.change_at(index));
        if change != Some(after) {
            return Err(ListError::Slot { index, address, slot: *slot });
        }
        found += 1;
    }
    Ok(found)
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
