//! The EVM of one worker over any database. It is made once and reused for all its transactions.

use super::{
    beneficiary::{DeferFee, FeePayment, WorkerEvm},
    dependency::{BalanceTracker, BalanceUse, Dependency, announce},
    hashes, instructions,
    receipts::TxReceipt,
    reuse::{self, KeptBuffers},
};
use crate::{
    block::ReplayJob,
    evm::{BlockExecutionError, EvmDatabase},
};
use alloy_consensus::{Transaction as _, TxEnvelope, transaction::Recovered};
use alloy_evm::FromRecoveredTx;
use alloy_primitives::{Address, U256};
use revm::{
    Context, Database, MainContext,
    context::{Evm, TxEnv},
    context_interface::{
        ContextSetters, JournalTr, Transaction as _, TransactionType,
        result::{EVMError, ExecutionResult, HaltReason},
    },
    handler::{EthFrame, EthPrecompiles, Handler, MainnetHandler, instructions::EthInstructions},
    state::EvmState,
};

/// Result of one transaction, before its commit.
#[derive(Debug)]
pub(crate) struct TxOutcome {
    pub(crate) share: TxReceipt,
    pub(crate) state: EvmState,
    /// The deferred fee in wei, if the journal does not hold it.
    pub(crate) deferred_fee: Option<U256>,
}

/// An error means that the transaction is invalid on the state that it ran on.
pub(crate) type TxOutput = Result<TxOutcome, BlockExecutionError>;

/// An execution on a state that may differ from that of block order.
///
/// Its reads are in the journal: fields and slots of all accounts in it, with their values when
/// they were loaded. Under [`BalanceRule::Emptiness`], only the balances in `dependencies` are
/// dependencies.
///
/// [`BalanceRule::Emptiness`]: super::dependency::BalanceRule::Emptiness
#[derive(Debug)]
pub struct Attempt {
    pub(crate) output: TxOutput,
    pub(crate) dependencies: Vec<(Address, Dependency)>,
}

impl Attempt {
    /// Gas of the attempt. It is wasted if the attempt is discarded.
    pub(crate) fn gas(&self) -> u64 {
        self.output.as_ref().map_or(0, |outcome| outcome.share.gas())
    }
}

/// The facts about a transaction that its database needs before it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Starting {
    /// Transaction index.
    pub(crate) tx: usize,
    pub(crate) sender: Address,
    /// The sender's nonce in block order.
    pub(crate) nonce: u64,
    /// Whether it has authorisations (EIP-7702). They check whether accounts are empty.
    pub(crate) delegates: bool,
}

/// A database for speculative execution.
pub(crate) trait Speculative: EvmDatabase + BalanceTracker {
    /// Prepares for the next transaction.
    fn begin(&mut self, starting: Starting);

    /// Dependencies of the last transaction on balances.
    fn dependencies(&self) -> Vec<(Address, Dependency)>;
}

/// revm for a worker, in the block's environment. Its user calls [`leave`](reuse::leave) at the
/// end, so that its allocations are reused.
pub(crate) fn evm<DB: Database>(job: &ReplayJob, db: DB) -> WorkerEvm<DB> {
    let env = job.env.clone();
    let context = Context::mainnet().with_block(env.block_env).with_cfg(env.cfg_env);
    let KeptBuffers { frames, hashes } = reuse::take();
    let ctx = context.with_db(db).with_chain(hashes);
    let spec = ctx.cfg.spec;
    let mut instruction = EthInstructions::new_mainnet_with_spec(spec);
    hashes::install(&mut instruction);
    let precompiles = EthPrecompiles::new(spec);
    Evm { ctx, inspector: (), instruction, precompiles, frame_stack: frames }
}

/// An EVM.
pub(crate) struct Worker<DB: Database> {
    evm: WorkerEvm<DB>,
}

impl<DB: EvmDatabase> Worker<DB> {
    pub(crate) fn new(job: &ReplayJob, db: DB) -> Self {
        Self { evm: evm(job, db) }
    }

    /// The database that the EVM reads from.
    pub(crate) const fn database(&mut self) -> &mut DB {
        &mut self.evm.ctx.journaled_state.database
    }

    /// Executes a transaction. The fee is deferred to the commit, unless the transaction loaded the
    /// beneficiary.
    pub(crate) fn run(&mut self, transaction: &Recovered<TxEnvelope>) -> TxOutput {
        self.run_env(transaction, env(transaction))
    }

    fn run_env(&mut self, transaction: &Recovered<TxEnvelope>, env: TxEnv) -> TxOutput {
        let handler = &mut DeferFee::new(FeePayment::Deferred);
        self.evm.ctx.set_tx(env);
        let result = handler.run(&mut self.evm);
        self.output(transaction, result, handler.deferred())
    }

    /// Executes a transaction that pays the beneficiary in its journal, as revm does.
    pub(crate) fn run_to_the_end(&mut self, transaction: &Recovered<TxEnvelope>) -> TxOutput {
        let mut handler = MainnetHandler::<_, EVMError<DB::Error>, EthFrame>::default();
        self.evm.ctx.set_tx(env(transaction));
        let result = handler.run(&mut self.evm);
        self.output(transaction, result, None)
    }

    /// Takes back a journal for its allocation.
    pub(crate) fn give_back(&mut self, mut state: EvmState) {
        state.clear();
        self.evm.ctx.journaled_state.inner.state = state;
    }

    fn output(
        &mut self,
        transaction: &Recovered<TxEnvelope>,
        result: Result<ExecutionResult<HaltReason>, EVMError<DB::Error>>,
        deferred_fee: Option<U256>,
    ) -> TxOutput {
        let state = self.evm.ctx.journaled_state.finalize();
        let failed = |error| BlockExecutionError::evm(error, *transaction.inner().hash());
        let result = result.map_err(failed)?;
        let share = TxReceipt::new(transaction.tx_type(), result);
        Ok(TxOutcome { share, state, deferred_fee })
    }
}

impl<DB: Speculative> Worker<DB> {
    /// An EVM with instructions that report dependencies on balances to the database.
    pub(crate) fn speculative(job: &ReplayJob, db: DB) -> Self {
        let mut worker = Self::new(job, db);
        instructions::install(&mut worker.evm.instruction);
        worker
    }

    /// Executes a transaction speculatively.
    pub(crate) fn attempt(&mut self, job: &ReplayJob, tx: usize) -> Attempt {
        let transaction = &job.transactions[tx];
        let env = env(transaction);
        let delegates = env.tx_type() == TransactionType::Eip7702;
        let (sender, nonce) = (transaction.signer(), transaction.nonce());
        let database = self.database();
        database.begin(Starting { tx, sender, nonce, delegates });
        announce(database, sender, &env, job.env.cfg_env.spec);
        let output = self.run_env(transaction, env);
        if let Ok(outcome) = &output {
            for (address, account) in &outcome.state {
                if account.is_created() || account.is_selfdestructed() {
                    self.database().note_use(*address, BalanceUse::Exact);
                }
            }
        }
        Attempt { output, dependencies: self.database().dependencies() }
    }
}

impl<DB: Database> Drop for Worker<DB> {
    fn drop(&mut self) {
        reuse::leave(&mut self.evm);
    }
}

fn env(transaction: &Recovered<TxEnvelope>) -> TxEnv {
    TxEnv::from_recovered_tx(transaction.inner(), transaction.signer())
}
