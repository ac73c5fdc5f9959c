//! One worker's EVM over whatever it reads from, made once and reused for all its transactions.

use super::{
    demands::{Demand, Demanding, Need},
    fees::{DeferFee, FeePayment, WorkerEvm},
    hashes, instructions,
    reuse::{self, KeptBuffers},
    tally::TxReceipt,
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

/// What one transaction leaves, for whoever commits it.
#[derive(Debug)]
pub(super) struct TxOutcome {
    pub(super) share: TxReceipt,
    pub(super) state: EvmState,
    /// In wei, where the journal does not hold it.
    pub(super) deferred_fee: Option<U256>,
}

/// A transaction that is invalid, if block order gives it the state that it ran on.
pub(super) type TxOutput = Result<TxOutcome, BlockExecutionError>;

/// An execution on a state that may not be the one that block order gives.
///
/// What it read is in the journal: the fields and slots of all accounts in it, as they were when they
/// were loaded. Of balances only those in `needs` count, where the rule is [`BalanceRule::Emptiness`].
///
/// [`BalanceRule::Emptiness`]: super::demands::BalanceRule::Emptiness
#[derive(Debug)]
pub struct Attempt {
    pub(super) output: TxOutput,
    pub(super) needs: Vec<(Address, Need)>,
}

impl Attempt {
    /// Gas of the attempt, which is wasted if it is thrown away.
    pub(super) fn gas(&self) -> u64 {
        self.output.as_ref().map_or(0, |outcome| outcome.share.gas())
    }
}

/// A transaction that is about to run, as far as its database wants to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starting {
    /// Position in the block.
    pub(super) tx: usize,
    pub(super) sender: Address,
    /// The nonce that block order will have given the sender by then.
    pub(super) nonce: u64,
    /// Whether it delegates (EIP-7702), which asks whether accounts are empty.
    pub(super) delegates: bool,
}

/// A database for executions ahead of their turn.
pub(super) trait Speculative: EvmDatabase + Demanding {
    /// Forgets the transaction before.
    fn begin(&mut self, starting: Starting);

    /// What the transaction that ends needs of balances.
    fn needs(&self) -> Vec<(Address, Need)>;
}

/// revm for a worker, in the block's environment. Whoever is done with it [leaves it](reuse::leave) to the next one.
pub(super) fn evm<DB: Database>(job: &ReplayJob, db: DB) -> WorkerEvm<DB> {
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
pub(super) struct Worker<DB: Database> {
    evm: WorkerEvm<DB>,
}

impl<DB: EvmDatabase> Worker<DB> {
    pub(super) fn new(job: &ReplayJob, db: DB) -> Self {
        Self { evm: evm(job, db) }
    }

    /// Where it reads.
    pub(super) const fn database(&mut self) -> &mut DB {
        &mut self.evm.ctx.journaled_state.database
    }

    /// Executes a transaction; the beneficiary's fee is left to whoever commits it, unless the
    /// transaction loaded the beneficiary.
    pub(super) fn run(&mut self, transaction: &Recovered<TxEnvelope>) -> TxOutput {
        self.run_env(transaction, env(transaction))
    }

    fn run_env(&mut self, transaction: &Recovered<TxEnvelope>, env: TxEnv) -> TxOutput {
        let handler = &mut DeferFee::new(FeePayment::Deferred);
        self.evm.ctx.set_tx(env);
        let result = handler.run(&mut self.evm);
        self.output(transaction, result, handler.deferred())
    }

    /// Executes a transaction that pays the beneficiary itself, as revm does.
    pub(super) fn run_to_the_end(&mut self, transaction: &Recovered<TxEnvelope>) -> TxOutput {
        let mut handler = MainnetHandler::<_, EVMError<DB::Error>, EthFrame>::default();
        self.evm.ctx.set_tx(env(transaction));
        let result = handler.run(&mut self.evm);
        self.output(transaction, result, None)
    }

    /// Takes back a journal that nobody needs any more, for its allocation.
    pub(super) fn give_back(&mut self, mut state: EvmState) {
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
    /// An EVM whose instructions tell the database what they want of balances.
    pub(super) fn speculative(job: &ReplayJob, db: DB) -> Self {
        let mut worker = Self::new(job, db);
        instructions::install(&mut worker.evm.instruction);
        worker
    }

    /// Executes a transaction ahead of its turn.
    pub(super) fn attempt(&mut self, job: &ReplayJob, tx: usize) -> Attempt {
        let transaction = &job.transactions[tx];
        let env = env(transaction);
        // What cannot be spent at all is an invalid transaction, whatever the balance.
        let spends = env.max_balance_spending().unwrap_or(U256::MAX);
        let delegates = env.tx_type() == TransactionType::Eip7702;
        let (sender, nonce) = (transaction.signer(), transaction.nonce());
        let database = self.database();
        database.begin(Starting { tx, sender, nonce, delegates });
        database.demand(sender, Demand::Pay(spends));
        let output = self.run_env(transaction, env);
        if let Ok(outcome) = &output {
            for (address, account) in &outcome.state {
                if account.is_created() || account.is_selfdestructed() {
                    self.database().demand(*address, Demand::Exact);
                }
            }
        }
        Attempt { output, needs: self.database().needs() }
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
