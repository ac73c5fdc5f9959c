//! A value that one thread sets while other threads already wait for it.

use super::budgets;
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// A cell that is set once. Its value is `None` if it will never have one.
#[derive(Debug)]
pub(crate) struct WaitCell<T>(OnceLock<Option<T>>);

impl<T> WaitCell<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The right to set the value. If the promise is dropped unused, waiting threads return `None`.
    pub(crate) const fn promise(&self) -> Setter<'_, T> {
        Setter(self)
    }

    /// Sets the value, unless the cell was abandoned. Returns whether it was set.
    pub(crate) fn give(&self, value: T) -> bool {
        self.0.set(Some(value)).is_ok()
    }

    /// Abandons the cell: waiting threads return `None`. A value that is set already stays.
    pub(crate) fn give_up(&self) {
        self.0.get_or_init(|| None);
    }

    /// Whether the cell has a value or was abandoned.
    pub(crate) fn is_over(&self) -> bool {
        self.0.get().is_some()
    }

    /// The value, if it is set.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.get()?.as_ref()
    }

    /// Waits for the value; `None` if the cell was abandoned.
    pub(crate) fn wait(&self) -> Option<&T> {
        budgets::VALUE.until(|| self.is_over());
        self.0.wait().as_ref()
    }

    /// The value, if it was set.
    pub(crate) fn into_inner(self) -> Option<T> {
        self.0.into_inner().flatten()
    }
}

/// The right to set a cell's value. Dropping it unused abandons the cell.
pub(crate) struct Setter<'h, T>(&'h WaitCell<T>);

impl<'h, T> Setter<'h, T> {
    /// Sets the value and wakes all waiting threads. A cell has only one promise, so it is still
    /// empty here.
    pub(crate) fn give(self, value: T) -> &'h T {
        let given = self.0.0.get_or_init(|| Some(value));
        given.as_ref().expect("only the promise sets the value")
    }
}

impl<T> Drop for Setter<'_, T> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// A lazy value. The first thread that needs it makes it, and other threads wait for that.
#[derive(Debug)]
pub(crate) struct LazyCell<T> {
    /// Set by the thread that makes the value. Relaxed is enough, as `made` publishes the value.
    claimed: AtomicBool,
    made: WaitCell<T>,
}

impl<T> LazyCell<T> {
    /// Starts without a value.
    pub(crate) const fn new() -> Self {
        Self { claimed: AtomicBool::new(false), made: WaitCell::new() }
    }

    /// The value; `None` if the thread that made it panicked.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> Option<&T> {
        if self.claimed.swap(true, Ordering::Relaxed) {
            return self.made.wait();
        }
        Some(self.made.promise().give(make()))
    }

    /// The value, if it was made.
    pub(crate) fn into_inner(self) -> Option<T> {
        self.made.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::atomic::AtomicU64, thread::scope};

    #[test]
    fn a_waiting_thread_gets_the_value() {
        let handover = WaitCell::new();
        scope(|scope| {
            let waiting = scope.spawn(|| handover.wait().copied());
            assert_eq!(handover.promise().give(7), &7);
            assert_eq!(waiting.join().ok(), Some(Some(7)));
        });
        assert_eq!(handover.into_inner(), Some(7));
    }

    #[test]
    fn a_lazy_value_is_made_once_and_all_threads_get_it() {
        let (by_first, made) = (LazyCell::new(), AtomicU64::new(0));
        let make = || made.fetch_add(1, Ordering::Relaxed);
        scope(|scope| {
            let all = [(); 4].map(|()| scope.spawn(|| by_first.get_or_make(make).copied()));
            assert!(all.into_iter().all(|one| one.join().ok() == Some(Some(0))));
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn a_panicking_maker_releases_waiting_threads() {
        let by_first = LazyCell::<u64>::new();
        scope(|scope| {
            let lost = scope.spawn(|| by_first.get_or_make(|| panic!("lost")).copied());
            assert!(lost.join().is_err());
            assert_eq!(by_first.get_or_make(|| 7), None);
        });
    }

    #[test]
    fn a_dropped_promise_releases_waiting_threads() {
        let handover = WaitCell::<u64>::new();
        scope(|scope| {
            let waiting = scope.spawn(|| handover.wait().copied());
            drop(handover.promise());
            assert_eq!(waiting.join().ok(), Some(None));
        });
    }
}
