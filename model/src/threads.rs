//! Worker threads without rayon.

#[cfg(feature = "schedules")]
pub(crate) use shuttle::thread;
#[cfg(not(feature = "schedules"))]
pub(crate) use std::thread;

/// So many threads, the calling one included.
#[derive(Clone, Copy, Debug)]
pub struct WorkerPool(pub usize);

/// Whether every thread can have a processor to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversubscribed {
    /// A thread that waits a moment for another does not keep it from running.
    No,
    /// It may well do so.
    Yes,
}

impl WorkerPool {
    /// Runs `work` as often as there are threads, at the same time, and returns when all are done.
    pub fn run_on_all(&self, work: impl Fn() + Sync) {
        thread::scope(|scope| {
            for _ in 1..self.0 {
                scope.spawn(&work);
            }
            work();
        });
    }
}
