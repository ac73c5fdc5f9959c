//! Puts a block together once its transactions have run.
//!
//! What the block made of each account is found on all threads, some accounts at a time ([`settled`](super::settled)).
//! Then the phase after the last transaction runs on that, and what it changed goes on top. Only then is it certain
//! that everything was as declared; where it was not, nothing of the run is believed.

use super::{left::Left, published::AccessError, run::Run, settled::Settled, writers::BySystem};
use crate::{
    block::ReplayJob,
    executor::{
        BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats, WorkerPool,
        handover::Handover,
        in_order::InOrder,
        kind::ExecutorKind,
        observe::{Activity, Event, Observer},
        tally::{Share, Tally},
        tasks::{Tasks, run_each},
    },
    state::{AccountChange, BlockState, NumberedAccount, PostState, StateError},
};
use alloy_primitives::{Address, U256};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::atomic::Ordering};

/// Accounts that a thread takes at a time.
const PART: usize = 64;

const ENGINE_FAILED: ExecuteError = ExecuteError::Engine { executor: ExecutorKind::AccessList };

/// Why a block runs in order after all.
const MISTAKEN: &str = "a transaction did not keep to its declared accesses";

type Changes = Vec<(Address, AccountChange)>;

impl<'a> Run<'a> {
    /// Puts the block together on all threads. No result is final before. Where something was not as declared,
    /// all of it runs again in block order, and the mode says so.
    ///
    /// # Errors
    /// The block is invalid, or the state could not answer.
    pub(in crate::executor) fn finish(
        mut self,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::After));
        if self.is_wrong.load(Ordering::Relaxed) || !self.system_kept()? {
            return self.again(observer);
        }
        let changes = match self.changes(pool, observer).ok_or(ENGINE_FAILED)? {
            Ok(changes) => changes,
            Err(AccessError::Undeclared) => return self.again(observer),
            Err(AccessError::State(source)) => return Err(source.into()),
        };
        (0..self.left.len()).for_each(|tx| observer.tell(Event::Committed { tx }));
        let incarnations = self.left.len() as u64;
        let outcome = self.end(changes)?;
        drop_all(pool, self.left);
        observer.tell(Event::Began(Activity::Absent));
        let stats = ExecutionStats { incarnations, ..Default::default() };
        Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel })
    }

    /// What the transactions made of all accounts, ascending; `None` if a worker panicked.
    fn changes(
        &self,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Option<Result<Changes, AccessError>> {
        let mut strangers = self.strangers.lock();
        strangers.sort_unstable();
        let (settled, base) = (Settled::new(self, &strangers), &self.job.numbered_state);
        let parts: Vec<_> = self.declared.written.chunks(PART).collect();
        let change = |number: &u32| {
            let account = &base.accounts()[*number as usize];
            let change = settled.change(account).transpose()?;
            Some(change.map(|change| (account.address, change)))
        };
        let task = |(): &mut (), part: usize| {
            observer.tell(Event::Began(Activity::After));
            parts[part].iter().filter_map(change).collect::<Result<Changes, _>>()
        };
        let leave = |()| observer.tell(Event::Began(Activity::Absent));
        let tasks = Tasks { count: parts.len(), worker: |_| (), task, leave };
        let parts = run_each(pool, &tasks)?.results;
        observer.tell(Event::Began(Activity::After));
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>();
        Some(parts.map(|parts| {
            let mut changes = Changes::with_capacity(parts.iter().map(Vec::len).sum());
            changes.extend(parts.into_iter().flatten());
            changes
        }))
    }

    /// Whether the system calls before the first transaction wrote only where that was declared.
    fn system_kept(&self) -> Result<bool, StateError> {
        for (address, change) in self.begun.post_state()?.accounts {
            let declared = self.by_system(self.job.numbered_state.account(address)?);
            if declared != BySystem::of(change.storage_cleared) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sums up gas and receipts, and runs the phase after the last transaction.
    fn end(&mut self, changes: Changes) -> Result<BlockOutcome, ExecuteError> {
        let mut tally = Tally::new(self.job);
        for (tx, share) in self.left.iter_mut().filter_map(share_of).enumerate() {
            tally.add(share).map_err(|source| ExecuteError::transaction(tx, source))?;
        }
        let (result, state) = tally.finish(BlockState::new(Settled::new(self, &[])))?;
        let changed_last = state.post_state().map_err(failed)?;
        Ok(BlockOutcome {
            receipts: result.receipts,
            gas_used: result.gas_used,
            blob_gas_used: result.blob_gas_used,
            requests: result.requests,
            post_state: with_last(self.job, changes, changed_last)?,
        })
    }

    /// Nothing is believed any more: the block is executed in order.
    fn again(self, observer: &impl Observer) -> Result<Execution, ExecuteError> {
        let mut in_order = InOrder::new(self.job, self.storage, self.begun, observer);
        for tx in 0..self.left.len() {
            if in_order.execute_and_commit(tx).is_break() {
                break;
            }
        }
        let (outcome, mut stats) = in_order.finish()?;
        let wasted = self.left.into_iter().filter_map(Handover::into_inner);
        for left in wasted {
            stats.incarnations += 1;
            stats.wasted_gas += left.map_or(0, |left| left.share.gas());
        }
        Ok(Execution { outcome, stats, mode: ExecutionMode::FellBack(MISTAKEN) })
    }
}

fn failed(error: AccessError) -> ExecuteError {
    match error {
        AccessError::State(source) => source.into(),
        AccessError::Undeclared => ENGINE_FAILED,
    }
}

/// Takes what the block sums up out of what a transaction left.
fn share_of(left: &mut Handover<Option<Left>>) -> Option<Share> {
    Some(std::mem::take(&mut left.get_mut()?.as_mut()?.share))
}

/// The changes with those of the phase after the transactions on top.
fn with_last(
    job: &ReplayJob,
    mut changes: Changes,
    changed_last: PostState,
) -> Result<PostState, StateError> {
    let mut more = Changes::new();
    for (address, last) in changed_last.accounts {
        let account = job.numbered_state.account(address)?;
        let place = changes.binary_search_by_key(&address, |(address, _)| *address);
        let first = place.map(|place| std::mem::take(&mut changes[place].1));
        match (place, over(account, first.unwrap_or_default(), last)?) {
            (Ok(place), Some(both)) => changes[place].1 = both,
            (Ok(place), None) => drop(changes.remove(place)),
            (Err(_), Some(change)) => more.push((address, change)),
            (Err(_), None) => {}
        }
    }
    changes.append(&mut more);
    // Two ascending runs, which a stable sort merges.
    changes.sort_by_key(|(address, _)| *address);
    Ok(PostState { accounts: changes })
}

/// What both made of an account, one after the other; `None` if that is as it was.
fn over(
    account: &NumberedAccount,
    first: AccountChange,
    last: AccountChange,
) -> Result<Option<AccountChange>, StateError> {
    let is_emptied = first.storage_cleared || last.storage_cleared;
    let before = if last.storage_cleared { Vec::new() } else { first.slots };
    let mut slots: BTreeMap<U256, U256> = before.into_iter().collect();
    slots.extend(last.slots);
    let mut changed = Vec::with_capacity(slots.len());
    for (key, value) in slots.into_iter().filter(|_| last.account.is_some()) {
        let known = account.slot(key)?.filter(|_| !is_emptied);
        if value != known.map_or(U256::ZERO, |known| known.value) {
            changed.push((key, value));
        }
    }
    Ok(AccountChange::between(account.info.as_ref(), last.account, is_emptied, changed))
}

/// Drops all that transactions left, which takes a while, on all threads.
fn drop_all(pool: &WorkerPool, left: Vec<Handover<Option<Left>>>) {
    let heaps = pool.threads().get();
    let mut shared: Vec<Mutex<Vec<Left>>> =
        std::iter::repeat_with(Mutex::default).take(heaps).collect();
    for (tx, left) in left.into_iter().filter_map(Handover::into_inner).enumerate() {
        shared[tx % heaps].get_mut().extend(left);
    }
    let task = |(): &mut (), heap: usize| drop(std::mem::take(&mut *shared[heap].lock()));
    run_each(pool, &Tasks { count: heaps, worker: |_| (), task, leave: drop });
}
