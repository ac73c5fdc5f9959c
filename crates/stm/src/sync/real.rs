//! Locks, condition variables, atomics and spin-waiting on the threads of the operating system.

use super::Backoff;
use crate::budgets;
pub(crate) use parking_lot::{Condvar, MutexGuard};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// A lock that is held for tens of nanoseconds in most cases. A thread that finds it taken spins
/// for a while, because sleeping and waking takes far longer, most of all in a virtual machine.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.try_lock().unwrap_or_else(|| self.lock_when_free())
    }

    /// The lock, unless another thread holds it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }

    #[cold]
    fn lock_when_free(&self) -> MutexGuard<'_, T> {
        // A poll leaves the lock's cache line with the holder, and an attempt to lock takes it
        // away.
        while budgets::LOCK.until(|| !self.0.is_locked()) {
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
        }
        self.0.lock()
    }
}

impl Backoff {
    /// Polls until `is_there` holds. Returns whether it did.
    #[inline]
    pub fn until(self, is_there: impl Fn() -> bool) -> bool {
        for look in 0..self.most {
            if is_there() {
                return true;
            }
            if look < self.in_haste { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        false
    }
}
