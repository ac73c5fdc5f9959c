//! Optimistic execution in batches of a fixed size.
//!
//! All transactions of a batch run at once on the state before the batch. Then they commit in block order;
//! an attempt with a changed read is executed again. The next batch starts after that.

use blockrace::{
    block::ReplayJob,
    execution::{
        Attempt, BlockBuilder, ExecuteError, Execution, ExecutionMode, Executor, SpeculativeState,
    },
    executors::ExecutorFactory,
    threads::WorkerPool,
};
use std::{
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Transactions of a batch for each thread. More find more work to overlap; fewer conflict less.
const PER_THREAD: usize = 8;

/// The executor as users choose it by name.
pub(crate) fn factory() -> Box<dyn ExecutorFactory> {
    Box::new(FixedBatches)
}

#[derive(Clone, Copy, Debug)]
struct FixedBatches;

impl ExecutorFactory for FixedBatches {
    fn name(&self) -> &str {
        "fixed-batches"
    }

    fn description(&self) -> &str {
        "optimistic, in batches of eight transactions for each thread"
    }

    fn prepare(&self, _: &ReplayJob, _: NonZeroUsize) -> Result<Box<dyn Executor>, ExecuteError> {
        Ok(Box::new(*self))
    }
}

impl Executor for FixedBatches {
    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        let storage = job.storage();
        let mut block = BlockBuilder::begin(job, &storage)?;
        let transactions: Vec<_> = (0..job.transactions.len()).collect();
        'block: for batch in transactions.chunks(PER_THREAD * pool.threads().get()) {
            let batch = batch[0]..batch[0] + batch.len();
            let attempts = speculate(block.speculation(), batch.clone(), pool);
            for (tx, attempt) in batch.zip(attempts) {
                let flow = match attempt {
                    Some(attempt) => block.commit(tx, attempt)?,
                    None => block.execute(tx),
                };
                if flow.is_break() {
                    break 'block;
                }
            }
        }
        block.finish(ExecutionMode::Parallel)
    }
}

/// One attempt for each transaction of the batch. Threads take the next transaction from a counter.
fn speculate(
    state: SpeculativeState<'_>,
    batch: Range<usize>,
    pool: &WorkerPool,
) -> Vec<Option<Attempt>> {
    let next = AtomicUsize::new(batch.start);
    let attempts: Vec<_> = batch.clone().map(|_| Mutex::new(None)).collect();
    pool.run_on_all(|| {
        let mut worker = state.worker();
        loop {
            let tx = next.fetch_add(1, Ordering::Relaxed);
            if tx >= batch.end {
                break;
            }
            let attempt = worker.attempt(tx);
            // One thread takes each transaction, so that no lock is contended.
            *attempts[tx - batch.start].lock().unwrap_or_else(PoisonError::into_inner) =
                Some(attempt);
        }
    });
    attempts
        .into_iter()
        .map(|attempt| attempt.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}
