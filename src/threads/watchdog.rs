//! Runs executors on a thread of their own, where neither a panic nor an endless loop reaches the caller.
//!
//! A panic is caught. A thread that does not return in time cannot be stopped from outside: the watchdog
//! abandons it together with its pool, and the next run gets new threads. The abandoned threads occupy
//! processors until the process ends. The caller gets an error for that run and continues.
//!
//! Every command that executes blocks does so on a watchdog. An [`Interrupt`] ends the wait for a run as well,
//! so that Ctrl-C takes effect in the middle of a block.

use super::{Buffers, Interrupt, Pinning, PoolError, WorkerPool};
use std::{
    any::Any,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

/// Time after which a waiting watchdog looks at its interrupt again. Most executions are shorter.
const INTERRUPT_PERIOD: Duration = Duration::from_millis(100);

/// The bounds of a run: time, and an interrupt.
#[derive(Clone, Debug)]
pub struct ExecutionLimit {
    /// Longest time of one execution.
    pub time: Duration,
    /// Ends the run early.
    pub interrupt: Interrupt,
}

impl Default for ExecutionLimit {
    /// Two minutes, which no block of a supported chain takes.
    fn default() -> Self {
        Duration::from_secs(120).into()
    }
}

impl From<Duration> for ExecutionLimit {
    /// A limit that nothing interrupts.
    fn from(time: Duration) -> Self {
        Self { time, interrupt: Interrupt::default() }
    }
}

/// Why a watched run has no result.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    /// The executor panicked. This is a bug of the executor, never the block's fault.
    #[error("it panicked: {message}; this is a bug")]
    Panicked {
        /// Message of the panic.
        message: String,
    },
    /// The run exceeded its time limit and was abandoned.
    #[error("it did not finish within {} s and was abandoned", limit.as_secs_f64())]
    TimedOut {
        /// The time limit.
        limit: Duration,
    },
    /// The interrupt was raised. A running execution was abandoned.
    #[error("interrupted")]
    Interrupted,
    /// There is no pool of this size.
    #[error("no pool has {threads} threads")]
    NoPool {
        /// The size.
        threads: NonZeroUsize,
    },
    /// The pool could not be started.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The thread that leads the pool could not be started.
    #[error("cannot start a thread for the executor")]
    Thread(#[source] std::io::Error),
}

/// A thread that leads one or several pools and runs one piece of work at a time, within a time limit.
///
/// A single thread leads all pools, so that its caches and allocations are warm whatever pool ran last.
#[derive(Debug)]
pub struct Watchdog {
    /// Numbers of threads of the pools, at least one.
    pools: Vec<NonZeroUsize>,
    pinning: Pinning,
    buffers: Buffers,
    limit: ExecutionLimit,
    /// `None` after the thread was abandoned; the next run starts another.
    lead: Option<Lead>,
}

type Work = Box<dyn FnOnce(&[WorkerPool]) + Send>;

/// Queue of the leading thread. The thread ends when this is dropped and its last work is done.
#[derive(Debug)]
struct Lead(Sender<Work>);

impl Watchdog {
    /// Starts the threads, not pinned.
    ///
    /// # Errors
    /// If the system refuses to start them.
    pub fn new(
        threads: NonZeroUsize,
        limit: impl Into<ExecutionLimit>,
    ) -> Result<Self, WatchdogError> {
        Self::with(vec![threads], Pinning::Free, limit)
    }

    /// As [`Watchdog::new`], with threads that free their allocations after each execution.
    ///
    /// # Errors
    /// As [`Watchdog::new`].
    pub fn freeing(
        threads: NonZeroUsize,
        limit: impl Into<ExecutionLimit>,
    ) -> Result<Self, WatchdogError> {
        Self::start(vec![threads], Pinning::Free, Buffers::Freed, limit.into())
    }

    /// Starts a pool for each number of threads, which are at least one. A run that exceeds `limit` is abandoned.
    ///
    /// # Errors
    /// If the system refuses to start or to pin them.
    pub fn with(
        pools: Vec<NonZeroUsize>,
        pinning: Pinning,
        limit: impl Into<ExecutionLimit>,
    ) -> Result<Self, WatchdogError> {
        Self::start(pools, pinning, Buffers::Kept, limit.into())
    }

    fn start(
        pools: Vec<NonZeroUsize>,
        pinning: Pinning,
        buffers: Buffers,
        limit: ExecutionLimit,
    ) -> Result<Self, WatchdogError> {
        let lead = Some(Lead::new(&pools, pinning, buffers)?);
        Ok(Self { pools, pinning, buffers, limit, lead })
    }

    /// Runs `work` on the leading thread with the first pool, within the limit of one execution. Unless the run is abandoned,
    /// `work` and all that it owns are dropped before this returns.
    ///
    /// # Errors
    /// [`WatchdogError::Panicked`], [`WatchdogError::TimedOut`] or [`WatchdogError::Interrupted`], and the
    /// errors of new threads after an abandoned run.
    pub fn run<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&WorkerPool) -> R + Send + 'static,
    ) -> Result<R, WatchdogError> {
        self.run_several(1, work)
    }

    /// As [`Watchdog::run`], with the pool of this number of threads.
    ///
    /// # Errors
    /// [`WatchdogError::NoPool`], or as [`Watchdog::run`].
    pub fn run_on<R: Send + 'static>(
        &mut self,
        threads: NonZeroUsize,
        work: impl FnOnce(&WorkerPool) -> R + Send + 'static,
    ) -> Result<R, WatchdogError> {
        let pool = self.pools.iter().position(|pool| *pool == threads);
        let pool = pool.ok_or(WatchdogError::NoPool { threads })?;
        self.run_with(1, move |pools| work(&pools[pool]))
    }

    /// As [`Watchdog::run`], for work that executes a block `executions` times. The limit is that of all.
    ///
    /// # Errors
    /// As [`Watchdog::run`].
    pub fn run_several<R: Send + 'static>(
        &mut self,
        executions: u32,
        work: impl FnOnce(&WorkerPool) -> R + Send + 'static,
    ) -> Result<R, WatchdogError> {
        self.run_with(executions, |pools| work(&pools[0]))
    }

    fn run_with<R: Send + 'static>(
        &mut self,
        executions: u32,
        work: impl FnOnce(&[WorkerPool]) -> R + Send + 'static,
    ) -> Result<R, WatchdogError> {
        if self.limit.interrupt.is_raised() {
            return Err(WatchdogError::Interrupted);
        }
        let start = || Lead::new(&self.pools, self.pinning, self.buffers);
        let lead = self.lead.take().map_or_else(start, Ok)?;
        let (reply, replied) = mpsc::channel();
        lead.put(Box::new(move |pools| {
            let result = catch_unwind(AssertUnwindSafe(|| work(pools)));
            // The receiver is gone if this run was abandoned.
            let _ = reply.send(result);
        }));
        let result = self.limit.wait(executions, &replied)?;
        self.lead = Some(lead);
        result.map_err(|panic| WatchdogError::Panicked { message: panic_message(&*panic) })
    }
}

