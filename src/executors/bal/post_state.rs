//! The account diff, from the last values of the list.

use super::table::{Index, ListedAccount};
use crate::state::{AccountChange, AccountFields};
use alloy_primitives::{Address, U256};

/// Change of an account by the block; `None` if it is unchanged.
pub(super) fn change(listed: &ListedAccount) -> Option<(Address, AccountChange)> {
    if !listed.is_changed {
        return None;
    }
    let (before, after) = (listed.before(), listed.after());
    let slots = if after.is_some() { slots(listed) } else { Vec::new() };
    let account = after.map(AccountFields::from);
    let change = AccountChange::between(before, account, listed.is_emptied, slots)?;
    Some((listed.address, change))
}

/// Changed slots, ascending. A cleared storage is compared with zero.
fn slots(listed: &ListedAccount) -> Vec<(U256, U256)> {
    let mut slots = Vec::new();
    for (key, slot) in listed.slots.iter().filter(|(_, slot)| !slot.changes.is_empty()) {
        let before = if listed.is_emptied { U256::ZERO } else { slot.before };
        let (after, _) = slot.value(Index::MAX);
        if after != before {
            slots.push((*key, after));
        }
    }
    slots.sort_unstable();
    slots
}
