//! The threads that executors run on: made once, kept warm, passed in.

use super::{
    affinity::{BoundCaller, Core, Cores, Pinning},
    handover::{BACKOFF, WaitCell},
    lookout::SpinWait,
};
use parking_lot::Mutex;
use rayon::{Scope, ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::{
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The system would not start the threads, or not keep them where they should be.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// No more threads.
    #[error("cannot start {threads} worker threads")]
    Start {
        /// How many were asked for.
        threads: NonZeroUsize,
        /// Why not.
        source: ThreadPoolBuildError,
    },
    /// No affinity.
    #[error("cannot keep threads on one core each; run without pinning them")]
    Pin(#[source] io::Error),
}

/// A fixed number of threads, the calling one included.
///
/// [`WorkerPool::run_on_all`] and [`WorkerPool::lead`] work on the calling thread and all the others, so
/// that one thread alone needs no hand-over. [`WorkerPool::install`] needs rayon's own threads for its parallel
/// iterators; the calling one waits meanwhile, without using a processor. Either way `threads` is all
/// that takes part: a pool of rayon's wakes its idle threads to look for work, and one too many would take
/// processors from the others.
#[derive(Debug)]
pub struct WorkerPool {
    threads: NonZeroUsize,
    /// Those that have a processor to themselves, as the system said when they were started.
    at_once: NonZeroUsize,
    /// All but the calling one. `None` if there are no others.
    others: Option<ThreadPool>,
    /// As many as have a processor beside the calling one; `None` if that is all of them, or none. Those that sleep are
    /// looked through for work by those that do not.
    beside_caller: Option<ThreadPool>,
    /// As many as all.
    rayon: ThreadPool,
    /// Guards those that were roused and have no work yet.
    lookout: Mutex<Option<Arc<SpinWait>>>,
}

/// Who works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkerLimit {
    /// All threads, even where they have to share processors.
    All,
    /// So many at most, and no more than processors can run at the same time, as those would only take them from each
    /// other.
    AtMost(NonZeroUsize),
}

/// Whether every thread can have a processor to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversubscribed {
    /// A thread that waits a moment for another does not keep it from running.
    No,
    /// It may well do so.
    Yes,
}

impl WorkerPool {
    /// Starts the threads, which run where the system likes.
    ///
    /// # Errors
    /// If the system has no more threads to give.
    pub fn new(threads: NonZeroUsize) -> Result<Self, PoolError> {
        Self::with(threads, Pinning::Free)
    }

    /// Starts the threads. The calling one is kept where it belongs by [`WorkerPool::bind_caller`].
    ///
    /// # Errors
    /// If the system has no more threads to give, or would not keep them on their cores.
    pub fn with(threads: NonZeroUsize, pinning: Pinning) -> Result<Self, PoolError> {
        let at_once = thread::available_parallelism().map_or(threads, |cores| threads.min(cores));
        let beside_caller = |all: NonZeroUsize| {
            let others = NonZeroUsize::new(all.get() - 1);
            others.map(|others| start(others, 1, pinning)).transpose()
        };
        Ok(Self {
            threads,
            at_once,
            others: beside_caller(threads)?,
            beside_caller: if at_once < threads { beside_caller(at_once)? } else { None },
            rayon: start(threads, 0, pinning)?,
            lookout: Mutex::new(None),
        })
    }

    /// Keeps the calling thread on the first core, where [`WorkerPool::run_on_all`] of a pinned pool
    /// expects it, until the result is dropped.
    ///
    /// # Errors
    /// If the system would not.
    pub fn bind_caller() -> Result<BoundCaller, PoolError> {
        BoundCaller::new().map_err(PoolError::Pin)
    }

    /// Whether every thread of those that work can have a processor to itself.
    pub(super) fn oversubscribed(&self, crew: WorkerLimit) -> Oversubscribed {
        let crowded = crew == WorkerLimit::All && self.at_once < self.threads;
        if crowded { Oversubscribed::Yes } else { Oversubscribed::No }
    }

    /// Where those are that work beside the calling thread.
    const fn others(&self, crew: WorkerLimit) -> Option<&ThreadPool> {
        match crew {
            WorkerLimit::AtMost(_) if self.at_once.get() < self.threads.get() => {
                self.beside_caller.as_ref()
            }
            WorkerLimit::All | WorkerLimit::AtMost(_) => self.others.as_ref(),
        }
    }

    /// How many work.
    pub(super) fn size(&self, crew: WorkerLimit) -> NonZeroUsize {
        match crew {
            WorkerLimit::All => self.threads,
            WorkerLimit::AtMost(most) => self.at_once.min(most),
        }
    }

    /// As many threads as processors can run at the same time.
    pub const fn at_once(&self) -> NonZeroUsize {
        self.at_once
    }

    /// All threads that may take part.
    pub const fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// Wakes the threads that have a processor beside the calling one, and returns when they look out for work, which
    /// they do for some tenths of a millisecond.
    pub fn wake_workers(&self) {
        if let Some(others) = self.others(WorkerLimit::AtMost(self.at_once)) {
            *self.lookout.lock() = Some(SpinWait::begin(others));
        }
    }

