//! Derives an incarnation's write set from revm's journal.

use super::{
    accounts::{NewCodes, slot_location},
    stm_db::{StmDb, Was},
};
use crate::{
    execution::location::{AccountNumber, Location, TxIndex, Write, WriteSet},
    state::{AccountFields, IndexedState, PostState, StateError, is_removed},
};
use alloy_primitives::{KECCAK256_EMPTY, U256};
use revm::state::{Account, EvmState};

/// Returns the locations that differ from the loaded values, with their new values. New code goes into
/// `new_codes`, where readers of its hash find it.
///
/// # Errors
/// An account is not in the state before the block. That does not happen, since the EVM reads before it writes.
pub(super) fn write_set(
    tx: TxIndex,
    state: &EvmState,
    worker: &StmDb<'_>,
    new_codes: &NewCodes,
) -> Result<WriteSet, StateError> {
    let mut writes = WriteSet::with_capacity(2 * state.len());
    for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
        let was = worker.loaded(*address, account)?;
        if is_removed(account) {
            delete(tx, &was, &mut writes);
            continue;
        }
        if account.is_created() {
            replace(tx, &was, account, &mut writes);
        } else {
            change(&was, account, &mut writes);
        }
        write_slots(&was, account, worker, &mut writes);
        keep_code(&was, account, new_codes);
    }
    Ok(writes)
}

/// Returns the changes of a phase before or after the transactions, as writes by value.
///
/// # Errors
/// An account is not in the state before the block.
pub(super) fn phase_writes(
    tx: TxIndex,
    changes: &PostState,
    base: &IndexedState,
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
        writes.extend(change.storage_cleared.then(|| emptied(tx, account.number)));
        writes.extend(change.slots.iter().map(|(slot, value)| {
            (slot_location(account, &account.slot(*slot), *slot), Write::Set(*value))
        }));
    }
    Ok(writes)
}

/// Returns whether the account was created or removed. The result then depends on its exact balance.
pub(super) fn is_exact(account: &Account) -> bool {
    account.is_created() || (account.is_touched() && is_removed(account))
}

/// Returns the write that clears a storage. Its value is the transaction's index, so that each clearing
/// differs.
fn emptied(tx: TxIndex, at: AccountNumber) -> (Location, Write) {
    (Location::Storage(at), Write::Set(U256::from(tx)))
}

fn delete(tx: TxIndex, was: &Was<'_>, writes: &mut WriteSet) {
    if was.found.is_none() {
        return;
    }
    let (at, zero) = (was.base.number, Write::Set(U256::ZERO));
    writes.extend([
        (Location::Balance(at), zero),
        (Location::Nonce(at), zero),
        (Location::Code(at), zero),
        emptied(tx, at),
    ]);
}

/// Writes a created account in full.
fn replace(tx: TxIndex, was: &Was<'_>, account: &Account, writes: &mut WriteSet) {
    let (at, after) = (was.base.number, &account.info);
    writes.extend([
        (Location::Balance(at), Write::Set(after.balance)),
        (Location::Nonce(at), Write::Set(U256::from(after.nonce))),
        (Location::Code(at), Write::Set(after.code_hash.into())),
        emptied(tx, at),
    ]);
}

/// Writes the changed fields, the balance as an addition. That write also makes a new account exist.
fn change(was: &Was<'_>, account: &Account, writes: &mut WriteSet) {
    let (at, after) = (was.base.number, &account.info);
    let before = was.found.unwrap_or(AccountFields::ABSENT);
    if before.balance != after.balance {
        let added = after.balance.wrapping_sub(before.balance);
        writes.push((Location::Balance(at), Write::Add(added)));
    }
    let nonce_differs = before.nonce != after.nonce;
    if nonce_differs {
        writes.push((Location::Nonce(at), Write::Set(U256::from(after.nonce))));
    }
    // A new account exists because of its balance. If it has only a nonce, the code's location marks it as
    // existing.
    let is_new = was.found.is_none() && after.code_hash == KECCAK256_EMPTY;
    if if is_new { nonce_differs } else { before.code_hash != after.code_hash } {
        writes.push((Location::Code(at), Write::Set(after.code_hash.into())));
    }
}

fn write_slots(was: &Was<'_>, account: &Account, worker: &StmDb<'_>, writes: &mut WriteSet) {
    let changed = account
        .storage
        .iter()
        .filter(|(key, slot)| worker.has_changed(was.base, account, **key, slot));
    writes.extend(changed.map(|(key, slot)| {
        (slot_location(was.base, &was.base.slot(*key), *key), Write::Set(slot.present_value))
    }));
}

fn keep_code(was: &Was<'_>, account: &Account, new_codes: &NewCodes) {
    let hash = account.info.code_hash;
    let is_old = was.found.is_some_and(|found| found.code_hash == hash);
    if hash == KECCAK256_EMPTY || is_old {
        return;
    }
    if let Some(code) = &account.info.code {
        new_codes.write().insert(hash, code.clone());
    }
}
