//! Threads that look out for work before there is any, so that nobody has to wake them when it comes.

use super::{
    affinity::Core,
    sync::{AtomicBool, AtomicU32, Backoff, Ordering},
};
use rayon::ThreadPool;
use std::{sync::Arc, thread};

/// How often a thread looks: some tenths of a millisecond, which whatever comes before the first work is over by.
const BACKOFF: Backoff = Backoff { most: 20_000, in_haste: 20_000 };

/// How often to look whether all are awake: longer than waking threads one after the other takes.
const LOOKS_FOR_AWAKE: Backoff = Backoff { most: 5_000, in_haste: 500 };

/// Some threads that look out. Nothing is handed over by it: work comes by the pool, so that all accesses are relaxed.
#[derive(Debug, Default)]
pub(super) struct SpinWait {
    awake: AtomicU32,
    over: AtomicBool,
}

impl SpinWait {
    /// Wakes all threads of a pool, and returns when they look out, each on another core than the caller's where the
    /// system has one for it.
    pub(super) fn begin(pool: &ThreadPool) -> Arc<Self> {
        let lookout = Arc::<Self>::default();
        let (theirs, callers) = (lookout.clone(), Core::of_caller());
        pool.spawn_broadcast(move |_| {
            if let Some(core) = callers {
                core.clear();
            }
            theirs.look();
        });
        // Whoever was put on this core gets to run, and leaves it.
        thread::yield_now();
        let all = pool.current_num_threads() as u32;
        LOOKS_FOR_AWAKE.until(|| lookout.awake.load(Ordering::Relaxed) == all);
        lookout
    }

    fn look(&self) {
        self.awake.fetch_add(1, Ordering::Relaxed);
        BACKOFF.until(|| self.over.load(Ordering::Relaxed));
    }

    /// Lets them find work, or sleep.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::ThreadPoolBuilder;

    #[test]
    fn threads_look_out_until_it_is_over_and_work_then() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().expect("the system has threads");
        for _ in 0..100 {
            let lookout = SpinWait::begin(&pool);
            lookout.end();
            let seen = pool.broadcast(|_| lookout.awake.load(Ordering::Relaxed));
            assert_eq!(seen.len(), 2, "they work");
            assert_eq!(lookout.awake.load(Ordering::Relaxed), 2, "all of them were woken");
        }
    }
}