impl ExecutionLimit {
    /// Waits for the reply of work that executes a block `executions` times.
    fn wait<T>(&self, executions: u32, replied: &Receiver<T>) -> Result<T, WatchdogError> {
        let limit = self.time.saturating_mul(executions);
        let mut left = limit;
        while !left.is_zero() {
            let period = left.min(INTERRUPT_PERIOD);
            match replied.recv_timeout(period) {
                Ok(reply) => return Ok(reply),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(WatchdogError::Panicked { message: "its thread ended".to_owned() });
                }
                Err(RecvTimeoutError::Timeout) if self.interrupt.is_raised() => {
                    return Err(WatchdogError::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => left -= period,
            }
        }
        Err(WatchdogError::TimedOut { limit })
    }
}

impl Lead {
    fn new(
        pools: &[NonZeroUsize],
        pinning: Pinning,
        buffers: Buffers,
    ) -> Result<Self, WatchdogError> {
        let pool = |threads: &NonZeroUsize| WorkerPool::with_buffers(*threads, pinning, buffers);
        let pools = pools.iter().map(pool).collect::<Result<Vec<_>, _>>()?;
        let (lead, inbox) = mpsc::channel::<Work>();
        let serve = move || {
            buffers.apply();
            inbox.into_iter().for_each(|work| work(&pools));
        };
        thread::Builder::new()
            .name("lead".to_owned())
            .spawn(serve)
            .map_err(WatchdogError::Thread)?;
        Ok(Self(lead))
    }

