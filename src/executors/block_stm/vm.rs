//! EVM of a worker: executes a batch of transactions with revm over the worker's view.
//!
//! One step of the engine is a batch. revm's journal is kept between the transactions of a batch, so each
//! transaction sees the writes of the earlier ones. The writes of the whole batch are taken from the journal at
//! its end.
//!
//! The journal is emptied earlier in two cases. One is after a transaction that may have created or destroyed
//! an account, since a journal cannot tell several lives of an account apart. The other is before a transaction
//! with a delegation (EIP-7702). Its refund depends on whether an account was touched within the same
//! transaction.

use super::{
    batches::Batch,
    precompiles::{CachingEvm, Precompiles, Results},
    shared::Shared,
    stm_db::{StmDb, WorkerError},
    writes::{is_exact, write_set},
};
use crate::{
    block::ReplayJob,
    execution::{
        ExecuteError,
        beneficiary::{DeferFee, FeePayment},
        dependency::{BalanceTracker as _, BalanceUse, announce},
        instructions,
        location::{Location, Write, WriteSet},
        receipts::TxReceipt,
        reuse, worker,
    },
};
use alloy_consensus::{TxEnvelope, transaction::Recovered};
use alloy_evm::{FromRecoveredTx, block::BlockExecutionError as Error};
use blockrace_stm::{
    engine::{Executed, Vm},
    running::Running,
    view::IncarnationView,
};
use revm::{
    context::TxEnv,
    context_interface::{Block, ContextSetters, JournalTr, result::EVMError},
    handler::Handler,
    state::EvmState,
};

/// Data that the workers' EVMs share while they execute transactions.
pub(super) struct Work<'w> {
    pub(super) batches: Vec<Batch>,
    pub(super) running: Running<'w>,
    results: Results,
    fee_payment: FeePayment,
}

impl<'w> Work<'w> {
    /// Creates the data of a block without executed transactions.
    pub(super) fn new(job: &ReplayJob, batches: Vec<Batch>, running: Running<'w>) -> Self {
        let fee_payment = FeePayment::of_block(job);
        let results = Results::new(batches.len());
        Self { batches, running, results, fee_payment }
    }
}

/// Output of a batch: one share per transaction, or an error that names an invalid transaction. The block is
/// invalid if that incarnation commits.
pub(super) type BatchOutput = Result<Vec<TxReceipt>, ExecuteError>;

/// EVM of one worker. It is reused for all its transactions.
pub(super) struct EthVm<'m> {
    shared: &'m Shared<'m>,
    work: &'m Work<'m>,
    evm: CachingEvm<'m>,
}

impl<'m> EthVm<'m> {
    pub(super) fn new(shared: &'m Shared<'m>, work: &'m Work<'m>) -> Self {
        let state = StmDb::new(IncarnationView::new(&shared.memory, &work.running), shared);
        let mut evm = worker::evm(shared.job, state);
        instructions::install(&mut evm.instruction);
        let precompiles = Precompiles::new(evm.precompiles.clone(), &work.results);
        Self { shared, work, evm: evm.with_precompiles(precompiles) }
    }

    fn state(&mut self) -> &mut StmDb<'m> {
        &mut self.evm.ctx.journaled_state.database
    }

    /// Executes the batch, up to an invalid transaction. Returns the writes that were not yet handed to the
    /// view.
    fn run_batch(
        &mut self,
        batch: Batch,
        shares: &mut Vec<TxReceipt>,
    ) -> Result<WriteSet, ExecuteError> {
        let job = self.shared.job;
        self.state().begin(&job.transactions[batch.clone()]);
        for tx in batch.clone() {
            let delegates = job.transactions[tx].is_eip7702();
            if tx > batch.start && (delegates || self.state().replaces()) {
                let writes = self.take_writes()?;
                self.state().start_over();
                self.state().view.write(writes);
            }
            let share = self.run(&job.transactions[tx]);
            shares.push(share.map_err(|source| ExecuteError::transaction(tx, source))?);
        }
        self.take_writes()
    }

    fn run(&mut self, transaction: &Recovered<TxEnvelope>) -> Result<TxReceipt, Error> {
        let handler = &mut DeferFee::new(self.work.fee_payment);
        let env = TxEnv::from_recovered_tx(transaction.inner(), transaction.signer());
        let spec = self.shared.job.env.cfg_env.spec;
        announce(self.state(), transaction.signer(), &env, spec);
        self.evm.ctx.set_tx(env);
        let result = handler.run(&mut self.evm);
        let result = result.map_err(|error: EVMError<WorkerError>| {
            Error::evm(error, *transaction.inner().hash())
        })?;
        if let Some(fee) = handler.deferred() {
            self.state().defer_fee(fee);
        }
        Ok(TxReceipt::new(transaction.tx_type(), result))
    }

    /// Empties the journal. Returns its writes and the deferred fees.
    fn take_writes(&mut self) -> Result<WriteSet, ExecuteError> {
        let mut state = self.evm.ctx.journaled_state.finalize();
        self.note_exact(&state);
        let fees = self.state().settle();
        let (shared, view) = (self.shared, &self.evm.ctx.journaled_state.database.view);
        let tx = view.tx();
        let mut writes = write_set(tx, &state, self.state(), &shared.new_codes)?;
        // Keeps the allocation.
        state.clear();
        self.evm.ctx.journaled_state.inner.state = state;
        if let Some(fees) = fees {
            let beneficiary = shared.job.env.block_env.beneficiary();
            let beneficiary = shared.job.indexed_state.account(beneficiary)?;
            writes.push((Location::Balance(beneficiary.number), Write::Add(fees)));
        }
        Ok(writes)
    }

    fn note_exact(&mut self, state: &EvmState) {
        for (address, _) in state.iter().filter(|(_, account)| is_exact(account)) {
            self.state().note_use(*address, BalanceUse::Exact);
        }
    }
}

impl Drop for EthVm<'_> {
    fn drop(&mut self) {
        reuse::leave(&mut self.evm);
    }
}

impl<'m> Vm<'m> for EthVm<'m> {
    type Output = BatchOutput;

    fn view(&mut self) -> &mut IncarnationView<'m> {
        &mut self.state().view
    }

    fn execute(&mut self) -> Executed<BatchOutput> {
        let batch = self.work.batches[self.view().tx()].clone();
        let mut shares = Vec::with_capacity(batch.len());
        let last = self.run_batch(batch, &mut shares);
        let steps = shares.len() as u64;
        let cost = shares.iter().map(TxReceipt::gas).sum();
        match last {
            Ok(last) => {
                let writes = self.view().take_writes(last);
                Executed { writes, output: Ok(shares), steps, cost }
            }
            Err(error) => {
                // An invalid transaction leaves only reads. revm keeps a database error, which must be reset.
                self.evm.ctx.journaled_state.finalize();
                self.evm.ctx.error = Ok(());
                self.state().note_nonces();
                self.state().settle();
                Executed { writes: WriteSet::new(), output: Err(error), steps: steps + 1, cost }
            }
        }
    }
}
