//! Locks, condition variables, atomics and spin-waiting for data that workers share.
//!
//! With the feature `shuttle` they come from a library that explores thread schedules. Both modules
//! have the same items.

#[cfg(not(feature = "shuttle"))]
mod real;
#[cfg(feature = "shuttle")]
mod simulated;
#[cfg(feature = "shuttle")]
pub mod time;

#[cfg(not(feature = "shuttle"))]
pub(crate) use real::{AtomicBool, AtomicU32, AtomicU64, Condvar, Mutex, MutexGuard, Ordering};
#[cfg(feature = "shuttle")]
pub(crate) use simulated::{
    AtomicBool, AtomicU32, AtomicU64, Condvar, Mutex, MutexGuard, Ordering,
};

/// Bounds of a spin-wait.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Maximum number of polls.
    pub most: u32,
    /// Number of polls before the thread yields between polls. The awaited thread may be waiting
    /// for this very core.
    pub in_haste: u32,
}
