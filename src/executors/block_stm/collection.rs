//! Collects the changes of a block on all threads. Each thread takes some accounts at a time.

use super::final_state::{FinalState, Others};
use crate::state::{AccountChange, PostState, StateError};
use alloy_primitives::Address;
use parking_lot::Mutex;
use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

/// Accounts per step of a thread. A step takes some microseconds.
const PART: usize = 64;

type Changes = Vec<(Address, AccountChange)>;

/// Parts that have been collected.
#[derive(Debug, Default)]
pub(super) struct Collection {
    /// First account that no thread has taken. Threads share nothing else through it, so it is relaxed.
    next: AtomicUsize,
    /// Computed by the first thread that needs it.
    others: OnceLock<Others>,
    /// Guards the parts in any order, each with the position of its first account.
    parts: Mutex<Vec<(usize, Changes)>>,
}

impl Collection {
    /// Collects until no account is left. All transactions must have committed. The phase after the
    /// transactions may run meanwhile, if its changes are passed to [`Collection::finish`].
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

    /// Returns all changes, including those of the phase after the transactions. All threads must be done.
    ///
    /// # Errors
    /// That phase changed an account that is not in the state before the block.
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
