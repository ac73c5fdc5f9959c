//! The baseline: alloy-evm's own block executor, in block order on one thread.
//!
//! It neither optimises nor adds work. Clients run `EthBlockExecutor` over a database, and so does
//! this. The database is the flat pre-state that all executors use, under a layer of the block's
//! own changes ([`BlockState`]). Some executors have optimisations besides parallelism (`hashes`,
//! payments executed together), which also work on one thread. Their results on one thread show the
//! effect.

use crate::{
    block::ReplayJob,
    evm::run_block,
    execution::{
        BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats, Observable,
        observe::{Activity, Event, Observer},
    },
    state::BlockState,
    threads::{DeferredDrop, WorkerPool},
};

/// Executes in block order on the calling thread, without the pool.
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

/// Reports that `done` transactions are executed and final, and the next activity.
fn tell_next(observer: &impl Observer, done: usize, count: usize) {
    if let Some(tx) = done.checked_sub(1) {
        observer.tell(Event::Published { tx });
        observer.tell(Event::Committed { tx });
    }
    let next = if done < count { Activity::Execute { tx: done } } else { Activity::After };
    observer.tell(Event::Began(next));
}
