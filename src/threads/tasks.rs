//! Runs independent tasks on all threads of a pool. Threads take them by a shared index.

use super::WorkerPool;
use parking_lot::Mutex;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Maximum number of tasks that a thread takes at once. Taking from the index costs more than
/// executing a transfer if another core has just taken from it.
const MOST_AT_ONCE: usize = 8;
/// Up to this number of tasks, threads take single tasks.
const FEW: usize = 256;

/// Results of all tasks, in order, and the final value of each worker.
#[derive(Debug)]
pub(crate) struct Done<R, L> {
    pub(crate) results: Vec<R>,
    pub(crate) leftovers: Vec<L>,
}

/// Functions that process the tasks `0..count`.
#[derive(Debug)]
pub(crate) struct Tasks<M, T, F> {
    pub(crate) count: usize,
    /// Makes a thread's worker. Its argument is the number of workers made before.
    pub(crate) worker: M,
    /// Processes one task.
    pub(crate) task: T,
    /// Consumes a worker when it has no more tasks.
    pub(crate) leave: F,
}

/// Processes the tasks on all threads, lowest index first, each thread with its own worker. `None`
/// if a worker panicked.
pub(crate) fn run_each<W, R: Send, L: Send>(
    pool: &WorkerPool,
    tasks: &Tasks<
        impl Fn(usize) -> W + Sync,
        impl Fn(&mut W, usize) -> R + Sync,
        impl Fn(W) -> L + Sync,
    >,
) -> Option<Done<R, L>> {
    run_each_beside(pool, tasks, None::<fn()>)
}

/// As [`run_each`], and one thread does `first`, if there is any, before it takes tasks. Threads without tasks help with
/// rayon's work in `first`. So all of it runs on rayon's threads then, and the calling thread sleeps meanwhile.
pub(crate) fn run_each_beside<W, R: Send, L: Send>(
    pool: &WorkerPool,
    tasks: &Tasks<
        impl Fn(usize) -> W + Sync,
        impl Fn(&mut W, usize) -> R + Sync,
        impl Fn(W) -> L + Sync,
    >,
    first: Option<impl Fn() + Sync>,
) -> Option<Done<R, L>> {
    // These counters only distribute indices. The pool publishes the results, so relaxed is enough.
    let (next, workers) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let at_once = (tasks.count / FEW).clamp(1, MOST_AT_ONCE);
    // Guards the results of finished threads. Each thread locks it once.
    let done = Mutex::new(Vec::with_capacity(pool.threads().get()));
    let work = || {
        let take = || {
            let first = next.fetch_add(at_once, Ordering::Relaxed);
            (first < tasks.count).then(|| first..tasks.count.min(first + at_once))
        };
        let Some(first) = take() else { return };
        let mut worker = (tasks.worker)(workers.fetch_add(1, Ordering::Relaxed));
        let indices = std::iter::once(first).chain(std::iter::from_fn(take)).flatten();
        let results: Vec<_> =
            indices.map(|index| (index, (tasks.task)(&mut worker, index))).collect();
        done.lock().push((results, (tasks.leave)(worker)));
    };
    match first {
        Some(first) => catch_unwind(AssertUnwindSafe(|| work_beside(pool, &first, &work))).ok()?,
        None => run_on_all(pool, work)?,
    }
    let (results, leftovers): (Vec<_>, Vec<_>) = done.into_inner().into_iter().unzip();
    let mut ordered: Vec<_> = std::iter::repeat_with(|| None).take(tasks.count).collect();
    for (index, result) in results.into_iter().flatten() {
        ordered[index] = Some(result);
    }
    let results = ordered.into_iter().collect::<Option<_>>()?;
    Some(Done { results, leftovers })
}

/// Runs `work` on all of rayon's threads. One of them does `first` before.
fn work_beside(pool: &WorkerPool, first: &(impl Fn() + Sync), work: &(impl Fn() + Sync)) {
    pool.install(|| {
        rayon::scope(|scope| {
            for _ in 1..pool.threads().get() {
                scope.spawn(|_| work());
            }
            first();
            work();
        });
    });
}

/// Runs `work` on all threads of the pool in parallel; `None` if it panicked on one of them.
pub(crate) fn run_on_all(pool: &WorkerPool, work: impl Fn() + Sync) -> Option<()> {
    catch_unwind(AssertUnwindSafe(|| pool.run_on_all(work))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::{collections::BTreeSet, num::NonZeroUsize, thread};

    fn pool(threads: usize) -> WorkerPool {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        WorkerPool::new(threads).expect("the threads start")
    }

    /// Squares, and the number of squares that each worker computed.
    fn squares(threads: usize, count: usize) -> Done<usize, usize> {
        let task = |done: &mut usize, index: usize| {
            *done += 1;
            index * index
        };
        let tasks = Tasks { count, worker: |_| 0, task, leave: |done| done };
        run_each(&pool(threads), &tasks).expect("no task panics")
    }

    #[test]
    fn results_are_in_the_order_of_the_tasks() {
        for (threads, count) in [(1, 100), (3, 100), (2, 1_000), (2, 0)] {
            let Done { results, leftovers } = squares(threads, count);
            assert_eq!(results, (0..count).map(|index| index * index).collect::<Vec<_>>());
            assert_eq!(leftovers.iter().sum::<usize>(), count);
        }
    }

    #[test]
    fn a_panic_of_one_task_is_reported() {
        let task = |(): &mut (), index| assert_ne!(index, 5);
        let tasks = Tasks { count: 10, worker: |_| (), task, leave: |()| () };
        assert!(run_each(&pool(2), &tasks).is_none());
        assert!(run_each_beside(&pool(2), &tasks, Some(|| ())).is_none());
    }

    #[test]
    fn the_work_beside_is_done_once_and_threads_without_tasks_help_with_it() {
        for threads in [1, 2, 3] {
            let (runs, helpers) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
            let beside = || {
                runs.fetch_add(1, Ordering::Relaxed);
                // Each part waits until every thread has one, so that no thread can do two.
                let started = AtomicUsize::new(0);
                (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
                    helpers.lock().insert(rayon::current_thread_index());
                    started.fetch_add(1, Ordering::Relaxed);
                    while started.load(Ordering::Relaxed) < threads {
                        thread::yield_now();
                    }
                });
            };
            let task = |(): &mut (), index: usize| index;
            let tasks = Tasks { count: 10, worker: |_| (), task, leave: |()| () };
            let done = run_each_beside(&pool(threads), &tasks, Some(beside));
            assert_eq!(done.expect("nothing panics").results, (0..10).collect::<Vec<_>>());
            assert_eq!(runs.into_inner(), 1);
            assert_eq!(helpers.into_inner().len(), threads);
        }
    }
}