    /// Lets those that were roused go, as there is work for them.
    fn release(&self) {
        if let Some(lookout) = self.lookout.lock().take() {
            lookout.end();
        }
    }

    /// Runs `work` as often as there are threads, at the same time, and returns when all are done.
    pub fn run_on_all(&self, work: impl Fn() + Sync) {
        self.beside(WorkerLimit::All, &work, &work);
    }

    /// Wakes the other threads of those that work while the calling one makes what all need. Then it leads and they
    /// follow, and when all are done, returns what was made, and what came of leading.
    pub(super) fn lead<T: Send + Sync, R>(
        &self,
        crew: WorkerLimit,
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
        let result = self.beside(crew, wait_and_follow, || lead(promise.give(make())));
        let made = made.into_inner().expect("the promise was kept");
        (made, result)
    }

    /// Runs `work` on all other threads of those that work, and this on the calling one. Where there are cores enough,
    /// the others leave the calling thread's to it.
    fn beside<R>(&self, crew: WorkerLimit, work: impl Fn() + Sync, own: impl FnOnce() -> R) -> R {
        let (count, others) = (self.size(crew).get() - 1, self.others(crew));
        let Some(others) = others.filter(|_| count > 0) else { return own() };
        let at_work = AtomicUsize::new(count);
        let taken = Core::of_caller().filter(|_| self.oversubscribed(crew) == Oversubscribed::No);
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
                // Whoever was put on this core gets to run, and leaves it.
                thread::yield_now();
            }
            let result = own();
            // They mostly end at about the same time.
            BACKOFF.until(|| at_work.load(Ordering::Relaxed) == 0);
            result
        })
    }

    /// Runs `work` on one of the threads; rayon's parallel iterators inside use all of them.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.rayon.install(work)
    }
}

/// Runs `work` here and on others, so often in all. Waking a thread takes some microseconds, and in a virtual machine
/// some dozens, so each that is awake wakes a part of the rest.
fn fan_out<'s>(scope: &Scope<'s>, mut count: usize, work: &'s (impl Fn() + Sync)) {
    while count > 1 {
        let part = count / 2;
        count -= part;
        scope.spawn(move |scope| fan_out(scope, part, work));
    }
    work();
}

/// Starts so many threads. Pinned ones stay on the cores from this one on.
fn start(threads: NonZeroUsize, first: usize, pinning: Pinning) -> Result<ThreadPool, PoolError> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads.get())
        .thread_name(move |index| format!("worker-{}", first + index))
        .build()
        .map_err(|source| PoolError::Start { threads, source })?;
    if pinning == Pinning::Pinned {
        let cores = Cores::of_caller().map_err(PoolError::Pin)?;
        let bound = pool.broadcast(|worker| cores.bind_caller(first + worker.index()));
        bound.into_iter().collect::<io::Result<()>>().map_err(PoolError::Pin)?;
    }
    Ok(pool)
}

/// Counts a thread out when it is done, or panics. Only for whoever looks whether it is worth sleeping: what the
/// threads did is handed over by the scope they ran in.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod crews {
    use super::*;

    #[test]
    fn who_is_roused_is_let_go_by_the_first_work() {
        let pool =
            WorkerPool::new(NonZeroUsize::MIN.saturating_add(1)).expect("the system has threads");
        for _ in 0..100 {
            pool.wake_workers();
            let count = AtomicUsize::new(0);
            pool.run_on_all(|| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(count.into_inner(), 2);
            assert!(pool.lookout.lock().is_none());
        }
    }

    #[test]
    fn of_more_threads_than_cores_a_race_wakes_those_that_can_run() {
        let cores = thread::available_parallelism().expect("the system tells");
        let pool = WorkerPool::new(cores.saturating_add(2)).expect("the system has threads");
        let at_once = WorkerLimit::AtMost(NonZeroUsize::MAX);
        let followers = |crew| {
            let count = AtomicUsize::new(0);
            let follow = |(): &()| {
                count.fetch_add(1, Ordering::Relaxed);
            };
            pool.lead(crew, || (), |()| (), follow);
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
    fn pinned_threads_work_on_one_core_each_and_the_caller_is_free_again() {
        let threads = NonZeroUsize::new(2).expect("not zero");
        let pool = WorkerPool::with(threads, Pinning::Pinned).expect("Linux can");
        let before = sched_getaffinity(None).expect("Linux can");
        let seen = Mutex::new(Vec::new());
        {
            let _bound = WorkerPool::bind_caller().expect("Linux can");
            pool.run_on_all(|| {
                let allowed = sched_getaffinity(None).expect("Linux can");
                seen.lock().push((thread::current().id(), allowed.count()));
            });
        }
        let seen = seen.into_inner();
        assert_eq!(seen.iter().map(|(_, cores)| *cores).collect::<Vec<_>>(), [1, 1]);
        assert_ne!(seen[0].0, seen[1].0, "two threads took part");
        assert_eq!(sched_getaffinity(None).expect("Linux can"), before);
    }
}
