//! The account diff, from the last values of the list.

use super::table::{Index, ListedAccount};
use crate::state::{AccountChange, AccountFields, SlotValues};
use alloy_primitives::Address;
use std::convert::Infallible;

/// Change of an account by the block; `None` if it is unchanged.
pub(super) fn change(listed: &ListedAccount) -> Option<(Address, AccountChange)> {
    if !listed.is_changed {
        return None;
    }
    Some((listed.address, change_of(listed, listed.is_emptied)?))
}

/// The same, for an account with a storage that the block emptied or not.
pub(super) fn change_of(listed: &ListedAccount, is_emptied: bool) -> Option<AccountChange> {
    let account = listed.after().map(AccountFields::from);
    let written = listed.slots.iter().filter(|(_, slot)| !slot.changes.is_empty());
    let slots = written.map(|(key, slot)| {
        Ok(SlotValues { key: *key, before: slot.before, after: slot.value(Index::MAX).0 })
    });
    let Ok(change) =
        AccountChange::between::<Infallible>(listed.before(), account, is_emptied, slots);
    change
}
