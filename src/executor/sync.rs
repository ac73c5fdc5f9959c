//! Locks, condition variables, atomics and spin-waiting for data that workers share.
//!
//! The package in `model/` compiles the same sources over a library that explores thread schedules.
//! It has a module with the same name and the same items. Both modules have to offer the same
//! items.

pub(super) use parking_lot::{Condvar, MutexGuard};
pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// A lock that is held for tens of nanoseconds in most cases. A thread that finds it taken spins
/// for a while, because sleeping and waking takes far longer, most of all in a virtual machine.
#[derive(Debug, Default)]
pub(super) struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    /// Polls of a taken lock. They outlast a full queue of threads. A holder that takes longer was
    /// interrupted by the operating system.
    const LOOKS: Looks = Looks { most: 250, in_haste: 200 };

    pub(super) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value))
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.try_lock().unwrap_or_else(|| self.lock_when_free())
    }

    /// The lock, unless another thread holds it.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }

    #[cold]
    fn lock_when_free(&self) -> MutexGuard<'_, T> {
        // A poll leaves the lock's cache line with the holder, and an attempt to lock takes it
        // away.
        while Self::LOOKS.until(|| !self.0.is_locked()) {
            if let Some(guard) = self.0.try_lock() {
                return guard;
            }
        }
        self.0.lock()
    }
}

/// Bounds of a spin-wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    /// Maximum number of polls.
    pub(super) most: u32,
    /// Number of polls before the thread yields between polls. The awaited thread may be waiting
    /// for this very core.
    pub(super) in_haste: u32,
}

impl Looks {
    /// Polls until `is_there` holds. Returns whether it did.
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
