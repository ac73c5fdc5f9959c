//! Random changes to block access lists (EIP-7928).

use alloy_eips::eip7928::{
    AccountChanges, BalanceChange, BlockAccessIndex, NonceChange, SlotChanges, StorageChange,
};
use alloy_primitives::{Address, U256};
use rand::{Rng, RngExt, rngs::StdRng};

/// A changed list, and what a message about it has to name.
#[derive(Debug)]
pub(crate) struct Mutated {
    pub(crate) list: Vec<AccountChanges>,
    pub(crate) account: Address,
    pub(crate) slot: Option<U256>,
    /// Index of the changed entry, if it has one.
    pub(crate) index: Option<u64>,
    pub(crate) what: &'static str,
}

/// One random change of a list of a block with `last` as its last index. `None` if the list has no such entry.
pub(crate) fn mutate(list: &[AccountChanges], last: u64, random: &mut StdRng) -> Option<Mutated> {
    let mut list = list.to_vec();
    let at = random.random_range(0..list.len());
    let account = list[at].address;
    let mutated = |list, what| Mutated { list, account, slot: None, index: None, what };
    match random.random_range(0..10) {
        0 => {
            list.remove(at);
            Some(mutated(list, "account dropped"))
        }
        1 => {
            let added = Address::from(random.random::<[u8; 20]>());
            let place = list.partition_point(|listed| listed.address < added);
            list.insert(place, AccountChanges::new(added));
            Some(Mutated { account: added, ..mutated(list, "account added") })
        }
        2 => reads(&mut list[at], random).map(|slot| Mutated {
            slot: Some(slot),
            ..mutated(list, "read slot dropped or added")
        }),
        3..6 => slot_change(&mut list[at], last, random).map(|(slot, index)| Mutated {
            slot: Some(slot),
            index: Some(index),
            ..mutated(list, "slot change")
        }),
        6..9 => balance_change(&mut list[at], last, random)
            .map(|index| Mutated { index: Some(index), ..mutated(list, "balance change") }),
        _ => nonce_change(&mut list[at], last, random)
            .map(|index| Mutated { index: Some(index), ..mutated(list, "nonce change") }),
    }
}

/// Drops a slot that is only read, or adds one.
fn reads(account: &mut AccountChanges, random: &mut StdRng) -> Option<U256> {
    let reads = &mut account.storage_reads;
    if random.random_bool(0.5) {
        let at = random.random_range(0..reads.len().max(1));
        return (at < reads.len()).then(|| reads.remove(at));
    }
    let slot = U256::from(random.next_u64());
    let is_free = !account.storage_changes.iter().any(|changed| changed.slot == slot);
    let place = reads.binary_search(&slot).err().filter(|_| is_free)?;
    reads.insert(place, slot);
    Some(slot)
}

/// Drops, adds, moves or alters a change of a slot. Returns the slot and the lowest index with a difference.
fn slot_change(
    account: &mut AccountChanges,
    last: u64,
    random: &mut StdRng,
) -> Option<(U256, u64)> {
    if account.storage_changes.is_empty() {
        let slot = account.storage_reads.pop()?;
        let index = random.random_range(0..=last);
        let change =
            StorageChange::new(BlockAccessIndex::new(index), U256::from(random.next_u64()));
        account.storage_changes.push(SlotChanges::new(slot, vec![change]));
        return Some((slot, index));
    }
    let at = random.random_range(0..account.storage_changes.len());
    let changed = &mut account.storage_changes[at];
    let slot = changed.slot;
    let mut all: Vec<_> = changed
        .changes
        .iter()
        .map(|change| (change.block_access_index.get(), change.new_value))
        .collect();
    let index = change(&mut all, last, random)?;
    changed.changes = all
        .into_iter()
        .map(|(index, value)| StorageChange::new(BlockAccessIndex::new(index), value))
        .collect();
    if changed.changes.is_empty() {
        account.storage_changes.remove(at);
        let place = account.storage_reads.partition_point(|read| *read < slot);
        account.storage_reads.insert(place, slot);
    }
    Some((slot, index))
}

fn balance_change(account: &mut AccountChanges, last: u64, random: &mut StdRng) -> Option<u64> {
    let changes = account.balance_changes.iter();
    let mut all =
        changes.map(|change| (change.block_access_index.get(), change.post_balance)).collect();
    let index = change(&mut all, last, random)?;
    let made = |(index, value)| BalanceChange::new(BlockAccessIndex::new(index), value);
    account.balance_changes = all.into_iter().map(made).collect();
    Some(index)
}

fn nonce_change(account: &mut AccountChanges, last: u64, random: &mut StdRng) -> Option<u64> {
    let changes = account.nonce_changes.iter();
    let mut all = changes
        .map(|change| (change.block_access_index.get(), U256::from(change.new_nonce)))
        .collect();
    let index = change(&mut all, last, random)?;
    let made = |(index, value): (u64, U256)| {
        NonceChange::new(BlockAccessIndex::new(index), value.saturating_to())
    };
    account.nonce_changes = all.into_iter().map(made).collect();
    Some(index)
}

/// Drops, adds, moves or alters a change. Returns the lowest index with a difference.
fn change(all: &mut Vec<(u64, U256)>, last: u64, random: &mut StdRng) -> Option<u64> {
    let free = |all: &[(u64, U256)], index: u64| {
        all.binary_search_by_key(&index, |(index, _)| *index).err()
    };
    if all.is_empty() || random.random_bool(0.25) {
        let index = random.random_range(0..=last);
        let place = free(all, index)?;
        all.insert(place, (index, U256::from(random.next_u64())));
        return Some(index);
    }
    let at = random.random_range(0..all.len());
    let (index, value) = all[at];
    match random.random_range(0..3) {
        0 => drop(all.remove(at)),
        1 => all[at].1 = value ^ U256::ONE,
        _ => {
            let to = random.random_range(0..=last);
            free(all, to)?;
            all.remove(at);
            let place = free(all, to)?;
            all.insert(place, (to, value));
            return Some(index.min(to));
        }
    }
    Some(index)
}
