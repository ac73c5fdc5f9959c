//! Locks, condition variables and atomics that are steps of a schedule at every use.
//!
//! Names and behaviour are those of the module `real`. A lock is never poisoned, and a
//! condition variable takes the guard by reference.

use super::{
    Backoff,
    time::{self, Cost},
};
use shuttle::sync as modelled;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::{
    fmt,
    ops::{Deref, DerefMut},
};

const HELD: &str = "a guard holds its lock except during a wait";
const SOUND: &str = "a panic ends the schedule, so no lock is poisoned";

#[derive(Default)]
pub(crate) struct Mutex<T>(modelled::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(modelled::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        time::pass(Cost::Lock);
        self.held(self.0.lock().expect(SOUND))
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok().map(|guard| self.held(guard))
    }

    const fn held<'a>(&'a self, guard: modelled::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard { lock: self, guard: Some(guard) }
    }
}

/// Printing is no step of a schedule.
impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

pub(crate) struct MutexGuard<'a, T> {
    lock: &'a Mutex<T>,
    /// `None` only during a wait.
    guard: Option<modelled::MutexGuard<'a, T>>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect(HELD)
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect(HELD)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(modelled::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.guard.take().expect(HELD);
        let mut woken = self.0.wait(held).expect(SOUND);
        if time::passes() {
            // The thread does not hold the lock until it runs.
            drop(woken);
            time::pass(Cost::Wake);
            woken = guard.lock.0.lock().expect(SOUND);
        }
        guard.guard = Some(woken);
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl Backoff {
    /// Polls once, yields, and polls once more. If time passes, it polls as often as a real thread.
    pub fn until(self, is_there: impl Fn() -> bool) -> bool {
        if time::passes() {
            return self.until_in_time(is_there);
        }
        if is_there() {
            return true;
        }
        shuttle::thread::yield_now();
        is_there()
    }

    fn until_in_time(self, is_there: impl Fn() -> bool) -> bool {
        (0..self.most).any(|look| {
            let there = is_there();
            if !there {
                time::pass(if look < self.in_haste { Cost::Look } else { Cost::Yield });
            }
            there
        })
    }
}
