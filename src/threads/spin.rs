//! Worker threads that poll for work before it arrives, so that starting the work needs no wake-up.

use super::{affinity::Core, budgets};
use rayon::ThreadPool;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

/// Threads that poll. The pool hands over the work itself, so all accesses here are relaxed.
#[derive(Debug, Default)]
pub(crate) struct SpinWait {
    awake: AtomicU32,
    over: AtomicBool,
}

impl SpinWait {
    /// Wakes all threads of a pool, and returns when they poll. Each of them leaves the caller's
    /// core if it may run on another one.
    pub(crate) fn begin(pool: &ThreadPool) -> Arc<Self> {
        let spin_wait = Arc::<Self>::default();
        let (theirs, callers) = (spin_wait.clone(), Core::of_caller());
        pool.spawn_broadcast(move |_| {
            if let Some(core) = callers {
                core.clear();
            }
            theirs.look();
        });
        // A thread that was woken on this core now runs, and leaves the core.
        thread::yield_now();
        let all = pool.current_num_threads() as u32;
        budgets::AWAKE.until(|| spin_wait.awake.load(Ordering::Relaxed) == all);
        spin_wait
    }

    fn look(&self) {
        self.awake.fetch_add(1, Ordering::Relaxed);
        budgets::WORK.until(|| self.over.load(Ordering::Relaxed));
    }

    /// Ends the polling. The threads then take work, or sleep.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::ThreadPoolBuilder;

    #[test]
    fn threads_poll_until_released_and_then_work() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().expect("the threads start");
        for _ in 0..100 {
            let spin_wait = SpinWait::begin(&pool);
            spin_wait.end();
            let seen = pool.broadcast(|_| spin_wait.awake.load(Ordering::Relaxed));
            assert_eq!(seen.len(), 2, "both threads work");
            assert_eq!(spin_wait.awake.load(Ordering::Relaxed), 2, "both threads were woken");
        }
    }
}
