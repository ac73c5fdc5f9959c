//! Attempts brought into block order: each is validated by what it read, and run again if that changed.
//!
//! Correctness lives in one rule: *nothing commits that was not compared with, or executed on, the state
//! that block order gives*. What an attempt read is in its journal. Comparison is by value and field by
//! field: nonce, code and slots must be equal, a balance only as far as the transaction needs it to be. So
//! an attempt may hold although others wrote the same account, and one that ran on a value which was
//! written and then restored holds as well.
//!
//! An attempt that failed is run again without comparison: it may be why block order looked invalid to it.

use super::{
    BlockOutcome, ExecuteError, ExecutionStats,
    committer::{Committer, State},
    demands::{BalanceRule, Need},
    worker::{Attempt, TxOutcome, TxOutput, Worker},
};
use crate::{
    block::ReplayJob,
    state::{BlockState, StateError, Storage},
};
use alloy_primitives::{Address, U256};
use revm::{
    DatabaseRef,
    state::{Account, AccountInfo},
};
use std::ops::ControlFlow;

/// The block so far, and an EVM for what has to run again.
pub(super) struct InOrder<'a> {
    job: &'a ReplayJob,
    rule: BalanceRule,
    committer: Committer<'a>,
    /// Its database is empty but while it runs, when it has the committer's state.
    worker: Worker<State<'a>>,
    stats: ExecutionStats,
}

impl<'a> InOrder<'a> {
    /// Nothing committed yet; `state` is what the first transaction sees.
    pub(super) fn new(job: &'a ReplayJob, storage: &'a Storage<'a>, state: State<'a>) -> Self {
        Self {
            job,
            rule: BalanceRule::of(job.env.cfg_env.spec),
            committer: Committer::new(job, state),
            worker: Worker::new(job, BlockState::new(storage)),
            stats: ExecutionStats::default(),
        }
    }

    /// Commits the next transaction, by its attempt if that holds.
    ///
    /// # Errors
    /// If the state could not answer.
    pub(super) fn commit(
        &mut self,
        tx: usize,
        attempt: Attempt,
    ) -> Result<ControlFlow<()>, StateError> {
        self.stats.incarnations += 1;
        let gas = attempt.gas();
        let output = match attempt.output {
            Ok(outcome) if self.holds(&outcome, &attempt.needs)? => Ok(outcome),
            _ => {
                self.stats.wasted_gas += gas;
                self.execute(tx)
            }
        };
        Ok(self.committer.commit(tx, output))
    }

    /// Executes the next transaction, of which there is no attempt, and commits it.
    pub(super) fn execute_and_commit(&mut self, tx: usize) -> ControlFlow<()> {
        let output = self.execute(tx);
        self.committer.commit(tx, output)
    }

    fn execute(&mut self, tx: usize) -> TxOutput {
        self.stats.incarnations += 1;
        std::mem::swap(self.committer.state(), self.worker.database());
        let output = self.worker.run(&self.job.transactions[tx]);
        std::mem::swap(self.committer.state(), self.worker.database());
        output
    }

    fn holds(
        &mut self,
        outcome: &TxOutcome,
        needs: &[(Address, Need)],
    ) -> Result<bool, StateError> {
        for (address, account) in &outcome.state {
            if !holds_account(self.committer.state(), self.rule, *address, account)? {
                return Ok(false);
            }
        }
        for (address, need) in needs {
            let Some(account) = outcome.state.get(address) else { continue };
            let found = self.committer.state().basic_ref(*address)?;
            let balance = found.map_or(U256::ZERO, |info| info.balance);
            let holds = match need {
                Need::Exact => balance == account.original_info().balance,
                Need::AtLeast(minimum) => balance >= *minimum,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs the phases after the last transaction.
    ///
    /// # Errors
    /// If a transaction was invalid, so that the block is, or one of those phases failed.
    pub(super) fn finish(self) -> Result<(BlockOutcome, ExecutionStats), ExecuteError> {
        Ok((self.committer.finish()?, self.stats))
    }
}

/// Whether an account is what the transaction saw, but for a balance that nobody asked for.
fn holds_account(
    state: &State<'_>,
    rule: BalanceRule,
    address: Address,
    account: &Account,
) -> Result<bool, StateError> {
    let found = state.basic_ref(address)?;
    let exists = found.is_some();
    let (found, seen) = (found.unwrap_or_default(), account.original_info());
    let is_same = |found: &AccountInfo, seen: &AccountInfo| {
        found.nonce == seen.nonce && found.code_hash == seen.code_hash
    };
    let holds_balance = rule == BalanceRule::Emptiness
        || (found.balance == seen.balance && exists != account.is_loaded_as_not_existing());
    if !is_same(&found, &seen) || !holds_balance {
        return Ok(false);
    }
    // The storage of an account that is created begins empty, whatever is stored there.
    if account.is_created() {
        return Ok(true);
    }
    for (slot, value) in &account.storage {
        if state.storage_ref(address, *slot)? != value.original_value {
            return Ok(false);
        }
    }
    Ok(true)
}
