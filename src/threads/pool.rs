//! Worker threads of the executors. They are started once and reused for every block.

use super::{
    affinity::{BoundCaller, Core, Cores, Pinning},
    budgets,
    spin::SpinWait,
    wait_cell::WaitCell,
};
use blockrace_stm::Oversubscribed;
use parking_lot::Mutex;
use rayon::{Scope, ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::{
    cell::Cell,
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The operating system did not start or did not pin the threads.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The threads did not start.
    #[error("cannot start {threads} worker threads")]
    Start {
        /// Number of requested threads.
        threads: NonZeroUsize,
        /// The cause.
        source: ThreadPoolBuildError,
    },
    /// Threads cannot be pinned.
    #[error("cannot pin threads to cores; run without pinning")]
    Pin(#[source] io::Error),
}

/// A fixed number of threads, the calling one included.
///
/// [`WorkerPool::run_on_all`] and [`WorkerPool::lead`] use the calling thread and the others, so a
/// single thread needs no synchronisation. [`WorkerPool::install`] needs rayon's own threads for
/// its parallel iterators. The calling thread sleeps meanwhile. In either case at most `threads`
/// threads are active. One thread more would take cores from the others, as a rayon pool wakes its
/// idle threads to search for work.
#[derive(Debug)]
pub struct WorkerPool {
    threads: NonZeroUsize,
    /// Number of threads that can have a core each, when the pool was started.
    at_once: NonZeroUsize,
    /// All threads but the calling one; `None` if there are no others.
    others: Option<ThreadPool>,
    /// The threads that can have a core each, without the calling one. `None` if these are all
    /// threads, or none. They are a pool of their own because active rayon threads search sleeping
    /// ones for work.
    beside_caller: Option<ThreadPool>,
    /// A pool of `threads` rayon threads.
    rayon: ThreadPool,
    /// Guards the woken threads that have no work yet.
    spin_wait: Mutex<Option<Arc<SpinWait>>>,
}

/// The use of a thread's allocations after an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffers {
    /// The next execution of the thread reuses them, so that it is fast.
    Kept,
    /// They are freed. Many threads that wait would otherwise keep much memory.
    Freed,
}

thread_local! {
    /// Set once, when the thread starts.
    static BUFFERS: Cell<Buffers> = const { Cell::new(Buffers::Kept) };
}

impl Buffers {
    /// The rule for the current thread.
    pub(crate) fn here() -> Self {
        BUFFERS.get()
    }

    /// Sets the rule for the current thread.
    pub(crate) fn apply(self) {
        BUFFERS.set(self);
    }
}

/// The number of threads that work on a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerLimit {
    /// All threads, even if they share cores.
    All,
    /// At most this number, and at most one thread per core. More threads would only take cores
    /// from each other.
    AtMost(NonZeroUsize),
}

impl WorkerPool {
    /// Starts the threads without pinning.
    ///
    /// # Errors
    /// The operating system does not start the threads.
    pub fn new(threads: NonZeroUsize) -> Result<Self, PoolError> {
        Self::with(threads, Pinning::Free)
    }

    /// Starts the threads. [`WorkerPool::bind_caller`] pins the calling one.
    ///
    /// # Errors
    /// The operating system does not start or does not pin the threads.
    pub fn with(threads: NonZeroUsize, pinning: Pinning) -> Result<Self, PoolError> {
        Self::with_buffers(threads, pinning, Buffers::Kept)
    }

    /// As [`WorkerPool::with`], with a rule for the allocations of the threads. The calling thread keeps its own rule.
    ///
    /// # Errors
    /// As [`WorkerPool::with`].
    pub fn with_buffers(
        threads: NonZeroUsize,
        pinning: Pinning,
        buffers: Buffers,
    ) -> Result<Self, PoolError> {
        let at_once = thread::available_parallelism().map_or(threads, |cores| threads.min(cores));
        let beside_caller = |all: NonZeroUsize| {
            let others = NonZeroUsize::new(all.get() - 1);
            others.map(|others| start(others, 1, pinning, buffers)).transpose()
        };
        Ok(Self {
            threads,
            at_once,
            others: beside_caller(threads)?,
            beside_caller: if at_once < threads { beside_caller(at_once)? } else { None },
            rayon: start(threads, 0, pinning, buffers)?,
            spin_wait: Mutex::new(None),
        })
    }

