//! Puts committed transactions together, in block order, and runs the block's last phase.
//!
//! What happens here between transactions is what alloy-evm's block executor does: its
//! `execute_transaction_without_commit` checks that the gas limit still fits, its `commit_transaction`
//! sums gas, builds the receipt and commits the state. Rewards, withdrawals and requests are left to
//! that executor itself.

use super::machine::{TxOutcome, TxOutput};
use crate::{
    block::ReplayJob,
    evm::{BlockExecutionError, BlockExecutor as _, BlockValidationError, Receipt},
    executor::{BlockOutcome, ExecuteError},
    state::{BlockState, PreState, StateError},
};
use alloy_consensus::{EthereumReceipt, Transaction as _};
use alloy_evm::Evm as _;
use alloy_primitives::{Address, U256};
use revm::{
    DatabaseCommit, DatabaseRef,
    context_interface::{Block, Cfg},
    primitives::hardfork::SpecId,
    state::{Account, AccountInfo, TransactionId},
};
use std::ops::ControlFlow;

/// The block so far.
pub(super) struct Committer<'a> {
    job: &'a ReplayJob,
    state: BlockState<&'a PreState>,
    receipts: Vec<Receipt>,
    /// After refunds, as receipts count it.
    gas_used: u64,
    /// Before Amsterdam this is what the block's limit counts, too (EIP-8037).
    regular_gas: u64,
    state_gas: u64,
    blob_gas: u64,
    failed: Option<ExecuteError>,
}

impl<'a> Committer<'a> {
    /// Nothing committed yet; `state` is what the first transaction sees.
    pub(super) fn new(job: &'a ReplayJob, state: BlockState<&'a PreState>) -> Self {
        let receipts = Vec::with_capacity(job.transactions.len());
        Self {
            job,
            state,
            receipts,
            gas_used: 0,
            regular_gas: 0,
            state_gas: 0,
            blob_gas: 0,
            failed: None,
        }
    }

    /// Gas of the committed transactions.
    pub(super) const fn gas_executed(&self) -> u64 {
        self.gas_used
    }

    /// Commits the next transaction; a transaction that makes the block invalid ends it.
    pub(super) fn commit(&mut self, tx: usize, output: TxOutput) -> ControlFlow<()> {
        let committed = output.and_then(|outcome| {
            self.check_gas_limit(tx)?;
            Ok(outcome)
        });
        let committed = committed
            .map_err(|source| ExecuteError::transaction(tx, source))
            .and_then(|outcome| self.apply(tx, outcome).map_err(ExecuteError::from));
        match committed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn check_gas_limit(&self, tx: usize) -> Result<(), BlockExecutionError> {
        let (cfg, block) = (&self.job.env.cfg_env, &self.job.env.block_env);
        let limit = self.job.transactions[tx].gas_limit();
        let splits_gas = cfg.enable_amsterdam_eip8037;
        let counted = if splits_gas { self.regular_gas } else { self.gas_used };
        let fits = |needed: u64, counted: u64| {
            let available = block.gas_limit().saturating_sub(counted);
            if needed <= available { Ok(()) } else { Err(available) }
        };
        let regular = fits(limit.min(cfg.tx_gas_limit_cap()), counted);
        let state = if splits_gas { fits(limit, self.state_gas) } else { Ok(()) };
        regular.and(state).map_err(|available| {
            BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas {
                transaction_gas_limit: limit,
                block_available_gas: available,
            }
            .into()
        })
    }

    fn apply(&mut self, tx: usize, outcome: TxOutcome) -> Result<(), StateError> {
        let transaction = &self.job.transactions[tx];
        let gas = outcome.result.gas();
        self.gas_used += gas.tx_gas_used();
        self.regular_gas += gas.block_regular_gas_used();
        self.state_gas += gas.block_state_gas_used();
        self.blob_gas += transaction.blob_gas_used().unwrap_or_default();
        self.receipts.push(EthereumReceipt {
            tx_type: transaction.tx_type(),
            success: outcome.result.is_success(),
            cumulative_gas_used: self.gas_used,
            logs: outcome.result.into_logs(),
        });
        let mut changes = outcome.state;
        for (address, account) in changes.iter_mut().filter(|(_, account)| account.is_touched()) {
            self.rebase_balance(*address, account)?;
        }
        self.state.commit(changes);
        match outcome.deferred_fee {
            Some(fee) => self.pay(self.job.env.block_env.beneficiary(), fee),
            None => Ok(()),
        }
    }

    /// The transaction may have run beside others that paid the same account. Its own change of the
    /// balance goes on top of what they left.
    fn rebase_balance(&self, address: Address, account: &mut Account) -> Result<(), StateError> {
        let seen = account.original_info().balance;
        let found = self.state.basic_ref(address)?.map_or(U256::ZERO, |info| info.balance);
        if found != seen && !account.is_selfdestructed() {
            let added = account.info.balance.wrapping_sub(seen);
            account.info.balance = found.wrapping_add(added);
        }
        Ok(())
    }

    /// Pays the beneficiary as revm's journal would have at the end of the transaction.
    fn pay(&mut self, beneficiary: Address, fee: U256) -> Result<(), StateError> {
        let before = self.state.basic_ref(beneficiary)?;
        let exists = before.is_some();
        let mut account = before.map_or_else(
            || Account::new_not_existing(TransactionId::ZERO),
            |info: AccountInfo| Account::from(info),
        );
        account.info.balance = account.info.balance.saturating_add(fee);
        account.mark_touch();
        let before_eip161 = !self.job.env.cfg_env.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
        if account.is_empty() && before_eip161 {
            if exists {
                return Ok(());
            }
            account.mark_created();
        }
        self.state.commit_iter(&mut std::iter::once((beneficiary, account)));
        Ok(())
    }

    /// Runs the phases after the last transaction.
    pub(super) fn finish(self) -> Result<BlockOutcome, ExecuteError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut run = self.job.context().over(self.state, 0);
        run.receipts = self.receipts;
        run.cumulative_tx_gas_used = self.gas_used;
        run.block_regular_gas_used = self.regular_gas;
        run.block_state_gas_used = self.state_gas;
        run.blob_gas_used = self.blob_gas;
        let (evm, result) = run.finish().map_err(ExecuteError::outside)?;
        let state = evm.finish().0;
        Ok(BlockOutcome {
            receipts: result.receipts,
            gas_used: result.gas_used,
            blob_gas_used: result.blob_gas_used,
            requests: result.requests,
            post_state: state.post_state()?,
        })
    }
}
