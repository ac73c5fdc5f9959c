//! From a journal to a write set: which fields of which accounts a transaction changed.

use super::{
    demands::BalanceRule,
    memory::{AccountNumber, Location, TxIndex, Write, WriteSet},
    worker_state::NewCodes,
};
use crate::state::{
    AccountFields, NumberedAccount, NumberedSlot, NumberedState, PostState, StateError,
};
use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use revm::state::{Account, EvmState};

/// The locations that differ from what the transaction read, with their new values. Code that is new
/// goes into `new_codes`, so that whoever reads its hash finds it.
///
/// # Errors
/// If an account is not in the state before the block. The EVM reads before it writes, so this does not
/// happen.
pub(super) fn write_set(
    tx: TxIndex,
    state: &EvmState,
    rule: BalanceRule,
    base: &NumberedState,
    new_codes: &NewCodes,
) -> Result<WriteSet, StateError> {
    let mut writes = WriteSet::new();
    for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
        let before = base.account(*address)?;
        if account.is_selfdestructed() || (account.is_empty() && !account.is_created()) {
            delete(tx, before.number, account, &mut writes);
            continue;
        }
        if account.is_created() || rule == BalanceRule::Exact {
            replace(tx, before.number, account, &mut writes);
        } else {
            change(before.number, account, &mut writes);
        }
        write_slots(*address, before, account, &mut writes);
        keep_code(account, new_codes);
    }
    Ok(writes)
}

/// What ran before the first transaction, as writes by value.
///
/// # Errors
/// If an account is not in the state before the block.
pub(super) fn system_writes(
    changes: &PostState,
    base: &NumberedState,
) -> Result<WriteSet, StateError> {
    let mut writes = WriteSet::new();
    for (address, change) in &changes.accounts {
        let account = base.account(*address)?;
        let after = change.account.unwrap_or(AccountFields::ABSENT);
        writes.extend([
            (Location::Balance(account.number), Write::Set(after.balance)),
            (Location::Nonce(account.number), Write::Set(U256::from(after.nonce))),
            (Location::Code(account.number), Write::Set(after.code_hash.into())),
        ]);
        writes.extend(change.slots.iter().map(|(slot, value)| {
            (slot_location(account, &account.slot(*address, *slot), *slot), Write::Set(*value))
        }));
    }
    Ok(writes)
}

/// Whether the transaction replaced the account, so that its outcome holds for the exact balance only.
pub(super) fn is_replaced(account: &Account) -> bool {
    account.is_created() || account.is_selfdestructed()
}

/// Emptied by this transaction; the index tells one emptying from another.
fn emptied(tx: TxIndex, at: AccountNumber) -> (Location, Write) {
    (Location::Storage(at), Write::Set(U256::from(tx)))
}

fn delete(tx: TxIndex, at: AccountNumber, account: &Account, writes: &mut WriteSet) {
    if account.is_loaded_as_not_existing() {
        return;
    }
    let zero = Write::Set(U256::ZERO);
    writes.extend([
        (Location::Balance(at), zero),
        (Location::Nonce(at), zero),
        (Location::Code(at), zero),
        emptied(tx, at),
    ]);
}

/// Writes every field, by value.
fn replace(tx: TxIndex, at: AccountNumber, account: &Account, writes: &mut WriteSet) {
    let (before, after) = (account.original_info(), &account.info);
    let is_new = account.is_created() || account.is_loaded_as_not_existing();
    if is_new || before.balance != after.balance {
        writes.push((Location::Balance(at), Write::Set(after.balance)));
    }
    if is_new || before.nonce != after.nonce {
        writes.push((Location::Nonce(at), Write::Set(U256::from(after.nonce))));
    }
    if is_new || before.code_hash != after.code_hash {
        writes.push((Location::Code(at), Write::Set(after.code_hash.into())));
    }
    if account.is_created() {
        writes.push(emptied(tx, at));
    }
}

/// Writes what changed, the balance as an addition. That also makes a new account exist.
fn change(at: AccountNumber, account: &Account, writes: &mut WriteSet) {
    let (before, after) = (account.original_info(), &account.info);
    if before.balance != after.balance {
        let added = after.balance.wrapping_sub(before.balance);
        writes.push((Location::Balance(at), Write::Add(added)));
    }
    if before.nonce != after.nonce {
        writes.push((Location::Nonce(at), Write::Set(U256::from(after.nonce))));
    }
    // A new account exists by being paid, and by its code's location where it has only a nonce.
    let exists_by_code = account.is_loaded_as_not_existing() && before.nonce != after.nonce;
    if before.code_hash != after.code_hash || exists_by_code {
        writes.push((Location::Code(at), Write::Set(after.code_hash.into())));
    }
}

fn write_slots(
    address: Address,
    before: &NumberedAccount,
    account: &Account,
    writes: &mut WriteSet,
) {
    writes.extend(account.changed_storage_slots().map(|(slot, value)| {
        (
            slot_location(before, &before.slot(address, *slot), *slot),
            Write::Set(value.present_value),
        )
    }));
}

/// Where a slot is: by its number if it was looked up and has one, by its key if not.
pub(super) fn slot_location(
    account: &NumberedAccount,
    looked_up: &Result<Option<NumberedSlot>, StateError>,
    slot: U256,
) -> Location {
    match looked_up {
        Ok(Some(listed)) => Location::Slot(account.number, listed.number),
        Ok(None) | Err(_) => Location::OtherSlot(account.number, slot),
    }
}

fn keep_code(account: &Account, new_codes: &NewCodes) {
    let hash = account.info.code_hash;
    if hash == KECCAK256_EMPTY || hash == account.original_info().code_hash {
        return;
    }
    if let Some(code) = &account.info.code {
        new_codes.write().insert(hash, code.clone());
    }
}