    /// Pins the calling thread to the first core until the result is dropped.
    /// [`WorkerPool::run_on_all`] of a pinned pool expects this.
    ///
    /// # Errors
    /// The operating system does not pin the thread.
    pub fn bind_caller() -> Result<BoundCaller, PoolError> {
        BoundCaller::new().map_err(PoolError::Pin)
    }

    /// Whether each working thread can have a core of its own.
    pub(crate) fn oversubscribed(&self, limit: WorkerLimit) -> Oversubscribed {
        let crowded = limit == WorkerLimit::All && self.at_once < self.threads;
        if crowded { Oversubscribed::Yes } else { Oversubscribed::No }
    }

    /// The pool of the threads that work beside the calling one.
    const fn others(&self, limit: WorkerLimit) -> Option<&ThreadPool> {
        match limit {
            WorkerLimit::AtMost(_) if self.at_once.get() < self.threads.get() => {
                self.beside_caller.as_ref()
            }
            WorkerLimit::All | WorkerLimit::AtMost(_) => self.others.as_ref(),
        }
    }

    /// Number of threads that work.
    pub(crate) fn size(&self, limit: WorkerLimit) -> NonZeroUsize {
        match limit {
            WorkerLimit::All => self.threads,
            WorkerLimit::AtMost(most) => self.at_once.min(most),
        }
    }

    /// Number of threads that can have a core each.
    pub const fn at_once(&self) -> NonZeroUsize {
        self.at_once
    }

    /// Number of all threads.
    pub const fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// Wakes the threads that have a core beside the calling one. Returns when they poll for work,
    /// which they do for some tenths of a millisecond.
    pub fn wake_workers(&self) {
        if let Some(others) = self.others(WorkerLimit::AtMost(self.at_once)) {
            *self.spin_wait.lock() = Some(SpinWait::begin(others));
        }
    }

    /// Ends the polling of woken threads, as there is work for them.
    fn release(&self) {
        if let Some(spin_wait) = self.spin_wait.lock().take() {
            spin_wait.end();
        }
    }

    /// Runs `work` once on each thread, in parallel, and returns when all are done.
    pub fn run_on_all(&self, work: impl Fn() + Sync) {
        self.beside(WorkerLimit::All, &work, &work);
    }

    /// Wakes the other threads while the calling one makes the shared value. Then the calling
    /// thread leads and the others follow. Returns the value and the leader's result when all are
    /// done.
    pub(crate) fn lead<T: Send + Sync, R>(
        &self,
        limit: WorkerLimit,
        make: impl FnOnce() -> T,
        lead: impl FnOnce(&T) -> R,
        follow: impl Fn(&T) + Sync,
    ) -> (T, R) {
        let made = WaitCell::new();
        let wait_and_follow = || {
            if let Some(made) = made.wait() {
                follow(made);
            }
        };
        let promise = made.promise();
        let result = self.beside(limit, wait_and_follow, || lead(promise.give(make())));
        let made = made.into_inner().expect("the leader has set the value");
        (made, result)
    }

    /// Runs `work` on the other working threads, and `own` on the calling one. If each thread can
    /// have a core, the others leave the core of the calling thread.
    fn beside<R>(&self, limit: WorkerLimit, work: impl Fn() + Sync, own: impl FnOnce() -> R) -> R {
        let (count, others) = (self.size(limit).get() - 1, self.others(limit));
        let Some(others) = others.filter(|_| count > 0) else { return own() };
        let at_work = AtomicUsize::new(count);
        let taken = Core::of_caller().filter(|_| self.oversubscribed(limit) == Oversubscribed::No);
        let work = || {
            let _leaves = Leaves(&at_work);
            if let Some(core) = taken {
                core.clear();
            }
            work();
        };
        others.in_place_scope(|scope| {
            scope.spawn(|scope| fan_out(scope, count, &work));
            self.release();
            if taken.is_some() {
                // A thread that was woken on this core now runs, and leaves the core.
                thread::yield_now();
            }
            let result = own();
            // The threads usually finish at about the same time.
            budgets::VALUE.until(|| at_work.load(Ordering::Relaxed) == 0);
            result
        })
    }

    /// Runs `work` on one of rayon's threads. Parallel iterators inside it use all of them.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.rayon.install(work)
    }
}

