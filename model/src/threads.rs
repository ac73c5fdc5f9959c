//! Worker threads without rayon.

#[cfg(feature = "schedules")]
pub(crate) use shuttle::thread;
#[cfg(not(feature = "schedules"))]
pub(crate) use std::thread;

#[cfg(feature = "schedules")]
pub(crate) use crate::modelled as sync;
#[cfg(not(feature = "schedules"))]
#[path = "../../src/threads/sync.rs"]
pub(crate) mod sync;

/// This number of threads, the calling one included.
#[derive(Clone, Copy, Debug)]
pub struct WorkerPool(pub usize);

/// Whether each thread can have a core of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversubscribed {
    /// Each thread can have a core. A waiting thread does not keep the awaited thread from running.
    No,
    /// Threads share cores. A waiting thread may keep the awaited thread from running.
    Yes,
}

impl WorkerPool {
    /// Runs `work` once on each thread, in parallel, and returns when all are done.
    pub fn run_on_all(&self, work: impl Fn() + Sync) {
        thread::scope(|scope| {
            for _ in 1..self.0 {
                scope.spawn(&work);
            }
            work();
        });
    }
}
