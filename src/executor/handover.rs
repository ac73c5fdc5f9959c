//! A value that one thread makes while others, just woken, already wait for it.

use super::sync::{AtomicBool, Backoff, Ordering};
use std::sync::OnceLock;

/// How often a waiting thread looks before it sleeps: what most values take to make, and what waking it would cost.
pub(super) const BACKOFF: Backoff = Backoff { most: 1_500, in_haste: 500 };

/// The place where the value will be.
#[derive(Debug)]
pub(super) struct WaitCell<T>(OnceLock<Option<T>>);

impl<T> WaitCell<T> {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The right to give the value. If it is dropped before, nobody waits any longer.
    pub(super) const fn promise(&self) -> Setter<'_, T> {
        Setter(self)
    }

    /// Gives the value, unless it was given up. Returns whether.
    pub(super) fn give(&self, value: T) -> bool {
        self.0.set(Some(value)).is_ok()
    }

    /// Nobody waits any longer. Nothing happens to a value that was given.
    pub(super) fn give_up(&self) {
        self.0.get_or_init(|| None);
    }

    /// Whether the value is there, or will never be.
    pub(super) fn is_over(&self) -> bool {
        self.0.get().is_some()
    }

    /// The value, if it is there.
    pub(super) fn get(&self) -> Option<&T> {
        self.0.get()?.as_ref()
    }

    /// The value once it is there; `None` if it will never be.
    pub(super) fn wait(&self) -> Option<&T> {
        BACKOFF.until(|| self.is_over());
        self.0.wait().as_ref()
    }

    /// The value, if it was given.
    pub(super) fn into_inner(self) -> Option<T> {
        self.0.into_inner().flatten()
    }
}

/// Somebody will give the value, or say that there is none.
pub(super) struct Setter<'h, T>(&'h WaitCell<T>);

impl<'h, T> Setter<'h, T> {
    /// Gives it to all who wait. There is one promise only, so that the place is still empty.
    pub(super) fn give(self, value: T) -> &'h T {
        let given = self.0.0.get_or_init(|| Some(value));
        given.as_ref().expect("a place is empty until its one promise is kept")
    }
}

impl<T> Drop for Setter<'_, T> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// A value that whoever needs it first makes, while others who need it wait for that.
#[derive(Debug)]
pub(super) struct LazyCell<T> {
    /// Set by the one who makes it. It is all that threads agree on, so relaxed: the value has its own place.
    claimed: AtomicBool,
    made: WaitCell<T>,
}

impl<T> LazyCell<T> {
    /// Nobody has needed it so far.
    pub(super) const fn new() -> Self {
        Self { claimed: AtomicBool::new(false), made: WaitCell::new() }
    }

    /// The value; `None` if whoever was to make it panicked.
    pub(super) fn get_or_make(&self, make: impl FnOnce() -> T) -> Option<&T> {
        if self.claimed.swap(true, Ordering::Relaxed) {
            return self.made.wait();
        }
        Some(self.made.promise().give(make()))
    }

    /// The value, if it was made.
    pub(super) fn into_inner(self) -> Option<T> {
        self.made.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::sync::AtomicU64;
    use std::thread::scope;

    #[test]
    fn whoever_waits_gets_the_value() {
        let handover = WaitCell::new();
        scope(|scope| {
            let waiting = scope.spawn(|| handover.wait().copied());
            assert_eq!(handover.promise().give(7), &7);
            assert_eq!(waiting.join().ok(), Some(Some(7)));
        });
        assert_eq!(handover.into_inner(), Some(7));
    }

    #[test]
    fn the_first_to_need_it_makes_it_and_all_get_the_same() {
        let (by_first, made) = (LazyCell::new(), AtomicU64::new(0));
        let make = || made.fetch_add(1, Ordering::Relaxed);
        scope(|scope| {
            let all = [(); 4].map(|()| scope.spawn(|| by_first.get_or_make(make).copied()));
            assert!(all.into_iter().all(|one| one.join().ok() == Some(Some(0))));
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn nobody_waits_for_a_maker_that_panicked() {
        let by_first = LazyCell::<u64>::new();
        scope(|scope| {
            let lost = scope.spawn(|| by_first.get_or_make(|| panic!("lost")).copied());
            assert!(lost.join().is_err());
            assert_eq!(by_first.get_or_make(|| 7), None);
        });
    }

    #[test]
    fn nobody_waits_for_a_broken_promise() {
        let handover = WaitCell::<u64>::new();
        scope(|scope| {
            let waiting = scope.spawn(|| handover.wait().copied());
            drop(handover.promise());
            assert_eq!(waiting.join().ok(), Some(None));
        });
    }
}
