//! What a block changed, collected on all threads: each takes some accounts at a time.

use super::{memory::AccountNumber, settled::FinalState};
use crate::state::{AccountChange, PostState, StateError};
use alloy_primitives::{Address, U256, map::HashMap};
use parking_lot::Mutex;
use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

/// Accounts that a thread takes at a time: enough for some microseconds of work.
const PART: usize = 64;

/// Slots that were written and are not numbered, by account.
pub(super) type Others = HashMap<AccountNumber, Vec<U256>>;

type Changes = Vec<(Address, AccountChange)>;

/// The parts that were collected so far.
#[derive(Debug, Default)]
pub(super) struct Collection {
    /// The first account that nobody has taken. It is all that threads agree on, so relaxed.
    next: AtomicUsize,
    /// Found by the first thread that needs them.
    others: OnceLock<Others>,
    /// Guards the parts, each with its first account, in any order.
    parts: Mutex<Vec<(usize, Changes)>>,
}

impl Collection {
    /// Collects until no account is left, once all transactions are committed. What runs after them may
    /// go on meanwhile, if what it changes is told to [`Collection::finish`].
    pub(super) fn collect(&self, settled: FinalState<'_>) {
        let others = self.others.get_or_init(|| settled.others());
        let mut parts = settled.accounts().chunks(PART);
        let mut passed = 0;
        loop {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.nth(next - passed) else { return };
            passed = next + 1;
            let mut changes = Changes::with_capacity(part.len());
            for account in part {
                let change = settled.change(account, others.get(&account.number));
                changes.extend(change.map(|change| (account.address, change)));
            }
            self.parts.lock().push((next, changes));
        }
    }

    /// Everything that was collected, once all threads are done, with what ran after the transactions.
    ///
    /// # Errors
    /// If that changed an account which is not in the state before the block.
    pub(super) fn finish(
        self,
        settled: FinalState<'_>,
        changed_last: &PostState,
    ) -> Result<PostState, StateError> {
        let mut parts = self.parts.into_inner();
        parts.sort_unstable_by_key(|(first, _)| *first);
        let mut changes = Changes::with_capacity(parts.iter().map(|(_, part)| part.len()).sum());
        parts.iter_mut().for_each(|(_, part)| changes.append(part));
        let others = settled.others();
        let last = changed_last.accounts.iter().map(|(address, _)| (*address, ()));
        PostState::amended(changes, last, |address, (), _| {
            let account = settled.account(address)?;
            Ok(settled.change(account, others.get(&account.number)))
        })
    }
}
