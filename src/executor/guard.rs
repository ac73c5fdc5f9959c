//! Runs executors where neither a panic nor an endless loop of one reaches the caller.
//!
//! A panic is caught. A thread that never returns cannot be stopped from outside: it is left behind with
//! its pool and whatever it holds, and the next block gets new threads. That costs a processor until the
//! process ends, and the caller gets an error for that block, and goes on.

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
    /// The executor itself says why.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// It panicked: a bug of ours, never the block's fault.
    #[error("it panicked: {message}; this is a bug")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// It took so long that it was left behind.
    #[error("it did not finish within {} s, and was left behind", limit.as_secs_f64())]
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// No threads to run it on.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// No thread to watch it from.
    #[error("cannot start a thread for the executor")]
    Thread(#[source] std::io::Error),
}

/// A thread with a pool, on which one thing at a time is run under watch.
#[derive(Debug)]
pub struct Guard {
    threads: NonZeroUsize,
    limit: Duration,
    /// `None` after it was left behind.
    desk: Option<Desk>,
}

type Work = Box<dyn FnOnce(&WorkerPool) + Send>;

/// Where work for the thread goes. The thread ends when this is dropped and its last work is done.
#[derive(Debug)]
struct Desk(Sender<Work>);

impl Guard {
    /// Starts the threads. Whatever runs for longer than `limit` is left behind.
    ///
    /// # Errors
    /// If the system has no more threads to give.
    pub fn new(threads: NonZeroUsize, limit: Duration) -> Result<Self, GuardError> {
        Ok(Self { threads, limit, desk: Some(Desk::new(threads)?) })
    }

    /// All threads that may take part.
    pub const fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// Makes the executor for a block and executes it, under watch.
    ///
    /// # Errors
    /// What the executor says, or [`GuardError::Panicked`] or [`GuardError::TimedOut`].
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

    /// Runs anything under watch. `work` and what it holds are dropped before this returns, unless it
    /// was left behind.
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
            // Nobody listens any more if this took too long.
            let _ = reply.send(result);
        }));
        let result = match replied.recv_timeout(self.limit) {
            Ok(result) => result.map_err(|panic| GuardError::Panicked { message: said(&*panic) }),
            Err(RecvTimeoutError::Timeout) => {
                return Err(GuardError::TimedOut { limit: self.limit });
            }
            Err(RecvTimeoutError::Disconnected) => {
                let message = "its thread is gone".to_owned();
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

    /// If the thread is gone, then the work is dropped, and with it the way to reply.
    fn put(&self, work: Work) {
        let _ = self.0.send(work);
    }
}

/// What a panic said.
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
    fn work_that_never_ends_is_left_behind_and_the_next_runs() {
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
    fn what_the_work_holds_is_dropped_before_its_result_comes() {
        let mut guard = Guard::new(ONE, Duration::from_secs(60)).expect("threads");
        let held = Arc::new(());
        for _ in 0..100 {
            let copy = held.clone();
            guard.run(move |_| drop(copy)).expect("it runs");
            assert_eq!(Arc::strong_count(&held), 1);
        }
    }
}
