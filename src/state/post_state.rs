//! The changes that a block made, in one canonical order.

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

/// The changes of a block, ordered by address and slot; only what differs from the pre-state.
///
/// Two executors that agree on the block build equal values, so `==` is the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostState {
    /// Changed accounts, ascending by address.
    pub accounts: Vec<(Address, AccountChange)>,
}

impl PostState {
    /// These changes, ascending by address, but for some accounts: their changes are made again by `make`, given what
    /// comes with them and the change that was there. Each of them comes once.
    ///
    /// # Errors
    /// Those of `make`.
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

/// What became of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The account after the block; `None` if it no longer exists.
    pub account: Option<AccountFields>,
    /// Whether the storage it had before the block was emptied before `slots` were written
    /// (self-destruct, re-creation).
    pub storage_cleared: bool,
    /// Slots that differ, ascending; zero means deleted.
    pub slots: Vec<(U256, U256)>,
}

impl AccountChange {
    /// What became of an account between these two, whether its storage was emptied meanwhile, and the slots that
    /// differ from what that left; `None` if it is as it was.
    pub fn between(
        before: Option<&AccountInfo>,
        after: Option<AccountFields>,
        is_emptied: bool,
        slots: Vec<(U256, U256)>,
    ) -> Option<Self> {
        let storage_cleared = is_emptied && before.is_some();
        let is_same =
            !storage_cleared && slots.is_empty() && after == before.map(AccountFields::from);
        (!is_same).then_some(Self { account: after, storage_cleared, slots })
    }
}

/// The fields of an account that the state trie commits to, but for its storage root
/// (Yellow Paper, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFields {
    /// Transactions sent, or contracts created by a contract.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Keccak-256 of the code; of the empty string where there is none.
    pub code_hash: B256,
}

impl AccountFields {
    /// What multi-version memory holds of an account that does not exist: no code hash is zero.
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

    /// A change that is known by its one slot.
    fn change(slot: u8) -> AccountChange {
        let slots = vec![(U256::from(slot), U256::ONE)];
        AccountChange { slots, ..AccountChange::default() }
    }

    #[test]
    fn what_is_made_again_replaces_comes_new_or_goes() {
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
