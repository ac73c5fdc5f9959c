//! From a journal to a write set: which fields of which accounts a transaction changed.

use super::{
    demands::BalanceRule,
    memory::{Location, TxIndex, Write, WriteSet},
    worker_state::NewCodes,
};
use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use revm::state::{Account, EvmState};

/// The locations that differ from what the transaction read, with their new values. Code that is new
/// goes into `new_codes`, so that whoever reads its hash finds it.
pub(super) fn write_set(
    tx: TxIndex,
    state: &EvmState,
    rule: BalanceRule,
    new_codes: &NewCodes,
) -> WriteSet {
    let mut writes = WriteSet::new();
    for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
        if account.is_selfdestructed() || (account.is_empty() && !account.is_created()) {
            delete(tx, *address, account, &mut writes);
        } else if account.is_created() || rule == BalanceRule::Exact {
            replace(tx, *address, account, &mut writes);
            keep_code(account, new_codes);
        } else {
            change(*address, account, &mut writes);
            keep_code(account, new_codes);
        }
    }
    writes
}

/// Whether the transaction replaced the account, so that its outcome holds for the exact balance only.
pub(super) fn is_replaced(account: &Account) -> bool {
    account.is_created() || account.is_selfdestructed()
}

/// Emptied by this transaction; the index tells one emptying from another.
fn emptied(tx: TxIndex, address: Address) -> (Location, Write) {
    (Location::Storage(address), Write::Set(U256::from(tx)))
}

fn delete(tx: TxIndex, address: Address, account: &Account, writes: &mut WriteSet) {
    if account.is_loaded_as_not_existing() {
        return;
    }
    let zero = Write::Set(U256::ZERO);
    writes.extend([
        (Location::Balance(address), zero),
        (Location::Nonce(address), zero),
        (Location::Code(address), zero),
        emptied(tx, address),
    ]);
}

/// Writes every field, by value.
fn replace(tx: TxIndex, address: Address, account: &Account, writes: &mut WriteSet) {
    let (before, after) = (account.original_info(), &account.info);
    let is_new = account.is_created() || account.is_loaded_as_not_existing();
    if is_new || before.balance != after.balance {
        writes.push((Location::Balance(address), Write::Set(after.balance)));
    }
    if is_new || before.nonce != after.nonce {
        writes.push((Location::Nonce(address), Write::Set(U256::from(after.nonce))));
    }
    if is_new || before.code_hash != after.code_hash {
        writes.push((Location::Code(address), Write::Set(after.code_hash.into())));
    }
    if account.is_created() {
        writes.push(emptied(tx, address));
    }
    write_slots(address, account, writes);
}

/// Writes what changed, the balance as an addition. That also makes a new account exist.
fn change(address: Address, account: &Account, writes: &mut WriteSet) {
    let (before, after) = (account.original_info(), &account.info);
    if before.balance != after.balance {
        let added = after.balance.wrapping_sub(before.balance);
        writes.push((Location::Balance(address), Write::Add(added)));
    }
    if before.nonce != after.nonce {
        writes.push((Location::Nonce(address), Write::Set(U256::from(after.nonce))));
    }
    // A new account exists by being paid, and by its code's location where it has only a nonce.
    let exists_by_code = account.is_loaded_as_not_existing() && before.nonce != after.nonce;
    if before.code_hash != after.code_hash || exists_by_code {
        writes.push((Location::Code(address), Write::Set(after.code_hash.into())));
    }
    write_slots(address, account, writes);
}

fn write_slots(address: Address, account: &Account, writes: &mut WriteSet) {
    writes.extend(
        account
            .changed_storage_slots()
            .map(|(slot, value)| (Location::Slot(address, *slot), Write::Set(value.present_value))),
    );
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
