//! The leanest loops over revm that produce a block's outcome.
//!
//! One EVM runs all transactions, with revm's own precompiles and no inspector. Each transaction
//! takes revm's `transact_one` and `finalize`, a receipt, and a commit. The block's gas limit is
//! not checked, and there is no layer in between. alloy-evm runs the phases before and after the
//! transactions, which are a few system calls.
//!
//! One loop computes every hash, as revm does. The other caches hashes, as workers do.

use alloy_consensus::{EthereumReceipt, Transaction as _, TxEnvelope, transaction::Recovered};
use alloy_evm::{
    EthEvm, FromRecoveredTx,
    block::BlockExecutor as _,
    eth::{EthBlockExecutionCtx, EthBlockExecutor},
};
use blockrace::{
    block::ReplayJob,
    evm::{PlainReceipts, Receipt},
    execution::{
        BlockOutcome,
        hashes::{self, Hashes},
    },
    state::{BlockState, PreState},
};
use revm::{
    Context, ExecuteCommitEvm as _, ExecuteEvm as _, MainBuilder as _, MainContext as _,
    MainnetEvm,
    context::{BlockEnv, CfgEnv, Journal, TxEnv},
    inspector::NoOpInspector,
};
use std::borrow::Cow;

type State<'a> = BlockState<&'a PreState>;
type LeanEvm<'a, C> =
    MainnetEvm<Context<BlockEnv, TxEnv, CfgEnv, State<'a>, Journal<State<'a>>, C>, NoOpInspector>;

/// Executes the block. Panics if it is invalid.
pub(crate) fn execute(job: &ReplayJob) -> BlockOutcome {
    execute_with(job, (), |_| ())
}

/// As [`execute`], with hashes cached for the duration of the block.
pub(crate) fn execute_remembering(job: &ReplayJob) -> BlockOutcome {
    execute_with(job, Hashes::default(), |evm| hashes::install(&mut evm.instruction))
}

fn execute_with<'a, C>(
    job: &'a ReplayJob,
    with: C,
    equip: impl FnOnce(&mut LeanEvm<'a, C>),
) -> BlockOutcome {
    let first = EthEvm::new(evm(job, BlockState::new(&job.pre_state), ()), false);
    let mut run = EthBlockExecutor::new(first, context(job), &job.chain, PlainReceipts);
    run.apply_pre_execution_changes().expect("system calls do not fail");

    let EthBlockExecutor { evm: first, ctx, spec, receipt_builder, mut receipts, .. } = run;
    let mut lean = evm(job, first.into_inner().ctx.journaled_state.database, with);
    equip(&mut lean);
    let (mut gas_used, mut blob_gas_used) = (0, 0);
    for transaction in &job.transactions {
        receipts.push(transact(&mut lean, transaction, &mut gas_used));
        blob_gas_used += transaction.blob_gas_used().unwrap_or_default();
    }

    let last = EthEvm::new(evm(job, lean.ctx.journaled_state.database, ()), false);
    let mut run = EthBlockExecutor::new(last, ctx, spec, receipt_builder);
    run.receipts = receipts;
    run.cumulative_tx_gas_used = gas_used;
    run.blob_gas_used = blob_gas_used;
    let (last, result) = run.finish().expect("system calls do not fail");
    let state = last.into_inner().ctx.journaled_state.database;
    BlockOutcome {
        receipts: result.receipts,
        gas_used: result.gas_used,
        blob_gas_used: result.blob_gas_used,
        requests: result.requests,
        post_state: state.post_state().expect("written locations were read"),
    }
}

fn evm<'a, C>(job: &ReplayJob, state: State<'a>, with: C) -> LeanEvm<'a, C> {
    Context::mainnet()
        .with_block(job.env.block_env.clone())
        .with_cfg(job.env.cfg_env.clone())
        .with_db(state)
        .with_chain(with)
        .build_mainnet_with_inspector(NoOpInspector)
}

fn context(job: &ReplayJob) -> EthBlockExecutionCtx<'_> {
    EthBlockExecutionCtx {
        parent_hash: job.header.parent_hash,
        parent_beacon_block_root: job.header.parent_beacon_block_root,
        ommers: &job.ommers,
        withdrawals: job.withdrawals.as_deref().map(Cow::Borrowed),
        extra_data: job.header.extra_data.clone(),
        tx_count_hint: Some(job.transactions.len()),
        slot_number: None,
    }
}

fn transact<C>(
    evm: &mut LeanEvm<'_, C>,
    transaction: &Recovered<TxEnvelope>,
    gas_used: &mut u64,
) -> Receipt {
    let env = TxEnv::from_recovered_tx(transaction.inner(), transaction.signer());
    let result = evm.transact_one(env).expect("the transaction is valid");
    evm.commit_inner();
    *gas_used += result.gas().tx_gas_used();
    EthereumReceipt {
        tx_type: transaction.inner().tx_type(),
        success: result.is_success(),
        cumulative_gas_used: *gas_used,
        logs: result.into_logs(),
    }
}
