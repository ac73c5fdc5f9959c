//! The engine's machine for Ethereum: one revm per worker, over the worker's view of the block.
//!
//! One step of the engine is a batch of transactions. revm's journal is kept from one to the next, so that
//! each reads what those before it in the batch wrote; what the batch as a whole did is taken from it at
//! the end. After a transaction that may have created or destroyed an account the journal starts over, since one
//! journal cannot tell several lives of an account apart; so it does before one that delegates (EIP-7702), whose refund
//! depends on whether an account was touched in the same transaction.

use super::{
    accounts::NewCodes,
    batches::Batch,
    engine::{Executed, Vm},
    memory::{Location, Memory, Write, WriteSet},
    precompiles::{CachingEvm, Precompiles, Results},
    running::Running,
    settled::FinalState,
    view::IncarnationView,
    worker_state::{StmDb, WorkerError},
    writes::{is_exact, write_set},
};
use crate::{
    block::ReplayJob,
    executor::{
        ExecuteError,
        demands::{Demand, Demanding as _},
        fees::{DeferFee, FeePayment},
        instructions, reuse,
        tally::TxReceipt,
        worker,
    },
    state::Storage,
};
use alloy_consensus::{TxEnvelope, transaction::Recovered};
use alloy_evm::{FromRecoveredTx, block::BlockExecutionError as Error};
use alloy_primitives::{Address, U256, map::B256Map};
use revm::{
    bytecode::Bytecode,
    context::TxEnv,
    context_interface::{
        Block, ContextSetters, JournalTr, Transaction as _, TransactionType, result::EVMError,
    },
    handler::Handler,
    state::EvmState,
};
use std::cell::Cell;

thread_local! {
    /// Room that a block has used, for the next one that this thread leads.
    static MEMORY: Cell<Memory> = Cell::default();
}

/// A block, and the state within it: all that is needed to run what comes before its transactions.
pub(super) struct Shared<'a> {
    pub(super) job: &'a ReplayJob,
    pub(super) storage: &'a Storage<'a>,
    pub(super) memory: Memory,
    pub(super) new_codes: NewCodes,
}

impl<'a> Shared<'a> {
    /// Nothing is written yet.
    pub(super) fn new(job: &'a ReplayJob, storage: &'a Storage<'a>) -> Self {
        let base = &job.indexed_state;
        let memory = MEMORY.take().start_over(base.accounts().len(), base.slots().len());
        Self { job, storage, memory, new_codes: NewCodes::default() }
    }

    pub(super) const fn settled(&self) -> FinalState<'_> {
        FinalState::new(self)
    }

    /// Leaves the memory's room to the next block that this thread leads. Returns the codes that were deployed.
    pub(super) fn leave(self) -> B256Map<Bytecode> {
        MEMORY.set(self.memory);
        self.new_codes.into_inner()
    }
}

/// What its transactions are executed by, step by step.
pub(super) struct Work<'w> {
    pub(super) batches: Vec<Batch>,
    pub(super) running: Running<'w>,
    results: Results,
    fee_payment: FeePayment,
}

impl<'w> Work<'w> {
    /// Nothing is executed yet.
    pub(super) fn new(job: &ReplayJob, batches: Vec<Batch>, running: Running<'w>) -> Self {
        let beneficiary = job.indexed_state.account(job.env.block_env.beneficiary()).ok();
        let info = beneficiary.and_then(|account| account.info.as_ref());
        let fee_payment = FeePayment::for_beneficiary(info, job.env.cfg_env.spec);
        let results = Results::new(batches.len());
        Self { batches, running, results, fee_payment }
    }
}

/// What a batch leaves, for whoever commits it: a share for each transaction, or the index of one that
/// makes the block invalid, if block order gives it the state that this incarnation saw.
pub(super) type BatchOutput = Result<Vec<TxReceipt>, ExecuteError>;

/// One worker's EVM, reused for all its transactions.
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

    /// Executes the batch up to its end, or to a transaction that is invalid. Returns what the journal
    /// had not handed over yet.
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
        self.announce(&env, transaction.signer());
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

    /// Says what a transaction will do whatever it executes.
    fn announce(&mut self, env: &TxEnv, sender: Address) {
        // What cannot be spent at all is an invalid transaction, whatever the balance.
        let spends = env.max_balance_spending().unwrap_or(U256::MAX);
        self.state().demand(sender, Demand::Pay(spends));
        if env.tx_type() == TransactionType::Eip7702 {
            self.state().demand_emptiness_of_all();
        }
        if env.kind().is_create() {
            self.state().note_replacement();
        }
    }

    /// Empties the journal. Returns what it held, with the fees that it did not.
    fn take_writes(&mut self) -> Result<WriteSet, ExecuteError> {
        let mut state = self.evm.ctx.journaled_state.finalize();
        self.demand_exact(&state);
        let fees = self.state().settle();
        let (shared, view) = (self.shared, &self.evm.ctx.journaled_state.database.view);
        let tx = view.tx();
        let mut writes = write_set(tx, &state, self.state(), &shared.new_codes)?;
        // For its allocation.
        state.clear();
        self.evm.ctx.journaled_state.inner.state = state;
        if let Some(fees) = fees {
            let beneficiary = shared.job.env.block_env.beneficiary();
            let beneficiary = shared.job.indexed_state.account(beneficiary)?;
            writes.push((Location::Balance(beneficiary.number), Write::Add(fees)));
        }
        Ok(writes)
    }

    fn demand_exact(&mut self, state: &EvmState) {
        for (address, _) in state.iter().filter(|(_, account)| is_exact(account)) {
            self.state().demand(*address, Demand::Exact);
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
                // An invalid transaction leaves no trace but what it read, nor does an error that revm has met twice.
                self.evm.ctx.journaled_state.finalize();
                self.evm.ctx.error = Ok(());
                self.state().demand_nonces();
                self.state().settle();
                Executed { writes: WriteSet::new(), output: Err(error), steps: steps + 1, cost }
            }
        }
    }
}
