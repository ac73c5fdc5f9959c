//! In block order on one thread, with those savings of the parallel executors that are not parallelism.
//!
//! A parallel executor that is faster than the baseline on one thread saves work besides. This executor has the same
//! savings: cached hashes, call frames that are kept from block to block, cheap neighbours that share a journal, and
//! the beneficiary's fees in one payment. The rest of a parallel executor's speedup is parallelism.
//! `--baseline sequential-tuned` compares with it.
//!
//! The journal is committed early in the cases that `block_stm` names: after a transaction that may have created or
//! destroyed an account, and before one with a delegation.

use super::block_stm::{Batch, Plan, single};
use crate::{
    block::ReplayJob,
    evm::BlockExecutionError,
    execution::{
        BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats, Observable,
        beneficiary::{DeferFee, FeePayment, WorkerEvm, paid},
        committer::{State, before_transactions},
        observe::{Activity, Event, Observer},
        receipts::{ReceiptAccumulator, TxReceipt},
        reuse, worker,
    },
    state::{BlockState, StateError, Storage},
    threads::{DeferredDrop, WorkerPool},
};
use alloy_consensus::{TxEnvelope, transaction::Recovered};
use alloy_evm::FromRecoveredTx as _;
use alloy_primitives::{Address, B256, U256};
use revm::{
    Database, DatabaseRef as _,
    bytecode::Bytecode,
    context::TxEnv,
    context_interface::{Block as _, ContextSetters as _, JournalTr as _},
    handler::Handler as _,
    primitives::hardfork::SpecId,
    state::AccountInfo,
};
use std::{mem, num::NonZeroUsize};

/// Executes in block order on the calling thread, without the pool.
#[derive(Clone, Copy, Debug)]
pub struct SequentialTuned;

impl Observable for SequentialTuned {
    fn has_work_for_others(&self, _job: &ReplayJob, _pool: &WorkerPool) -> bool {
        false
    }

    fn run(
        &self,
        job: &ReplayJob,
        _pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::Before));
        let storage = job.storage();
        let state = before_transactions(job, &storage)?;
        let mut block = OpenBlock::new(job, &storage, state);
        for batch in batches(job, observer) {
            for tx in batch.clone() {
                observer.tell(Event::Began(Activity::Execute { tx }));
                block.execute(tx)?;
            }
            block.commit();
            for tx in batch {
                observer.tell(Event::Published { tx });
                observer.tell(Event::Committed { tx });
            }
        }
        observer.tell(Event::Began(Activity::After));
        let execution = block.finish()?;
        observer.tell(Event::Began(Activity::Absent));
        Ok(execution)
    }
}

/// Before EIP-161 a journal of several transactions cannot tell which empty accounts exist. A profiled run times each
/// transaction alone.
fn batches<O: Observer>(job: &ReplayJob, _observer: &O) -> Vec<Batch> {
    if O::WATCHES || !job.env.cfg_env.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
        return single(job.transactions.len());
    }
    Plan::new(job, NonZeroUsize::MIN).batches
}

/// A block in progress.
struct OpenBlock<'a> {
    job: &'a ReplayJob,
    storage: &'a Storage<'a>,
    evm: WorkerEvm<TunedDb<'a>>,
    receipts: ReceiptAccumulator<'a>,
    fee_payment: FeePayment,
    /// Number of transactions whose changes are in the journal.
    uncommitted: usize,
}

impl<'a> OpenBlock<'a> {
    fn new(job: &'a ReplayJob, storage: &'a Storage<'a>, state: State<'a>) -> Self {
        let beneficiary = job.env.block_env.beneficiary();
        let spec = job.env.cfg_env.spec;
        let db = TunedDb { state, beneficiary, spec, fees: None, loaded_empty: false };
        Self {
            job,
            storage,
            evm: worker::evm(job, db),
            receipts: ReceiptAccumulator::new(job),
            fee_payment: FeePayment::of_block(job),
            uncommitted: 0,
        }
    }

