//! Accumulates gas and receipts of a block's transactions, in block order.
//!
//! This is the work of alloy-evm's block executor between transactions. Its
//! `execute_transaction_without_commit` checks that the gas limit still fits, and its
//! `commit_transaction` adds up gas and builds the receipt. That executor itself runs the phases
//! after the last transaction (rewards, withdrawals, requests). This module does not change the
//! state.

use super::ExecuteError;
use crate::{
    block::ReplayJob,
    evm::{
        BlockExecutionError, BlockExecutionResult, BlockRun, BlockValidationError, EvmDatabase,
        Receipt,
    },
};
use alloy_consensus::{EthereumReceipt, Transaction as _, TxType};
use alloy_evm::block::StateDB;
use revm::context_interface::{
    Block, Cfg,
    result::{ExecutionResult, HaltReason},
};

/// Contribution of one transaction, independent of its position in the block.
#[derive(Debug, Default)]
pub(crate) struct TxReceipt {
    /// The receipt, with the transaction's own gas instead of the cumulative gas.
    receipt: Receipt,
    regular_gas: u64,
    state_gas: u64,
}

impl TxReceipt {
    /// The contribution of a transaction of this type.
    pub(crate) fn new(tx_type: TxType, result: ExecutionResult<HaltReason>) -> Self {
        let gas = result.gas();
        let (regular_gas, state_gas) = (gas.block_regular_gas_used(), gas.block_state_gas_used());
        let receipt = EthereumReceipt {
            tx_type,
            success: result.is_success(),
            cumulative_gas_used: gas.tx_gas_used(),
            logs: result.into_logs(),
        };
        Self { receipt, regular_gas, state_gas }
    }

    /// Gas after refunds, as in receipts.
    pub(crate) const fn gas(&self) -> u64 {
        self.receipt.cumulative_gas_used
    }
}

/// Gas and receipts of the transactions so far.
#[derive(Debug)]
pub(crate) struct ReceiptAccumulator<'a> {
    job: &'a ReplayJob,
    receipts: Vec<Receipt>,
    /// Gas after refunds, as in receipts.
    gas_used: u64,
    /// Before Amsterdam the block's gas limit also counts this (EIP-8037).
    regular_gas: u64,
    state_gas: u64,
    blob_gas: u64,
}

impl<'a> ReceiptAccumulator<'a> {
    /// Starts without transactions.
    pub(crate) fn new(job: &'a ReplayJob) -> Self {
        let receipts = Vec::with_capacity(job.transactions.len());
        Self { job, receipts, gas_used: 0, regular_gas: 0, state_gas: 0, blob_gas: 0 }
    }

    /// Adds the next transaction.
    ///
    /// # Errors
    /// Its gas limit no longer fits into the block, so the block is invalid.
    pub(crate) fn add(&mut self, share: TxReceipt) -> Result<(), ExecuteError> {
        let TxReceipt { mut receipt, regular_gas, state_gas } = share;
        let tx = self.receipts.len();
        let transaction = &self.job.transactions[tx];
        self.check_gas_limit(transaction.gas_limit())
            .map_err(|source| ExecuteError::transaction(tx, source))?;
        self.gas_used += receipt.cumulative_gas_used;
        self.regular_gas += regular_gas;
        self.state_gas += state_gas;
        self.blob_gas += transaction.blob_gas_used().unwrap_or_default();
        receipt.cumulative_gas_used = self.gas_used;
        self.receipts.push(receipt);
        Ok(())
    }

    /// Adds the next transactions, as [`ReceiptAccumulator::add`].
    ///
    /// # Errors
    /// The error of the first transaction that does not fit.
    pub(crate) fn add_all(
        &mut self,
        shares: impl IntoIterator<Item = TxReceipt>,
    ) -> Result<(), ExecuteError> {
        shares.into_iter().try_for_each(|share| self.add(share))
    }

    fn check_gas_limit(&self, limit: u64) -> Result<(), BlockExecutionError> {
        let (cfg, block) = (&self.job.env.cfg_env, &self.job.env.block_env);
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

    /// Gas after refunds, of all transactions so far.
    pub(crate) const fn gas_used(&self) -> u64 {
        self.gas_used
    }

    /// Moves gas and receipts into a run, which then continues after the transactions.
    fn hand_over<DB: EvmDatabase + StateDB>(&mut self, run: &mut BlockRun<'_, DB>) {
        run.receipts = std::mem::take(&mut self.receipts);
        run.cumulative_tx_gas_used = self.gas_used;
        run.block_regular_gas_used = self.regular_gas;
        run.block_state_gas_used = self.state_gas;
        run.blob_gas_used = self.blob_gas;
    }

    /// Continues a run after the transactions: moves gas and receipts into it, and runs the last phases.
    ///
    /// # Errors
    /// As [`ReceiptAccumulator::finish`].
    pub(crate) fn end<DB: EvmDatabase + StateDB>(
        &mut self,
        mut run: BlockRun<'_, DB>,
    ) -> Result<(BlockExecutionResult<Receipt>, DB), ExecuteError> {
        self.hand_over(&mut run);
        self.job.context().end(run).map_err(ExecuteError::outside)
    }

    /// Runs the phases after the last transaction, on the state after the transactions.
    ///
    /// # Errors
    /// A system call fails, or the pre-state lacks a value.
    pub(crate) fn finish<DB: EvmDatabase + StateDB>(
        mut self,
        state: DB,
    ) -> Result<(BlockExecutionResult<Receipt>, DB), ExecuteError> {
        let run = self.job.context().over(state, 0);
        self.end(run)
    }
}
