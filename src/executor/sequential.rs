//! The baseline: alloy-evm's own block executor, in block order on one thread.
//!
//! Nothing is spared and nothing is added: what clients run is `EthBlockExecutor` over a database, and so does
//! this. The database is the same flat pre-state as everybody's, under a layer of the block's own changes
//! ([`BlockState`]). What other executors spare beside sharing out the transactions (`hashes`, payments executed
//! together), they spare on one thread, too: their results on one thread say how much that is.

use super::{
    BlockOutcome, DeferredDrop, ExecuteError, Execution, ExecutionMode, ExecutionStats, Observable,
    WorkerPool,
    observe::{Activity, Event, Observer},
};
use crate::{block::ReplayJob, evm::run_block, state::BlockState};

/// Executes in block order on the calling thread, and needs no pool.
#[derive(Clone, Copy, Debug)]
pub struct Sequential;

impl Observable for Sequential {
    fn run(
        &self,
        job: &ReplayJob,
        _pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        let count = job.transactions.len();
        observer.tell(Event::Began(Activity::Before));
        let storage = job.storage();
        let state = BlockState::new(&storage);
        let between = |done: usize, _: &BlockState<_>| {
            tell_next(observer, done, count);
            Ok::<(), ExecuteError>(())
        };
        let (result, state) = run_block(&job.context(), &job.transactions, state, between)?;
        let outcome = BlockOutcome::new(result, state.post_state()?);
        let stats = ExecutionStats { incarnations: count as u64, ..Default::default() };
        let leftovers = DeferredDrop::new(state.into_written());
        observer.tell(Event::Began(Activity::Absent));
        Ok(Execution { outcome, stats, mode: ExecutionMode::Sequential, leftovers })
    }
}

/// So many transactions are done, which here means executed and final.
fn tell_next(observer: &impl Observer, done: usize, count: usize) {
    if let Some(tx) = done.checked_sub(1) {
        observer.tell(Event::Published { tx });
        observer.tell(Event::Committed { tx });
    }
    let next = if done < count { Activity::Execute { tx: done } } else { Activity::After };
    observer.tell(Event::Began(next));
}
