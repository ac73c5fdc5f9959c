//! Locks, condition variables and atomics for what workers share, and waiting without sleeping.
//!
//! One place, so that the package in `model/` can compile the very sources that use it over a library that
//! tries schedules: it has a module of this name and these names. What one of the two offers, the other has to.

pub(super) use parking_lot::{Condvar, Mutex, MutexGuard};
pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// How long to look for something before giving up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    /// So often.
    pub(super) most: u32,
    /// After so many it lets other threads run between two looks, since the one that it waits for may be waiting
    /// for this very processor.
    pub(super) in_haste: u32,
}

impl Looks {
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
