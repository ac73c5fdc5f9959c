//! Locks, condition variables and atomics for what workers share, and waiting without sleeping.
//!
//! One place, so that the package in `model/` can compile the very sources that use it over a library that
//! tries schedules: it has a module of this name and these names. What one of the two offers, the other has to.

pub(super) use parking_lot::{Condvar, MutexGuard};
pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// A lock that is mostly held for some dozens of nanoseconds, so that whoever finds it taken looks again for a while: to
/// sleep and be woken takes a hundred times as long, and in a virtual machine a thousand times.
#[derive(Debug, Default)]
pub(super) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    /// Looks at a lock that is taken. They outlast all who may be in line; who holds it for longer was interrupted.
    const BACKOFF: Backoff = Backoff { most: 250, in_haste: 200 };

    pub(super) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.try_lock().unwrap_or_else(|| self.lock_when_free())
    }

    /// The lock, unless somebody else holds it.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }

    #[cold]
    fn lock_when_free(&self) -> MutexGuard<'_, T> {
        // Looking does not take the line of the cache from who holds the lock; trying does.
        while Self::BACKOFF.until(|| !self.0.is_locked()) {
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
        }
        self.0.lock()
    }
}

/// How long to look for something before giving up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    /// So often.
    pub(super) most: u32,
    /// After so many it lets other threads run between two looks, since the one that it waits for may be waiting
    /// for this very processor.
    pub(super) in_haste: u32,
}

impl Backoff {
    /// Looks until it is there. Returns whether it was.
    #[inline]
    pub(super) fn until(self, is_there: impl Fn() -> bool) -> bool {
        for look in 0..self.most {
            if is_there() {
                return true;
            }
            if look < self.in_haste { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        false
    }
}
