//! The engine's machine for Ethereum: one revm per worker, over the worker's view of the block.

use super::{
    demands::{BalanceRule, Demand},
    engine::{Executed, Machine},
    fees::{DeferFee, WorkerEvm},
    instructions,
    memory::{Location, Memory, TxIndex, Write, WriteSet},
    view::View,
    worker_state::{NewCodes, WorkerError, WorkerState},
    writes::{is_replaced, write_set},
};
use crate::{block::ReplayJob, evm::BlockExecutionError, state::StateError};
use alloy_consensus::{Transaction as _, TxEnvelope, transaction::Recovered};
use alloy_evm::{FromRecoveredTx, block::BlockExecutionError as Error};
use alloy_primitives::{U256, map::B256Map};
use revm::{
    Context, MainBuilder, MainContext,
    bytecode::Bytecode,
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
    new_codes: NewCodes,
}

impl<'a> Shared<'a> {
    pub(super) fn new(job: &'a ReplayJob) -> Self {
        Self { job, new_codes: NewCodes::default() }
    }

    /// The codes that were deployed.
    pub(super) fn into_new_codes(self) -> B256Map<Bytecode> {
        self.new_codes.into_inner()
    }

    /// All that a transaction writes, the fee that its journal does not hold included.
    ///
    /// # Errors
    /// If an account is not in the state before the block. The EVM reads before it writes, and the
    /// beneficiary is known where there are transactions, so this does not happen.
    fn writes(
        &self,
        tx: TxIndex,
        outcome: &TxOutcome,
        rule: BalanceRule,
    ) -> Result<WriteSet, StateError> {
        let base = &self.job.numbered_state;
        let mut writes = write_set(tx, &outcome.state, rule, base, &self.new_codes)?;
        if let Some(fee) = outcome.deferred_fee {
            let beneficiary = base.account(self.job.env.block_env.beneficiary())?;
            writes.push((Location::Balance(beneficiary.number), Write::Add(fee)));
        }
        Ok(writes)
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
        let output = self.run(&self.shared.job.transactions[tx]);
        let Ok(outcome) = &output else {
            self.state().settle();
            return Executed { writes: Vec::new(), output, cost: 0 };
        };
        for (address, _) in outcome.state.iter().filter(|(_, account)| is_replaced(account)) {
            self.state().demand(*address, Demand::Exact);
        }
        self.state().settle();
        let writes = match self.shared.writes(tx, outcome, self.state().rule()) {
            Ok(writes) => writes,
            Err(error) => {
                let output = Err(Error::other(error));
                return Executed { writes: Vec::new(), output, cost: 0 };
            }
        };
        let cost = outcome.result.tx_gas_used();
        Executed { writes, output, cost }
    }
}