    /// If the thread has ended, the work is dropped, and with it the sender of the reply.
    fn put(&self, work: Work) {
        let _ = self.0.send(work);
    }
}

/// Message of a caught panic.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    #[test]
    fn a_panic_is_an_error_and_the_next_work_runs() {
        let mut watchdog = Watchdog::new(ONE, Duration::from_secs(60)).expect("threads");
        let error = watchdog.run(|_| -> u8 { panic!("out of {}", "luck") }).expect_err("it panics");
        assert!(matches!(&error, WatchdogError::Panicked { message } if message == "out of luck"));
        assert_eq!(watchdog.run(|pool: &WorkerPool| pool.threads().get()).expect("it runs"), 1);
    }

    #[test]
    fn work_that_never_ends_is_abandoned_and_the_next_runs() {
        let mut watchdog = Watchdog::new(ONE, Duration::from_millis(20)).expect("threads");
        let error = watchdog
            .run(|_| {
                loop {
                    thread::park()
                }
            })
            .map(|(): ()| ())
            .expect_err("it hangs");
        assert!(matches!(error, WatchdogError::TimedOut { .. }), "{error}");
        let mut watchdog = Watchdog { limit: Duration::from_secs(60).into(), ..watchdog };
        assert_eq!(watchdog.run(|_| 7).expect("it runs"), 7);
    }

    #[test]
    fn an_interrupt_ends_a_run_and_refuses_the_next() {
        let limit = ExecutionLimit::from(Duration::from_secs(3600));
        let interrupt = limit.interrupt.clone();
        let mut watchdog = Watchdog::new(ONE, limit).expect("threads");
        assert_eq!(watchdog.run(|_| 7).expect("it runs"), 7);
        let raise = interrupt.clone();
        let hang = move |_: &WorkerPool| {
            raise.raise();
            loop {
                thread::park()
            }
        };
        let error = watchdog.run(hang).map(|(): ()| ()).expect_err("it was interrupted");
        assert!(matches!(error, WatchdogError::Interrupted), "{error}");
        assert!(matches!(watchdog.run(|_| 7), Err(WatchdogError::Interrupted)));
    }

    #[test]
    fn the_limit_grows_with_the_number_of_executions() {
        let mut watchdog = Watchdog::new(ONE, Duration::from_millis(150)).expect("threads");
        let sleep = |_: &WorkerPool| thread::sleep(Duration::from_millis(300));
        assert!(matches!(watchdog.run(sleep), Err(WatchdogError::TimedOut { .. })));
        watchdog.run_several(1_000, sleep).expect("it ends in time");
    }

    #[test]
    fn work_and_what_it_owns_are_dropped_before_the_result_arrives() {
        let mut watchdog = Watchdog::new(ONE, Duration::from_secs(60)).expect("threads");
        let held = Arc::new(());
        for _ in 0..100 {
            let copy = held.clone();
            watchdog.run(move |_| drop(copy)).expect("it runs");
            assert_eq!(Arc::strong_count(&held), 1);
        }
    }
}
