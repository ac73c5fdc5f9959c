//! The state root beside the execution: threads without a task update storage tries.
//!
//! Transactions commit in order, and the values below the commit index are final unless a later transaction writes them
//! again. From the middle of the block on, idle threads write these values into the storage tries and hash the changed nodes.
//! The update at the end writes what is missing, and the accounts. A slot is written early once: if its value has changed since,
//! it is hot, and is left to the end.
//!
//! The work is divided into rounds over all accounts. Each round sees the slots that were written before it began. A piece of work
//! takes some tens of microseconds, as a transaction does, so a thread soon sees a new task.

use super::{block_execution, hints::Hints, shared::Shared};
use crate::{
    block::{ReplayJob, TrieAfter},
    execution::{
        EarlyRoot, ExecuteError, Execution,
        location::{Location, TxIndex},
        observe::Unobserved,
    },
    state::NumberedAccount,
    threads::{WorkerLimit, WorkerPool},
    trie::{EarlySlot, EarlyStorage, EarlyStorages, StateTrie, UpdatedTrie},
};
use alloy_primitives::U256;
use blockrace_stm::Oversubscribed;
use parking_lot::Mutex;
use std::{
    cmp::Reverse,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Rounds of a block. The first one begins when half of the steps are committed, and the others follow at equal distances.
const ROUNDS: usize = 4;

/// Whether a thread without a task has a core of its own.
pub(super) fn pays(pool: &WorkerPool, limit: WorkerLimit) -> bool {
    pool.size(limit).get() > 1 && pool.oversubscribed(limit) == Oversubscribed::No
}

/// Executes the block, and updates storage tries on idle threads meanwhile. Then computes the state trie on all threads.
///
/// # Errors
/// As [`Executor::execute_with_root`](crate::execution::Executor::execute_with_root).
pub(super) fn execute<'j>(
    job: &'j ReplayJob,
    pool: &WorkerPool,
    limit: WorkerLimit,
    hints: &Hints,
) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
    let early = job.proved_state().map(|state| EarlyTries::new(job, state));
    let help = |shared: &Shared<'_>, commit_index: TxIndex, steps: usize| {
        early.as_ref().is_some_and(|early| early.help(shared, commit_index, steps))
    };
    let mut execution = block_execution::execute(job, pool, limit, hints, (&Unobserved, &help))?;
    let early = early.map_or_else(EarlyStorages::new, EarlyTries::finish);
    let slots = early.values().map(|storage| storage.count()).sum();
    let trie = pool.install(|| job.trie_after_early(&execution.outcome.post_state, early));
    let again = trie.as_ref().ok().and_then(Option::as_ref).map_or(0, UpdatedTrie::written_again);
    execution.stats.early_root = Some(EarlyRoot { slots, again });
    Ok((execution, trie))
}

/// Work of one block that idle threads can do.
#[derive(Debug)]
struct EarlyTries<'a> {
    job: &'a ReplayJob,
    state: StateTrie<'a>,
    /// The accounts with slots, those with most slots first. Made by the first idle thread.
    accounts: OnceLock<Vec<Mutex<Work<'a>>>>,
    /// Number of accounts that are done, counted over all rounds. It tells where to search, and the lock of an account whether it is
    /// done, so it is relaxed.
    done: AtomicUsize,
}

/// The work on the storage of one account. Its lock gives it to one thread for a piece.
#[derive(Debug)]
struct Work<'a> {
    account: &'a NumberedAccount,
    storage: Storage<'a>,
    /// Number of rounds that have begun.
    begun: usize,
    /// Slots of the newest round that are left, in descending order of their keys.
    left: Vec<EarlySlot>,
}

#[derive(Debug)]
enum Storage<'a> {
    /// No slot of it was written.
    Closed,
    Open(Box<EarlyStorage<'a>>),
    /// It has no trie, was emptied, or the witness lacks a part of it.
    Unusable,
}

impl<'a> EarlyTries<'a> {
    fn new(job: &'a ReplayJob, state: StateTrie<'a>) -> Self {
        Self { job, state, accounts: OnceLock::new(), done: AtomicUsize::new(0) }
    }

