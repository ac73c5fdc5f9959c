//! The threads that executors run on: made once, kept warm, passed in.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::{num::NonZeroUsize, thread};

/// The system would not start the threads.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} worker threads")]
pub struct PoolError {
    threads: NonZeroUsize,
    source: ThreadPoolBuildError,
}

/// A fixed number of threads, the calling one included.
///
/// [`WorkerPool::run_on_all`] works on the calling thread and all but one of the pool's, so that one
/// thread alone needs no hand-over. [`WorkerPool::install`] needs rayon's own threads for its parallel
/// iterators; the calling one waits meanwhile, without using a processor. Either way `threads` is all
/// that takes part.
#[derive(Debug)]
pub struct WorkerPool {
    threads: NonZeroUsize,
    crowding: Crowding,
    pool: ThreadPool,
}

/// Whether every thread can have a processor to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowding {
    /// A thread that waits a moment for another does not keep it from running.
    Roomy,
    /// It may well do so.
    Crowded,
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
        let crowded = thread::available_parallelism().is_ok_and(|cores| threads > cores);
        let crowding = if crowded { Crowding::Crowded } else { Crowding::Roomy };
        Ok(Self { threads, crowding, pool })
    }

    /// Whether every thread can have a processor to itself, as the system said when they were started.
    pub const fn crowding(&self) -> Crowding {
        self.crowding
    }

    /// All threads that take part.
    pub const fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// Runs `work` as often as there are threads, at the same time, and returns when all are done.
    pub fn run_on_all(&self, work: impl Fn() + Sync) {
        self.pool.in_place_scope(|scope| {
            for _ in 1..self.threads.get() {
                scope.spawn(|_| work());
            }
            work();
        });
    }

    /// Applies `work` to the parts at the same time, the first on the calling thread, and returns the results
    /// in order. There are no more parts than threads.
    pub fn map_all<T: Send, R: Send>(
        &self,
        parts: impl Iterator<Item = T>,
        work: impl Fn(T) -> R + Sync,
    ) -> Vec<R> {
        let mut parts: Vec<_> = parts.map(|part| (Some(part), None)).collect();
        let apply = |(part, result): &mut (Option<T>, Option<R>)| {
            *result = part.take().map(&work);
        };
        self.pool.in_place_scope(|scope| {
            let Some((first, others)) = parts.split_first_mut() else { return };
            for part in others {
                scope.spawn(|_| apply(part));
            }
            apply(first);
        });
        parts.into_iter().filter_map(|(_, result)| result).collect()
    }

    /// Runs `work` on one of the threads; rayon's parallel iterators inside use all of them.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}
