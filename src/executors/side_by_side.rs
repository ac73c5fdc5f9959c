//! Runs one baseline per thread at the same time, each with the whole block. This measures the
//! machine and is not an executor of the race.
//!
//! The baselines share no work and do not wait for each other. Their slowdown against a single
//! baseline shows how much their cores share: caches, memory, and processors that another virtual
//! machine uses at the same time.

use super::ExecutorKind;
use crate::{
    block::ReplayJob,
    execution::{ExecuteError, Execution, Executor},
    threads::{DeferredDrop, WorkerPool},
};
use parking_lot::Mutex;
use std::num::NonZeroUsize;

/// The baseline on every thread.
#[derive(Debug)]
pub struct SideBySide {
    baseline: Box<dyn Executor>,
}

impl SideBySide {
    /// Prepares this baseline for a block.
    ///
    /// # Errors
    /// As [`ExecutorKind::prepare`].
    pub fn prepare(baseline: ExecutorKind, job: &ReplayJob) -> Result<Self, ExecuteError> {
        Ok(Self { baseline: baseline.prepare(job, NonZeroUsize::MIN)? })
    }
}

impl Executor for SideBySide {
    /// Returns the outcome of the last baseline to end. The other outcomes are dropped later.
    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        // Guards the results, which are read when the scope has ended.
        let ended = Mutex::new(Vec::with_capacity(pool.threads().get()));
        pool.run_on_all(|| {
            let execution = self.baseline.execute(job, pool);
            ended.lock().push(execution);
        });
        let mut all = ended.into_inner().into_iter().collect::<Result<Vec<_>, _>>()?;
        let engine = ExecuteError::Engine { executor: "baseline" };
        let Execution { outcome, stats, mode, leftovers } = all.pop().ok_or(engine)?;
        Ok(Execution { outcome, stats, mode, leftovers: DeferredDrop::new((leftovers, all)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::prepare, cache::sample, executors::Sequential};

    #[test]
    fn parallel_baselines_give_the_same_outcome_as_one() {
        let block = sample().expect("the built-in sample is valid").swap_remove(0);
        let job = prepare(block, |_| ()).expect("the witness is valid");
        let threads = NonZeroUsize::new(3).expect("not zero");
        let pool = WorkerPool::new(threads).expect("the threads start");
        let one = Sequential.execute(&job, &pool).expect("the block is valid");
        let several =
            SideBySide::prepare(ExecutorKind::SEQUENTIAL, &job).expect("it needs nothing");
        let several = several.execute(&job, &pool).expect("the block is valid");
        assert!(one.outcome == several.outcome);
    }
}