    /// Does a piece of work. Returns `false` if there is none now. The block has `steps` steps.
    fn help(&self, shared: &Shared<'_>, commit_index: TxIndex, steps: usize) -> bool {
        if commit_index < beginning(0, steps) {
            return false;
        }
        let accounts = self.accounts.get_or_init(|| self.accounts());
        let done = self.done.load(Ordering::Relaxed);
        let Some(round) = done.checked_div(accounts.len()) else { return false };
        if round >= ROUNDS || commit_index < beginning(round, steps) {
            return false;
        }
        let first = done % accounts.len();
        for (position, work) in accounts.iter().enumerate().skip(first) {
            // A locked account has a thread.
            let Some(mut work) = work.try_lock() else { continue };
            if work.begun <= round {
                work.begin(shared, commit_index);
            }
            let has_written = work.write_some(&self.state);
            if work.left.is_empty() {
                self.pass(round * accounts.len() + position);
            }
            if has_written {
                return true;
            }
        }
        false
    }

    /// Counts an account as done if all before it are.
    fn pass(&self, place: usize) {
        let relaxed = Ordering::Relaxed;
        let _ = self.done.compare_exchange(place, place + 1, relaxed, relaxed);
    }

    fn accounts(&self) -> Vec<Mutex<Work<'a>>> {
        let accounts = self.job.indexed_state.accounts().iter();
        let mut accounts: Vec<_> =
            accounts.filter(|account| !account.slot_numbers().is_empty()).collect();
        accounts.sort_by_key(|account| Reverse(account.slot_numbers().len()));
        let work = |account| Work { account, storage: Storage::Closed, begun: 0, left: Vec::new() };
        accounts.into_iter().map(|account| Mutex::new(work(account))).collect()
    }

    /// The tries that were updated.
    fn finish(self) -> EarlyStorages<'a> {
        let works = self.accounts.into_inner().into_iter().flatten().map(Mutex::into_inner);
        let storages = works.filter_map(|work| match work.storage {
            Storage::Open(storage) => Some((work.account.address, storage)),
            Storage::Closed | Storage::Unusable => None,
        });
        storages.collect()
    }
}

impl<'a> Work<'a> {
    /// Begins the next round: lists the slots that committed transactions have written and no earlier round has.
    fn begin(&mut self, shared: &Shared<'_>, commit_index: TxIndex) {
        self.begun += 1;
        let (memory, number) = (&shared.memory, self.account.number);
        if !memory.is_unwritten(Location::Storage(number)) {
            self.storage = Storage::Unusable;
        }
        if matches!(self.storage, Storage::Unusable) {
            return self.left.clear();
        }
        let slots = shared.job.indexed_state.slots();
        let written = self.account.slot_numbers().filter(|slot| memory.has_written_slot(*slot));
        let early = written.filter_map(|at| {
            let (slot, before) = slots[at as usize];
            let observed = memory.read(Location::Slot(number, at), commit_index).ok()?;
            let now = observed.over(before);
            let stays = !before.is_zero() && !now.is_zero();
            let is_new = now != before && !self.has_written(slot);
            let key = || EarlySlot::key(slot);
            (stays && is_new).then(|| EarlySlot { slot, key: key(), before, now })
        });
        self.left = early.collect();
        self.left.sort_unstable_by_key(|slot| Reverse(slot.key));
    }

    fn has_written(&self, slot: U256) -> bool {
        matches!(&self.storage, Storage::Open(storage) if storage.value(slot).is_some())
    }

    /// Writes some of the slots that are left. Returns whether there were any.
    fn write_some(&mut self, state: &StateTrie<'a>) -> bool {
        if self.left.is_empty() {
            return false;
        }
        let rest = self.left.len().saturating_sub(EarlyStorage::MOST_AT_ONCE);
        let slots = self.left.split_off(rest);
        if matches!(self.storage, Storage::Closed) {
            let opened = EarlyStorage::open(state, self.account.address).ok().flatten();
            self.storage = opened.map_or(Storage::Unusable, Storage::Open);
        }
        let is_written = match &mut self.storage {
            Storage::Open(storage) => storage.write(&slots).is_ok(),
            Storage::Closed | Storage::Unusable => false,
        };
        if !is_written {
            self.storage = Storage::Unusable;
            self.left.clear();
        }
        true
    }
}

/// The commit index at which a round begins.
const fn beginning(round: usize, steps: usize) -> TxIndex {
    steps / 2 + round * steps / (2 * ROUNDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_begin_in_the_second_half() {
        assert_eq!(
            (0..ROUNDS).map(|round| beginning(round, 80)).collect::<Vec<_>>(),
            [40, 50, 60, 70]
        );
        assert_eq!(beginning(0, 1), 0);
    }
}
