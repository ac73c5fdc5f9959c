//! The inputs of a block's phases beside its transactions, and their execution in order.

use super::{BlockEvm, Chain, EvmDatabase, PlainReceipts, Receipt, deposits};
use alloy_consensus::{BlockHeader, Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip4895::Withdrawal;
use alloy_evm::{
    EthEvmFactory, Evm, EvmEnv, EvmFactory,
    block::{BlockExecutionError, BlockExecutionResult, BlockExecutor, StateDB},
    eth::{EthBlockExecutionCtx, EthBlockExecutor, dao_fork},
};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, U256};
use revm::state::{Account, TransactionId};
use std::borrow::Cow;

/// alloy-evm's block executor over a state of type `DB`.
pub type BlockRun<'a, DB> = EthBlockExecutor<'a, BlockEvm<DB>, &'a Chain, PlainReceipts>;

/// The header and body of a block without its transactions.
#[derive(Clone, Copy, Debug)]
pub struct BlockContext<'a> {
    /// Rules of the block's chain.
    pub chain: &'a Chain,
    /// The block's header.
    pub header: &'a Header,
    /// Headers of the block's ommers; their beneficiaries are rewarded before the merge.
    pub ommers: &'a [Header],
    /// Withdrawals (EIP-4895); `None` before Shanghai.
    pub withdrawals: Option<&'a [Withdrawal]>,
    /// The EVM environment of this header.
    pub env: &'a EvmEnv,
}

impl<'a> BlockContext<'a> {
    /// alloy-evm's executor for this block: pre-execution calls, transactions, then `finish`.
    pub fn over<DB: EvmDatabase + StateDB>(&self, db: DB, transactions: usize) -> BlockRun<'a, DB> {
        let evm = EthEvmFactory::default().create_evm(db, self.env.clone()).into_inner();
        EthBlockExecutor::new(
            BlockEvm::new(evm),
            self.execution_ctx(transactions),
            self.chain,
            PlainReceipts,
        )
    }

    /// Runs the phases before the block's transactions.
    ///
    /// # Errors
    /// A system call fails, or a read of the state fails.
    pub fn begin<DB: EvmDatabase + StateDB>(
        &self,
        run: &mut BlockRun<'a, DB>,
    ) -> Result<(), BlockExecutionError> {
        if self.chain.is_dao_fork_block(self.header) {
            move_dao_ether(run.evm_mut().db_mut()).map_err(BlockExecutionError::other)?;
        }
        run.apply_pre_execution_changes()
    }

    /// Runs the phases after the block's transactions: requests, rewards and withdrawals. Returns the result and the
    /// state.
    ///
    /// # Errors
    /// A deposit event is malformed, a system call fails, or a read of the state fails.
    pub fn end<DB: EvmDatabase + StateDB>(
        &self,
        run: BlockRun<'_, DB>,
    ) -> Result<(BlockExecutionResult<Receipt>, DB), BlockExecutionError> {
        if self.chain.is_active(EthereumHardfork::Prague, self.header) {
            deposits::check(self.chain.deposit_contract(), &run.receipts)?;
        }
        let (evm, result) = run.finish()?;
        Ok((result, evm.finish().0))
    }

    fn execution_ctx(&self, transactions: usize) -> EthBlockExecutionCtx<'a> {
        EthBlockExecutionCtx {
            parent_hash: self.header.parent_hash,
            parent_beacon_block_root: self.header.parent_beacon_block_root,
            ommers: self.ommers,
            withdrawals: self.withdrawals.map(Cow::Borrowed),
            extra_data: self.header.extra_data.clone(),
            tx_count_hint: Some(transactions),
            slot_number: self.header.slot_number(),
        }
    }
}

/// Applies the irregular state change of EIP-779. An account that ends up empty still exists, since EIP-161 was
/// not active yet. An account that did not exist is created.
fn move_dao_ether<DB: EvmDatabase + StateDB>(state: &mut DB) -> Result<(), DB::Error> {
    let mut changes = Vec::with_capacity(dao_fork::DAO_HARDFORK_ACCOUNTS.len() + 1);
    let mut total = U256::ZERO;
    for address in dao_fork::DAO_HARDFORK_ACCOUNTS {
        let mut account = load(state, address)?;
        total = total.saturating_add(std::mem::take(&mut account.info.balance));
        if account.is_empty() {
            account.mark_created();
        }
        changes.push((address, account));
    }
    let beneficiary = dao_fork::DAO_HARDFORK_BENEFICIARY;
    let mut account = load(state, beneficiary)?;
    account.info.balance = account.info.balance.saturating_add(total);
    if account.is_empty() {
        account.mark_created();
    }
    changes.push((beneficiary, account));
    state.commit_iter(&mut changes.into_iter());
    Ok(())
}

/// Loads the account and marks it as touched.
fn load<DB: EvmDatabase + StateDB>(state: &mut DB, address: Address) -> Result<Account, DB::Error> {
    let missing = || Account::new_not_existing(TransactionId::ZERO);
    let mut account = state.basic(address)?.map_or_else(missing, Account::from);
    account.mark_touch();
    Ok(account)
}

/// Runs all phases of a block in order on one thread and returns the result and the state.
///
/// `between` is called with the state and the number of executed transactions. The first call follows the
/// system calls, and each transaction is followed by one more. Pass `|_, _| Ok(())` if nothing has to be done.
///
/// # Errors
/// The block is invalid, a read of the state fails, or `between` returns an error. The error contains the index
/// of the transaction that failed, if one did.
pub fn run_block<DB: EvmDatabase + StateDB, E: From<FailedPhase>>(
    context: &BlockContext<'_>,
    transactions: &[Recovered<TxEnvelope>],
    db: DB,
    mut between: impl FnMut(usize, &DB) -> Result<(), E>,
) -> Result<(BlockExecutionResult<Receipt>, DB), E> {
    let mut run = context.over(db, transactions.len());
    context.begin(&mut run).map_err(FailedPhase::outside)?;
    between(0, run.evm().db())?;
    for (index, transaction) in transactions.iter().enumerate() {
        let transaction = transaction.as_recovered_ref();
        run.execute_transaction(transaction).map_err(|source| FailedPhase::at(index, source))?;
        between(index + 1, run.evm().db())?;
    }
    context.end(run).map_err(|source| FailedPhase::outside(source).into())
}

/// The phase in which execution failed, with the error.
#[derive(Debug, thiserror::Error)]
pub enum FailedPhase {
    /// A transaction failed.
    #[error("transaction {index} failed")]
    Transaction {
        /// Position in the block, from 0.
        index: usize,
        /// The error of alloy-evm.
        source: BlockExecutionError,
    },
    /// A phase before the first transaction or after the last failed: system calls, rewards or requests.
    #[error("the block's system calls, rewards or requests failed")]
    Outside {
        /// The error of alloy-evm.
        source: BlockExecutionError,
    },
}

impl FailedPhase {
    /// A failure in the transaction at `index`.
    pub const fn at(index: usize, source: BlockExecutionError) -> Self {
        Self::Transaction { index, source }
    }

    /// Index of the transaction that failed; `None` if another phase failed.
    pub const fn transaction(&self) -> Option<usize> {
        match self {
            Self::Transaction { index, .. } => Some(*index),
            Self::Outside { .. } => None,
        }
    }

    /// A failure before the first transaction or after the last.
    pub const fn outside(source: BlockExecutionError) -> Self {
        Self::Outside { source }
    }
}
