//! Entries of a list that change nothing.
//!
//! EIP-7928 lists a change only if the value differs from the one before. An entry with the same value is a wrong entry,
//! and the comparison with an execution does not find it: balance, nonce and code are compared as one account.

use super::table::Index;
use crate::{
    block::{ListedField, ReplayJob},
    execution::ListError,
};
use alloy_primitives::{Address, U256};
use revm::state::bal::{AccountBal, Bal, BalWrites};

/// The entry of the lowest index that changes nothing.
pub(super) fn first(job: &ReplayJob, list: &Bal) -> Option<(Index, ListError)> {
    let all =
        list.accounts.iter().filter_map(|(address, listed)| of_account(job, *address, listed));
    all.min_by_key(|(index, _)| *index)
}

fn of_account(
    job: &ReplayJob,
    address: Address,
    listed: &AccountBal,
) -> Option<(Index, ListError)> {
    let known = job.pre_state.accounts.get(&address);
    let before = known.and_then(|account| account.info.clone()).unwrap_or_default();
    let info = &listed.account_info;
    let fields = [
        (ListedField::Balance, before.balance, of(&info.balance, |balance| *balance)),
        (ListedField::Nonce, U256::from(before.nonce), of(&info.nonce, |nonce| U256::from(*nonce))),
        (ListedField::Code, before.code_hash.into(), of(&info.code, |(hash, _)| (*hash).into())),
    ];
    let slots = listed.storage.storage.iter().map(|(slot, writes)| {
        let before = known.and_then(|account| account.slots.get(slot).copied());
        (ListedField::Slot(*slot), before.unwrap_or_default(), of(writes, |value| *value))
    });
    let found = fields.into_iter().chain(slots).filter_map(|(field, before, changes)| {
        let (index, value) = of_field(before, &changes)?;
        Some((index, ListError::change((index, address), field, (Some(value), None))))
    });
    found.min_by_key(|(index, _)| *index)
}

/// All changes of a field, ascending by index.
fn of<T: PartialEq + Clone>(
    writes: &BalWrites<T>,
    value: impl Fn(&T) -> U256,
) -> Vec<(Index, U256)> {
    writes.writes.iter().map(|(index, written)| (index.get(), value(written))).collect()
}

/// The first change to the value that the field already has.
fn of_field(before: U256, changes: &[(Index, U256)]) -> Option<(Index, U256)> {
    let earlier = std::iter::once(before).chain(changes.iter().map(|(_, value)| *value));
    earlier.zip(changes).find(|(before, (_, after))| before == after).map(|(_, change)| *change)
}
