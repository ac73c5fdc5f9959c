//! Computes the outcome of a block once its transactions have run.
//!
//! All threads compute the final state of the accounts, some accounts at a time
//! ([`final_state`](super::final_state)). Beside that, one thread adds up receipts and runs the phase after
//! the last transaction. The changes of that phase are applied last. Visiting the accounts also
//! validates the assumptions of the transactions. If any of them fails, the whole run is discarded.

use super::{
    error::AccessError, final_state::FinalState, run::Run, tx_effects::TxEffects, writers::BySystem,
};
use crate::{
    evm::{BlockExecutionResult, Receipt},
    execution::{
        BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats,
        observe::{Activity, Event, Observer},
        ordered_validator::OrderedValidator,
        receipts::{ReceiptAccumulator, TxReceipt},
    },
    state::{AccountChange, BlockState, NumberedAccount, PostState, SlotValues, StateError},
    threads::{
        DeferredDrop, WorkerPool,
        tasks::{Tasks, run_each},
        wait_cell::WaitCell,
    },
};
use alloy_primitives::{Address, U256};
use std::{collections::BTreeMap, sync::atomic::Ordering};

/// Accounts per task.
const PART: usize = 64;

const ENGINE_FAILED: ExecuteError = ExecuteError::Engine { executor: "access-list" };

/// Reason of the fallback.
const MISTAKEN: &str = "a transaction did not keep to its declared accesses";

type Changes = Vec<(Address, AccountChange)>;

/// Result and state changes of the phase after the last transaction.
type Ended = (BlockExecutionResult<Receipt>, PostState);

/// Changes by the transactions, and the result of the last phase. An undeclared access shows in the
/// former.
type Parts = Result<(Changes, Result<Ended, ExecuteError>), AccessError>;

/// Result of one task at the end.
enum Part {
    Changes(Changes),
    End(Result<Ended, ExecuteError>),
}

impl<'a> Run<'a> {
    /// Computes the outcome on all threads. No result is final before this. After a wrong
    /// declaration the whole block runs again in block order, and the mode says so.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks a value.
    pub(crate) fn finish(
        self,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::After));
        if self.is_wrong.load(Ordering::Relaxed) || !self.system_kept()? {
            return self.again(observer);
        }
        let (changes, ended) = match self.parts(pool, observer).ok_or(ENGINE_FAILED)? {
            Ok(parts) => parts,
            Err(AccessError::Undeclared) => return self.again(observer),
            Err(AccessError::State(source)) => return Err(source.into()),
        };
        let (result, changed_last) = ended?;
        (0..self.left.len()).for_each(|tx| observer.tell(Event::Committed { tx }));
        let job = self.job;
        let post_state =
            PostState::amended(changes, changed_last.accounts, |address, last, first| {
                over(job.indexed_state.account(address)?, first.unwrap_or_default(), last)
            })?;
        let outcome = BlockOutcome::new(result, post_state);
        let stats = ExecutionStats { incarnations: self.left.len() as u64, ..Default::default() };
        let leftovers = DeferredDrop::new((self.left, self.begun.into_written()));
        observer.tell(Event::Began(Activity::Absent));
        Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel, leftovers })
    }

    /// Changes of all accounts by the transactions, ascending, and the result of the last phase;
    /// `None` if a worker panicked.
    fn parts(&self, pool: &WorkerPool, observer: &impl Observer) -> Option<Parts> {
        let mut undeclared = self.undeclared.lock();
        undeclared.sort_unstable();
        let settled = FinalState::new(self, &undeclared);
        let parts: Vec<_> = self.declared.written.chunks(PART).collect();
        let task = |(): &mut (), task: usize| {
            observer.tell(Event::Began(Activity::After));
            match task.checked_sub(1) {
                None => Ok(Part::End(self.end())),
                Some(part) => self.changes(parts[part], settled).map(Part::Changes),
            }
        };
        let leave = |()| observer.tell(Event::Began(Activity::Absent));
        let tasks = Tasks { count: 1 + parts.len(), worker: |_| (), task, leave };
        let done = run_each(pool, &tasks)?.results;
        observer.tell(Event::Began(Activity::After));
        let (mut changes, mut ended) = (Changes::with_capacity(self.declared.written.len()), None);
        for part in done {
            match part {
                Ok(Part::Changes(more)) => changes.extend(more),
                Ok(Part::End(end)) => ended = Some(end),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok((changes, ended?)))
    }

    /// Changes of some accounts by the transactions.
    fn changes(&self, numbers: &[u32], settled: FinalState<'_>) -> Result<Changes, AccessError> {
        let change = |number: &u32| {
            let account = &self.job.indexed_state.accounts()[*number as usize];
            let change = settled.change(account).transpose()?;
            Some(change.map(|change| (account.address, change)))
        };
        numbers.iter().filter_map(change).collect()
    }

    /// Whether the system calls before the first transaction wrote only declared accounts.
    fn system_kept(&self) -> Result<bool, StateError> {
        for (address, change) in self.begun.post_state()?.accounts {
            let declared = self.by_system(self.job.indexed_state.account(address)?);
            if declared != BySystem::of(change.storage_cleared) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds up gas and receipts, and runs the phase after the last transaction.
    fn end(&self) -> Result<Ended, ExecuteError> {
        let mut tally = ReceiptAccumulator::new(self.job);
        tally.add_all(self.left.iter().filter_map(share_of))?;
        let (result, state) = tally.finish(BlockState::new(FinalState::new(self, &[])))?;
        Ok((result, state.post_state().map_err(failed)?))
    }

    /// Discards the run and executes the block in order.
    fn again(self, observer: &impl Observer) -> Result<Execution, ExecuteError> {
        let mut in_order = OrderedValidator::new(self.job, self.storage, self.begun, observer);
        for tx in 0..self.left.len() {
            if in_order.execute_and_commit(tx).is_break() {
                break;
            }
        }
        let mut execution = in_order.finish(ExecutionMode::FellBack(MISTAKEN))?;
        let wasted = self.left.into_iter().filter_map(WaitCell::into_inner);
        for left in wasted {
            execution.stats.incarnations += 1;
            execution.stats.wasted_gas += left.map_or(0, |left| left.gas);
        }
        Ok(execution)
    }
}

fn failed(error: AccessError) -> ExecuteError {
    match error {
        AccessError::State(source) => source.into(),
        AccessError::Undeclared => ENGINE_FAILED,
    }
}

/// Takes receipt and gas out of a transaction's effects.
fn share_of(left: &WaitCell<Option<TxEffects>>) -> Option<TxReceipt> {
    Some(std::mem::take(&mut *left.get()?.as_ref()?.share.lock()))
}

/// Joins two successive changes of an account; `None` if they restore its state before the block.
fn over(
    account: &NumberedAccount,
    first: AccountChange,
    last: AccountChange,
) -> Result<Option<AccountChange>, StateError> {
    let is_emptied = first.storage_cleared || last.storage_cleared;
    let before = if last.storage_cleared { Vec::new() } else { first.slots };
    let mut slots: BTreeMap<U256, U256> = before.into_iter().collect();
    slots.extend(last.slots);
    let slots = slots.into_iter().map(|(key, after)| {
        // Earlier values of a cleared storage do not matter, and may be unknown.
        let known = if is_emptied { None } else { account.slot(key)? };
        let before = known.map_or(U256::ZERO, |known| known.value);
        Ok(SlotValues { key, before, after })
    });
    AccountChange::between(account.info.as_ref(), last.account, is_emptied, slots)
}
