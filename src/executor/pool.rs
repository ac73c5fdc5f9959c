//! The threads that executors run on: made once, kept warm, passed in.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::num::NonZeroUsize;

/// The system would not start the threads.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} worker threads")]
pub struct PoolError {
    threads: NonZeroUsize,
    source: ThreadPoolBuildError,
}

/// A fixed number of worker threads.
///
/// While workers run, the thread that called waits without using a processor, so `threads` is all that
/// takes part.
#[derive(Debug)]
pub struct WorkerPool {
    threads: NonZeroUsize,
    pool: ThreadPool,
}

impl WorkerPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system has no more threads to give.
    pub fn new(threads: NonZeroUsize) -> Result<Self, PoolError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|index| format!("worker-{index}"))
            .build()
            .map_err(|source| PoolError { threads, source })?;
        Ok(Self { threads, pool })
    }

    /// All threads that take part.
    pub const fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// Runs `work` once on every thread, and returns when all are done.
    pub fn run_on_all(&self, work: impl Fn() + Sync) {
        self.pool.broadcast(|_| work());
    }

    /// Runs `work` on one of the threads; rayon's parallel iterators inside use all of them.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}
