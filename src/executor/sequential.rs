//! The baseline: alloy-evm's own block executor, in block order on one thread.

use super::{
    BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats, Executor, ExecutorKind,
    WorkerPool,
};
use crate::{block::ReplayJob, evm::run_block, state::BlockState};

/// Executes in block order on the calling thread, and needs no pool.
#[derive(Clone, Copy, Debug)]
pub struct Sequential;

impl Executor for Sequential {
    fn kind(&self) -> ExecutorKind {
        ExecutorKind::Sequential
    }

    fn execute(&self, job: &ReplayJob, _pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        let storage = job.storage();
        let state = BlockState::new(&storage);
        let between = |_, _: &BlockState<_>| Ok::<(), ExecuteError>(());
        let (result, state) = run_block(&job.context(), &job.transactions, state, between)?;
        let outcome = BlockOutcome {
            receipts: result.receipts,
            gas_used: result.gas_used,
            blob_gas_used: result.blob_gas_used,
            requests: result.requests,
            post_state: state.post_state()?,
        };
        let incarnations = job.transactions.len() as u64;
        let stats = ExecutionStats { incarnations, ..Default::default() };
        Ok(Execution { outcome, stats, mode: ExecutionMode::Sequential })
    }
}