/// Runs `work` on `count` threads, this one included. Waking a thread takes microseconds, and tens
/// of microseconds in a virtual machine. So each awake thread wakes a part of the rest.
fn fan_out<'s>(scope: &Scope<'s>, mut count: usize, work: &'s (impl Fn() + Sync)) {
    while count > 1 {
        let part = count / 2;
        count -= part;
        scope.spawn(move |scope| fan_out(scope, part, work));
    }
    work();
}

/// Starts this number of threads. Pinned threads use the cores from number `first` on.
fn start(
    threads: NonZeroUsize,
    first: usize,
    pinning: Pinning,
    buffers: Buffers,
) -> Result<ThreadPool, PoolError> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads.get())
        .thread_name(move |index| format!("worker-{}", first + index))
        .start_handler(move |_| buffers.apply())
        .build()
        .map_err(|source| PoolError::Start { threads, source })?;
    if pinning == Pinning::Pinned {
        let cores = Cores::of_caller().map_err(PoolError::Pin)?;
        let bound = pool.broadcast(|worker| cores.bind_caller(first + worker.index()));
        bound.into_iter().collect::<io::Result<()>>().map_err(PoolError::Pin)?;
    }
    Ok(pool)
}

/// Counts a thread out when it is done or panics. The caller only polls this counter. The scope
/// publishes the threads' results, so relaxed is enough.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod limits {
    use super::*;

    #[test]
    fn the_first_work_releases_woken_threads() {
        let pool = WorkerPool::new(NonZeroUsize::MIN.saturating_add(1)).expect("the threads start");
        for _ in 0..100 {
            pool.wake_workers();
            let count = AtomicUsize::new(0);
            pool.run_on_all(|| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(count.into_inner(), 2);
            assert!(pool.spin_wait.lock().is_none());
        }
    }

    #[test]
    fn all_threads_but_the_caller_free_their_buffers() {
        let (threads, own) = (NonZeroUsize::MIN.saturating_add(2), thread::current().id());
        let pool = WorkerPool::with_buffers(threads, Pinning::Free, Buffers::Freed);
        let pool = pool.expect("the threads start");
        pool.run_on_all(|| {
            let is_caller = thread::current().id() == own;
            let expected = if is_caller { Buffers::Kept } else { Buffers::Freed };
            assert_eq!(Buffers::here(), expected);
        });
        assert_eq!(pool.install(Buffers::here), Buffers::Freed);
    }

    #[test]
    fn a_limited_run_wakes_at_most_one_thread_per_core() {
        let cores = thread::available_parallelism().expect("the number of cores is known");
        let pool = WorkerPool::new(cores.saturating_add(2)).expect("the threads start");
        let at_once = WorkerLimit::AtMost(NonZeroUsize::MAX);
        let followers = |limit| {
            let count = AtomicUsize::new(0);
            let follow = |(): &()| {
                count.fetch_add(1, Ordering::Relaxed);
            };
            pool.lead(limit, || (), |()| (), follow);
            count.into_inner()
        };
        assert_eq!(followers(WorkerLimit::All), cores.get() + 1);
        assert_eq!(followers(at_once), cores.get() - 1);
        assert_eq!(followers(WorkerLimit::AtMost(NonZeroUsize::MIN)), 0);
        assert_eq!(pool.oversubscribed(WorkerLimit::All), Oversubscribed::Yes);
        assert_eq!(pool.oversubscribed(at_once), Oversubscribed::No);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use rustix::thread::sched_getaffinity;
    use std::thread;

    #[test]
    fn pinned_threads_use_one_core_each_and_the_caller_is_released() {
        let threads = NonZeroUsize::new(2).expect("not zero");
        let pool = WorkerPool::with(threads, Pinning::Pinned).expect("pinning works");
        let before = sched_getaffinity(None).expect("affinity is readable");
        let seen = Mutex::new(Vec::new());
        {
            let _bound = WorkerPool::bind_caller().expect("pinning works");
            pool.run_on_all(|| {
                let allowed = sched_getaffinity(None).expect("affinity is readable");
                seen.lock().push((thread::current().id(), allowed.count()));
            });
        }
        let seen = seen.into_inner();
        assert_eq!(seen.iter().map(|(_, cores)| *cores).collect::<Vec<_>>(), [1, 1]);
        assert_ne!(seen[0].0, seen[1].0, "two threads took part");
        assert_eq!(sched_getaffinity(None).expect("affinity is readable"), before);
    }
}
