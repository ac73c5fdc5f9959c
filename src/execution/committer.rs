//! Applies committed transactions in block order, and runs the block's last phase.
//!
//! Each transaction arrives with the changes that it made on some state. That state may lack
//! payments of earlier transactions. The committer adds the transaction's balance changes to the
//! current balances, and pays the beneficiary its deferred fee.

use super::{
    BlockOutcome, ExecuteError,
    beneficiary::{paid, settled},
    receipts::ReceiptAccumulator,
    worker::{TxOutcome, TxOutput},
};
use crate::{
    block::ReplayJob,
    state::{BlockState, StateError, Storage},
    threads::DeferredDrop,
};
use alloy_evm::Evm as _;
use alloy_primitives::{Address, U256};
use revm::{DatabaseCommit, DatabaseRef, context_interface::Block};
use std::ops::ControlFlow;

/// The state within a block, over the pre-state of one execution.
pub(crate) type State<'a> = BlockState<&'a Storage<'a>>;

/// The state before the first transaction: the pre-state and the writes of the block's system
/// calls.
pub(crate) fn before_transactions<'a>(
    job: &'a ReplayJob,
    storage: &'a Storage<'a>,
) -> Result<State<'a>, ExecuteError> {
    let context = job.context();
    let mut run = context.over(BlockState::new(storage), 0);
    context.begin(&mut run).map_err(ExecuteError::outside)?;
    Ok(run.evm.finish().0)
}

/// The committed prefix of the block.
pub(crate) struct Committer<'a> {
    job: &'a ReplayJob,
    state: State<'a>,
    tally: ReceiptAccumulator<'a>,
    failed: Option<ExecuteError>,
}

impl<'a> Committer<'a> {
    /// Starts with no transactions. `state` is the state before the first one.
    pub(crate) fn new(job: &'a ReplayJob, state: State<'a>) -> Self {
        Self { job, state, tally: ReceiptAccumulator::new(job), failed: None }
    }

    /// The state before the next transaction.
    pub(crate) const fn state_ref(&self) -> &State<'a> {
        &self.state
    }

    /// The same, to be changed.
    pub(crate) const fn state(&mut self) -> &mut State<'a> {
        &mut self.state
    }

    /// Commits the next transaction. A transaction that makes the block invalid stops the block.
    pub(crate) fn commit(&mut self, tx: usize, output: TxOutput) -> ControlFlow<()> {
        let committed = output
            .map_err(|source| ExecuteError::transaction(tx, source))
            .and_then(|outcome| self.apply(outcome));
        match committed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn apply(&mut self, outcome: TxOutcome) -> Result<(), ExecuteError> {
        let TxOutcome { share, state: mut changes, deferred_fee } = outcome;
        self.tally.add(share)?;
        for (address, account) in changes.iter_mut().filter(|(_, account)| account.is_touched()) {
            account.info = settled(self.state.basic_ref(*address)?, account);
        }
        self.state.commit(changes);
        if let Some(fee) = deferred_fee {
            self.pay(self.job.env.block_env.beneficiary(), fee)?;
        }
        Ok(())
    }

    fn pay(&mut self, beneficiary: Address, fee: U256) -> Result<(), StateError> {
        let before = self.state.basic_ref(beneficiary)?;
        if let Some(account) = paid(before, fee, self.job.env.cfg_env.spec) {
            self.state.commit_iter(&mut std::iter::once((beneficiary, account)));
        }
        Ok(())
    }

    /// Runs the phases after the last transaction.
    pub(crate) fn finish(self) -> Result<(BlockOutcome, DeferredDrop), ExecuteError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (result, state) = self.tally.finish(self.state)?;
        let outcome = BlockOutcome::new(result, state.post_state()?);
        Ok((outcome, DeferredDrop::new(state.into_written())))
    }
}
