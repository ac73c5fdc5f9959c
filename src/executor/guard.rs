//! Runs executors so that neither a panic nor an endless loop reaches the caller.
//!
//! A panic is caught. A thread that never returns cannot be stopped from outside. The guard
//! abandons it, with its pool and all that it holds, and starts new threads for the next block. An
//! abandoned thread uses a core until the process ends. The caller gets an error for that block and
//! continues.

use super::{ExecuteError, Execution, ExecutorKind, PoolError, WorkerPool};
use crate::block::ReplayJob;
use std::{
    any::Any,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

/// Why a guarded execution has no result.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The executor returned an error.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The executor panicked. This is a bug of blockrace, not a fault of the block.
    #[error("the executor panicked: {message}; this is a bug")]
    Panicked {
        /// Message of the panic.
        message: String,
    },
    /// The executor exceeded its time limit and was abandoned.
    #[error("the executor did not finish within {} s and was abandoned", limit.as_secs_f64())]
    TimedOut {
        /// The time limit.
        limit: Duration,
    },
    /// The pool did not start.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The guarded thread did not start.
    #[error("cannot start a thread for the executor")]
    Thread(#[source] std::io::Error),
}

/// A thread with a pool. It runs one piece of work at a time, with a time limit.
#[derive(Debug)]
pub struct Guard {
    threads: NonZeroUsize,
    limit: Duration,
    /// `None` after the thread was abandoned.
    desk: Option<Desk>,
}

type Work = Box<dyn FnOnce(&WorkerPool) + Send>;

/// Sender of work to the thread. The thread ends when this is dropped and its last work is done.
#[derive(Debug)]
struct Desk(Sender<Work>);

impl Guard {
    /// Starts the threads. Work that runs for longer than `limit` is abandoned.
    ///
    /// # Errors
    /// The operating system does not start the threads.
    pub fn new(threads: NonZeroUsize, limit: Duration) -> Result<Self, GuardError> {
        Ok(Self { threads, limit, desk: Some(Desk::new(threads)?) })
    }

    /// Number of threads of the pool.
    pub const fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// Prepares the executor for a block and executes the block under guard.
    ///
    /// # Errors
    /// The executor's error, or [`GuardError::Panicked`] or [`GuardError::TimedOut`].
    pub fn execute(
        &mut self,
        executor: ExecutorKind,
        job: &Arc<ReplayJob>,
    ) -> Result<Execution, GuardError> {
        let job = job.clone();
        let execute =
            move |pool: &WorkerPool| executor.prepare(&job, pool.threads())?.execute(&job, pool);
        Ok(self.run(execute)??)
    }

    /// Runs `work` under guard. `work` and all that it holds are dropped before this returns,
    /// unless it was abandoned.
    ///
    /// # Errors
    /// [`GuardError::Panicked`] or [`GuardError::TimedOut`].
    pub fn run<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&WorkerPool) -> R + Send + 'static,
    ) -> Result<R, GuardError> {
        let desk = self.desk.take().map_or_else(|| Desk::new(self.threads), Ok)?;
        let (reply, replied) = mpsc::channel();
        desk.put(Box::new(move |pool| {
            let result = catch_unwind(AssertUnwindSafe(|| work(pool)));
            // The receiver is gone if the time limit was exceeded.
            let _ = reply.send(result);
        }));
        let result = match replied.recv_timeout(self.limit) {
            Ok(result) => result.map_err(|panic| GuardError::Panicked { message: said(&*panic) }),
            Err(RecvTimeoutError::Timeout) => {
                return Err(GuardError::TimedOut { limit: self.limit });
            }
            Err(RecvTimeoutError::Disconnected) => {
                let message = "the executor's thread is gone".to_owned();
                return Err(GuardError::Panicked { message });
            }
        };
        self.desk = Some(desk);
        result
    }
}

impl Desk {
    fn new(threads: NonZeroUsize) -> Result<Self, GuardError> {
        let pool = WorkerPool::new(threads)?;
        let (desk, inbox) = mpsc::channel::<Work>();
        let serve = move || inbox.into_iter().for_each(|work| work(&pool));
        thread::Builder::new()
            .name("guarded".to_owned())
            .spawn(serve)
            .map_err(GuardError::Thread)?;
        Ok(Self(desk))
    }

    /// If the thread is gone, the work is dropped together with its reply channel.
    fn put(&self, work: Work) {
        let _ = self.0.send(work);
    }
}

/// Message of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    #[test]
    fn a_panic_is_an_error_and_the_next_work_runs() {
        let mut guard = Guard::new(ONE, Duration::from_secs(60)).expect("threads");
        let error = guard.run(|_| -> u8 { panic!("out of {}", "luck") }).expect_err("it panics");
        assert!(matches!(&error, GuardError::Panicked { message } if message == "out of luck"));
        assert_eq!(guard.run(|pool: &WorkerPool| pool.threads().get()).expect("it runs"), 1);
    }

    #[test]
    fn endless_work_is_abandoned_and_the_next_work_runs() {
        let mut guard = Guard::new(ONE, Duration::from_millis(20)).expect("threads");
        let error = guard
            .run(|_| {
                loop {
                    thread::park()
                }
            })
            .map(|(): ()| ())
            .expect_err("it hangs");
        assert!(matches!(error, GuardError::TimedOut { .. }), "{error}");
        let mut guard = Guard { limit: Duration::from_secs(60), ..guard };
        assert_eq!(guard.run(|_| 7).expect("it runs"), 7);
    }

    #[test]
    fn captures_of_the_work_are_dropped_before_its_result_returns() {
        let mut guard = Guard::new(ONE, Duration::from_secs(60)).expect("threads");
        let held = Arc::new(());
        for _ in 0..100 {
            let copy = held.clone();
            guard.run(move |_| drop(copy)).expect("it runs");
            assert_eq!(Arc::strong_count(&held), 1);
        }
    }
}
