//! The engine's machine for Ethereum: one revm per worker, over the worker's view of the block.

use super::{
    demands::Demand,
    engine::{Executed, Machine},
    fees::{DeferFee, WorkerEvm},
    instructions,
    memory::{AccountNumber, Location, Memory, Write},
    view::View,
    worker_state::{NewCodes, WorkerError, WorkerState},
    writes::{is_replaced, write_set},
};
use crate::{block::ReplayJob, evm::BlockExecutionError, state::StateError};
use alloy_consensus::{Transaction as _, TxEnvelope, transaction::Recovered};
use alloy_evm::{FromRecoveredTx, block::BlockExecutionError as Error};
use alloy_primitives::U256;
use revm::{
    Context, MainBuilder, MainContext,
    context::TxEnv,
    context_interface::{
        Block, ContextSetters, JournalTr, Transaction as _, TransactionType,
        result::{EVMError, ExecutionResult, HaltReason},
    },
    handler::Handler,
    state::EvmState,
};

/// What all workers of one block share.
pub(super) struct Shared<'a> {
    job: &'a ReplayJob,
    beneficiary: AccountNumber,
    new_codes: NewCodes,
}

impl<'a> Shared<'a> {
    /// # Errors
    /// If the beneficiary's account is not known.
    pub(super) fn new(job: &'a ReplayJob) -> Result<Self, StateError> {
        let beneficiary = job.numbered_state.account(job.env.block_env.beneficiary())?.number;
        Ok(Self { job, beneficiary, new_codes: NewCodes::default() })
    }
}

/// What one transaction leaves, for whoever commits it.
pub(super) struct TxOutcome {
    pub(super) result: ExecutionResult<HaltReason>,
    pub(super) state: EvmState,
    /// In wei, where the journal does not hold it.
    pub(super) deferred_fee: Option<U256>,
}

/// A transaction that is invalid, if block order gives it the state that this incarnation saw.
pub(super) type TxOutput = Result<TxOutcome, BlockExecutionError>;

/// One worker's EVM, reused for all its transactions.
pub(super) struct EvmMachine<'a, 'm> {
    shared: &'a Shared<'a>,
    evm: WorkerEvm<WorkerState<'a, 'm>>,
}

impl<'a, 'm> EvmMachine<'a, 'm> {
    pub(super) fn new(shared: &'a Shared<'a>, memory: &'m Memory) -> Self {
        let Shared { job, new_codes, .. } = shared;
        let env = job.env.clone();
        let (view, base) = (View::new(memory), &job.numbered_state);
        let state = WorkerState::new(view, base, new_codes, env.cfg_env.spec);
        let context =
            Context::mainnet().with_block(env.block_env).with_cfg(env.cfg_env).with_db(state);
        let mut evm = context.build_mainnet();
        instructions::install(&mut evm.instruction);
        Self { shared, evm }
    }

    fn state(&mut self) -> &mut WorkerState<'a, 'm> {
        &mut self.evm.ctx.journaled_state.database
    }

    fn run(&mut self, transaction: &Recovered<TxEnvelope>) -> TxOutput {
        let handler = &mut DeferFee::new();
        let env = TxEnv::from_recovered_tx(transaction.inner(), transaction.signer());
        // What cannot be spent at all is an invalid transaction, whatever the balance.
        let spends = env.max_balance_spending().unwrap_or(U256::MAX);
        let delegates = env.tx_type() == TransactionType::Eip7702;
        self.state().begin(transaction.signer(), transaction.nonce(), spends, delegates);
        self.evm.ctx.set_tx(env);
        let result = handler.run(&mut self.evm);
        let state = self.evm.ctx.journaled_state.finalize();
        let result = result.map_err(|error: EVMError<WorkerError>| {
            Error::evm(error, *transaction.inner().hash())
        })?;
        Ok(TxOutcome { result, state, deferred_fee: handler.deferred() })
    }
}

impl<'m> Machine<'m> for EvmMachine<'_, 'm> {
    type Output = TxOutput;

    fn view(&mut self) -> &mut View<'m> {
        &mut self.state().view
    }

    fn execute(&mut self) -> Executed<TxOutput> {
        let tx = self.view().tx();
        let Shared { job, beneficiary, new_codes } = self.shared;
        let output = self.run(&job.transactions[tx]);
        let Ok(outcome) = &output else {
            self.state().settle();
            return Executed { writes: Vec::new(), output, cost: 0 };
        };
        for (address, _) in outcome.state.iter().filter(|(_, account)| is_replaced(account)) {
            self.state().demand(*address, Demand::Exact);
        }
        self.state().settle();
        let rule = self.state().rule();
        let writes = write_set(tx, &outcome.state, rule, &job.numbered_state, new_codes);
        let mut writes = match writes {
            Ok(writes) => writes,
            Err(error) => {
                let output = Err(Error::other(error));
                return Executed { writes: Vec::new(), output, cost: 0 };
            }
        };
        if let Some(fee) = outcome.deferred_fee {
            writes.push((Location::Balance(*beneficiary), Write::Add(fee)));
        }
        let cost = outcome.result.tx_gas_used();
        Executed { writes, output, cost }
    }
}
