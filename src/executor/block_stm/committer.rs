//! Puts the results of committed transactions together, in block order.
//!
//! What happens here between transactions is what alloy-evm's block executor does: its
//! `execute_transaction_without_commit` checks that the gas limit still fits, its `commit_transaction`
//! sums gas and builds the receipt. State is not touched here: when all is committed, memory has it.

use super::{batches::Batch, machine::BatchOutput};
use crate::{
    block::ReplayJob,
    evm::{BlockExecutionError, BlockValidationError, Receipt},
    executor::ExecuteError,
};
use alloy_consensus::{EthereumReceipt, Transaction as _};
use revm::context_interface::{
    Block, Cfg,
    result::{ExecutionResult, HaltReason},
};
use std::ops::ControlFlow;

/// The block's gas and receipts so far.
pub(super) struct Committer<'a> {
    job: &'a ReplayJob,
    pub(super) receipts: Vec<Receipt>,
    /// After refunds, as receipts count it.
    pub(super) gas_used: u64,
    /// Before Amsterdam this is what the block's limit counts, too (EIP-8037).
    pub(super) regular_gas: u64,
    pub(super) state_gas: u64,
    pub(super) blob_gas: u64,
    failed: Option<ExecuteError>,
}

impl<'a> Committer<'a> {
    /// Nothing committed yet.
    pub(super) fn new(job: &'a ReplayJob) -> Self {
        let receipts = Vec::with_capacity(job.transactions.len());
        Self { job, receipts, gas_used: 0, regular_gas: 0, state_gas: 0, blob_gas: 0, failed: None }
    }

    /// Commits the next batch; a transaction that makes the block invalid ends it.
    pub(super) fn commit(&mut self, batch: Batch, output: BatchOutput) -> ControlFlow<()> {
        match output.and_then(|results| self.add_all(batch, results)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// The receipts and sums of all transactions.
    ///
    /// # Errors
    /// What made the block invalid.
    pub(super) fn finish(self) -> Result<Self, ExecuteError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    fn add_all(
        &mut self,
        batch: Batch,
        results: Vec<ExecutionResult<HaltReason>>,
    ) -> Result<(), ExecuteError> {
        for (tx, result) in batch.zip(results) {
            self.check_gas_limit(tx).map_err(|source| ExecuteError::transaction(tx, source))?;
            self.add(tx, result);
        }
        Ok(())
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

    fn add(&mut self, tx: usize, result: ExecutionResult<HaltReason>) {
        let transaction = &self.job.transactions[tx];
        let gas = result.gas();
        self.gas_used += gas.tx_gas_used();
        self.regular_gas += gas.block_regular_gas_used();
        self.state_gas += gas.block_state_gas_used();
        self.blob_gas += transaction.blob_gas_used().unwrap_or_default();
        self.receipts.push(EthereumReceipt {
            tx_type: transaction.tx_type(),
            success: result.is_success(),
            cumulative_gas_used: self.gas_used,
            logs: result.into_logs(),
        });
    }
}
