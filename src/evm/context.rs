//! What the phases of a block need besides its transactions, and running them in order.

use super::{Chain, EvmDatabase, PlainReceipts, Receipt};
use alloy_consensus::{BlockHeader, Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip4895::Withdrawal;
use alloy_evm::{
    EthEvm, EthEvmFactory, Evm, EvmEnv, EvmFactory,
    block::{BlockExecutionError, BlockExecutionResult, BlockExecutor, StateDB},
    eth::{EthBlockExecutionCtx, EthBlockExecutor, dao_fork},
    precompiles::PrecompilesMap,
};
use alloy_primitives::{Address, U256};
use revm::{
    inspector::NoOpInspector,
    state::{Account, TransactionId},
};
use std::borrow::Cow;

/// alloy-evm's block executor over a state of type `DB`.
pub type BlockRun<'a, DB> =
    EthBlockExecutor<'a, EthEvm<DB, NoOpInspector, PrecompilesMap>, &'a Chain, PlainReceipts>;

/// A block's header and body, less its transactions.
#[derive(Clone, Copy, Debug)]
pub struct BlockContext<'a> {
    /// Whose rules hold.
    pub chain: &'a Chain,
    /// The block's header.
    pub header: &'a Header,
    /// Headers of the block's ommers; their beneficiaries are rewarded before the merge.
    pub ommers: &'a [Header],
    /// Withdrawals (EIP-4895); `None` before Shanghai.
    pub withdrawals: Option<&'a [Withdrawal]>,
    /// The EVM's environment at this header.
    pub env: &'a EvmEnv,
}

impl<'a> BlockContext<'a> {
    /// alloy-evm's executor for this block: pre-execution calls, transactions, then `finish`.
    pub fn over<DB: EvmDatabase + StateDB>(&self, db: DB, transactions: usize) -> BlockRun<'a, DB> {
        let evm = EthEvmFactory::default().create_evm(db, self.env.clone());
        EthBlockExecutor::new(evm, self.execution_ctx(transactions), self.chain, PlainReceipts)
    }

    /// Runs what comes before the block's transactions.
    ///
    /// # Errors
    /// If a system call fails, or the state could not answer.
    pub fn begin<DB: EvmDatabase + StateDB>(
        &self,
        run: &mut BlockRun<'a, DB>,
    ) -> Result<(), BlockExecutionError> {
        if self.chain.is_dao_fork_block(self.header) {
            move_dao_ether(run.evm_mut().db_mut()).map_err(BlockExecutionError::other)?;
        }
        run.apply_pre_execution_changes()
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

/// The irregular state change of EIP-779. An account that is left with nothing stays, as EIP-161 was yet
/// to come; one that never was begins to exist.
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

/// The account, touched.
fn load<DB: EvmDatabase + StateDB>(state: &mut DB, address: Address) -> Result<Account, DB::Error> {
    let missing = || Account::new_not_existing(TransactionId::ZERO);
    let mut account = state.basic(address)?.map_or_else(missing, Account::from);
    account.mark_touch();
    Ok(account)
}

/// Runs all phases of a block in order on one thread, and hands back the state beside the result.
///
/// `between` sees the state before the first transaction, when system calls are done, and after every
/// transaction, each time with the number of transactions that are done; where nothing has to, pass
/// `|_, _| Ok(())`.
///
/// # Errors
/// The block is invalid, the state could not answer, or `between` gave up; with the index of the
/// transaction, if it was one.
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
    let (evm, result) = run.finish().map_err(FailedPhase::outside)?;
    Ok((result, evm.finish().0))
}

/// Where in a block execution failed, and why.
#[derive(Debug, thiserror::Error)]
pub enum FailedPhase {
    /// In a transaction.
    #[error("transaction {index} failed")]
    Transaction {
        /// Position in the block, from 0.
        index: usize,
        /// What alloy-evm says.
        source: BlockExecutionError,
    },
    /// Before the first transaction or after the last: system calls, rewards, requests.
    #[error("the block's system calls, rewards or requests failed")]
    Outside {
        /// What alloy-evm says.
        source: BlockExecutionError,
    },
}

impl FailedPhase {
    /// A failure in the transaction at `index`.
    pub const fn at(index: usize, source: BlockExecutionError) -> Self {
        Self::Transaction { index, source }
    }

    /// The transaction that failed, by its position; `None` if it was a phase before or after them.
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