    const fn db(&mut self) -> &mut TunedDb<'a> {
        &mut self.evm.ctx.journaled_state.database
    }

    /// Executes the next transaction. Its changes may stay in the journal.
    fn execute(&mut self, tx: usize) -> Result<(), ExecuteError> {
        let transaction = &self.job.transactions[tx];
        if transaction.is_eip7702() {
            self.commit();
        }
        let run = self.run(transaction);
        self.receipts.add(run.map_err(|source| ExecuteError::transaction(tx, source))?)?;
        self.uncommitted += 1;
        if self.replaces() {
            self.commit();
        }
        Ok(())
    }

    fn run(
        &mut self,
        transaction: &Recovered<TxEnvelope>,
    ) -> Result<TxReceipt, BlockExecutionError> {
        let handler = &mut DeferFee::new(self.fee_payment);
        self.evm.ctx.set_tx(TxEnv::from_recovered_tx(transaction.inner(), transaction.signer()));
        let result = handler.run(&mut self.evm);
        let result =
            result.map_err(|error| BlockExecutionError::evm(error, *transaction.inner().hash()))?;
        if let Some(fee) = handler.deferred() {
            let fees = &mut self.db().fees;
            *fees = Some(fees.unwrap_or_default() + fee);
        }
        Ok(TxReceipt::new(transaction.tx_type(), result))
    }

    /// Whether an account of the journal may have been created or destroyed, or may be removed because it is empty.
    fn replaces(&self) -> bool {
        let journal = &self.evm.ctx.journaled_state;
        let mut accounts = journal.inner.state.values();
        journal.database.loaded_empty
            || accounts.any(|account| account.is_created() || account.is_selfdestructed())
    }

    /// Commits the changes in the journal to the state, and empties the journal.
    fn commit(&mut self) {
        let mut changes = self.evm.ctx.journaled_state.finalize();
        let several = self.uncommitted > 1;
        let db = self.db();
        db.loaded_empty = false;
        if several {
            db.state.commit_together(changes.drain());
        } else {
            revm::DatabaseCommit::commit_iter(&mut db.state, &mut changes.drain());
        }
        // Keeps the allocation.
        self.evm.ctx.journaled_state.inner.state = changes;
        self.uncommitted = 0;
    }

    /// Runs the phases after the last transaction.
    fn finish(mut self) -> Result<Execution, ExecuteError> {
        self.db().pay()?;
        let empty = BlockState::new(self.storage);
        let state = mem::replace(&mut self.db().state, empty);
        let receipts = mem::replace(&mut self.receipts, ReceiptAccumulator::new(self.job));
        let (result, state) = receipts.finish(state)?;
        let outcome = BlockOutcome::new(result, state.post_state()?);
        let incarnations = self.job.transactions.len() as u64;
        Ok(Execution {
            outcome,
            stats: ExecutionStats { incarnations, ..Default::default() },
            mode: ExecutionMode::Sequential,
            leftovers: DeferredDrop::new(state.into_written()),
        })
    }
}

impl Drop for OpenBlock<'_> {
    fn drop(&mut self) {
        reuse::leave(&mut self.evm);
    }
}

/// The state within the block, and fees that it does not contain yet.
struct TunedDb<'a> {
    state: State<'a>,
    beneficiary: Address,
    spec: SpecId,
    /// In wei; `None` after the last payment.
    fees: Option<U256>,
    /// Whether an account without nonce, balance and code was loaded since the last commit. Touching it removes it.
    loaded_empty: bool,
}

impl TunedDb<'_> {
    /// Pays the beneficiary all fees so far. The journal does not contain the account.
    fn pay(&mut self) -> Result<(), StateError> {
        let Some(fees) = self.fees.take() else { return Ok(()) };
        let before = self.state.basic_ref(self.beneficiary)?;
        let after = paid(before, fees, self.spec);
        self.state.commit_together(after.map(|account| (self.beneficiary, account)).into_iter());
        Ok(())
    }
}

impl Database for TunedDb<'_> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        if address == self.beneficiary {
            self.pay()?;
        }
        let info = self.state.basic_ref(address)?;
        self.loaded_empty |= info.as_ref().is_some_and(AccountInfo::is_empty);
        Ok(info)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        self.state.code_by_hash_ref(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.state.storage_ref(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        self.state.block_hash_ref(number)
    }
}
