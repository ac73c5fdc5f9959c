//! As many baselines at once as there are threads, each with the whole block: no way to execute it, but what to see the
//! machine by.
//!
//! Nothing is shared out, and nobody waits for anybody. What they take longer than one alone is what their cores share:
//! caches, memory, and whoever else uses the same processors unseen, such as another virtual machine.

use super::{DeferredDrop, ExecuteError, Execution, Executor, Sequential, WorkerPool};
use crate::block::ReplayJob;
use parking_lot::Mutex;

/// The baseline on every thread.
#[derive(Clone, Copy, Debug)]
pub struct SideBySide;

impl Executor for SideBySide {
    /// The outcome is that of the one who ended last; what the others came to is dropped.
    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        // What came of each; nobody but the scope's owner reads it.
        let ended = Mutex::new(Vec::with_capacity(pool.threads().get()));
        pool.run_on_all(|| {
            let execution = Sequential.execute(job, pool);
            ended.lock().push(execution);
        });
        let mut all = ended.into_inner().into_iter().collect::<Result<Vec<_>, _>>()?;
        let engine = ExecuteError::Engine { executor: "sequential" };
        let Execution { outcome, stats, mode, leftovers } = all.pop().ok_or(engine)?;
        Ok(Execution { outcome, stats, mode, leftovers: DeferredDrop::new((leftovers, all)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::prepare, cache::sample};
    use std::num::NonZeroUsize;

    #[test]
    fn several_at_once_come_to_what_one_comes_to() {
        let block = sample().expect("it is built in").swap_remove(0);
        let job = prepare(block, |_| ()).expect("it proves itself");
        let threads = NonZeroUsize::new(3).expect("not zero");
        let pool = WorkerPool::new(threads).expect("the system has threads");
        let one = Sequential.execute(&job, &pool).expect("the block is valid");
        let several = SideBySide.execute(&job, &pool).expect("the block is valid");
        assert!(one.outcome == several.outcome);
    }
}
