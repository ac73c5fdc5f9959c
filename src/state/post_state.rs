//! The changes of a block in one canonical order.

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;
use std::fmt;

/// The changes of a block, ordered by address and slot. Only differences from the pre-state are listed.
///
/// Two executors that agree on the block build equal values, so `==` is the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostState {
    /// Changed accounts, ascending by address.
    pub accounts: Vec<(Address, AccountChange)>,
}

impl PostState {
    /// The given changes with some accounts replaced.
    ///
    /// `accounts` must ascend by address, and no address in `again` may occur twice. For each account in
    /// `again`, `make` receives the attached value and the previous change, if any. Its result replaces that
    /// change.
    ///
    /// # Errors
    /// The errors of `make`.
    pub fn amended<T, E>(
        mut accounts: Vec<(Address, AccountChange)>,
        again: impl IntoIterator<Item = (Address, T)>,
        mut make: impl FnMut(Address, T, Option<AccountChange>) -> Result<Option<AccountChange>, E>,
    ) -> Result<Self, E> {
        let mut more = Vec::new();
        for (address, with) in again {
            let place = accounts.binary_search_by_key(&address, |(address, _)| *address);
            let first = place.ok().map(|place| std::mem::take(&mut accounts[place].1));
            match (place, make(address, with, first)?) {
                (Ok(place), Some(change)) => accounts[place].1 = change,
                (Ok(place), None) => drop(accounts.remove(place)),
                (Err(_), Some(change)) => more.push((address, change)),
                (Err(_), None) => {}
            }
        }
        if !more.is_empty() {
            accounts.append(&mut more);
            accounts.sort_by_key(|(address, _)| *address);
        }
        Ok(Self { accounts })
    }
}

/// A slot before and after a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotValues {
    /// Key of the slot.
    pub key: U256,
    /// Value before the block.
    pub before: U256,
    /// Value after the block.
    pub after: U256,
}

/// The change of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The account after the block; `None` if it no longer exists.
    pub account: Option<AccountFields>,
    /// Whether the storage from before the block was emptied before `slots` were written (self-destruct,
    /// re-creation).
    pub storage_cleared: bool,
    /// Changed slots, ascending; zero means deleted.
    pub slots: Vec<(U256, U256)>,
}

impl AccountChange {
    /// The change of an account between two states; `None` if it is unchanged.
    ///
    /// `is_emptied` says whether the block emptied its storage. `slots` are the slots that the block may have
    /// changed, in any order, with their values before and after. The value before does not matter if the
    /// storage was emptied.
    ///
    /// # Errors
    /// The errors of `slots`.
    pub fn between<E>(
        before: Option<&AccountInfo>,
        after: Option<AccountFields>,
        is_emptied: bool,
        slots: impl IntoIterator<Item = Result<SlotValues, E>>,
    ) -> Result<Option<Self>, E> {
        let slots = match after {
            Some(_) => changed_slots(is_emptied, slots)?,
            None => Vec::new(),
        };
        let storage_cleared = is_emptied && before.is_some();
        let is_same =
            !storage_cleared && slots.is_empty() && after == before.map(AccountFields::from);
        Ok((!is_same).then_some(Self { account: after, storage_cleared, slots }))
    }
}

impl fmt::Display for AccountChange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.account {
            None => out.write_str("removed")?,
            Some(AccountFields { nonce, balance, code_hash }) => {
                write!(out, "nonce {nonce}, balance {balance}, code hash {code_hash}")?;
            }
        }
        if self.storage_cleared {
            out.write_str(", storage emptied")?;
        }
        self.slots.iter().try_for_each(|(slot, value)| write!(out, ", slot {slot:#x} = {value:#x}"))
    }
}

/// Changed slots with their values, ascending.
fn changed_slots<E>(
    is_emptied: bool,
    slots: impl IntoIterator<Item = Result<SlotValues, E>>,
) -> Result<Vec<(U256, U256)>, E> {
    let mut changed = Vec::new();
    for slot in slots {
        let SlotValues { key, before, after } = slot?;
        if after != (if is_emptied { U256::ZERO } else { before }) {
            changed.push((key, after));
        }
    }
    changed.sort_unstable();
    Ok(changed)
}

/// The fields of an account that the state trie commits to, without its storage root (Yellow Paper, section
/// 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFields {
    /// Number of transactions sent, or of contracts that this contract created.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Keccak-256 of the code, or of the empty string if there is no code.
    pub code_hash: B256,
}

impl AccountFields {
    /// Marks an absent account in multi-version memory: no real code hash is zero.
    pub const ABSENT: Self = Self { nonce: 0, balance: U256::ZERO, code_hash: B256::ZERO };
}

impl From<&AccountInfo> for AccountFields {
    fn from(info: &AccountInfo) -> Self {
        Self { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn at(byte: u8) -> Address {
        Address::repeat_byte(byte)
    }

    /// A change that is identified by its single slot.
    fn change(slot: u8) -> AccountChange {
        let slots = vec![(U256::from(slot), U256::ONE)];
        AccountChange { slots, ..AccountChange::default() }
    }

    #[test]
    fn amended_changes_are_replaced_added_or_removed() {
        let changes = vec![(at(2), change(2)), (at(4), change(4)), (at(6), change(6))];
        let again = [(at(1), 10), (at(4), 40), (at(5), 0), (at(6), 0), (at(9), 90)];
        let make = |address: Address, with: u8, first: Option<AccountChange>| {
            assert_eq!(first, [4, 6].contains(&address[0]).then(|| change(address[0])));
            Ok::<_, Infallible>((with > 0).then(|| change(with)))
        };
        let Ok(PostState { accounts }) = PostState::amended(changes, again, make);
        let expected = [(1, 10), (2, 2), (4, 40), (9, 90)];
        assert_eq!(accounts, expected.map(|(address, slot)| (at(address), change(slot))));
    }
}
