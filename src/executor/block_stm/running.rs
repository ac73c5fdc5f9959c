//! Who is being executed right now, so that a reader can wait for a writer instead of starting over.
//!
//! Waiting is only ever for a lower transaction that some worker is executing, and the lowest of those waits
//! for nobody, so no two wait for each other. It is a matter of speed alone: what is read afterwards is
//! compared like everything else. Where threads are more than processors nobody waits, for the one waited for
//! may need the processor that waiting takes.

use super::memory::TxIndex;
use crate::executor::{
    Crowding,
    observe::{Activity, Event, Listener, Observer},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a waiting worker looks before it lets other threads run between two looks, since the one that it
/// waits for may be waiting for this very processor: some microseconds.
const LOOKS_IN_HASTE: u32 = 500;

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Nobody executes it any more.
    Ended,
    /// It takes too long.
    InVain,
}

/// One mark for each transaction.
#[derive(Debug)]
pub struct Running<'w> {
    /// Set while a worker executes it. Clearing one (Release) comes after the publication, so whoever sees it
    /// cleared (Acquire) reads what was published.
    executing: Box<[AtomicBool]>,
    /// Set when a worker is lost. All accesses are relaxed: nobody acts on anything else it has done.
    stopped: AtomicBool,
    crowding: Crowding,
    /// Told who waits, where anybody watches.
    watcher: Option<&'w dyn Listener>,
}

impl<'w> Running<'w> {
    /// None of so many is being executed.
    pub fn new(transactions: usize, crowding: Crowding) -> Self {
        let executing = (0..transactions).map(|_| AtomicBool::new(false)).collect();
        Self { executing, stopped: AtomicBool::new(false), crowding, watcher: None }
    }

    /// The same, seen by this observer.
    pub fn seen_by<W: Observer>(self, observer: &'w W) -> Self {
        Self { watcher: W::WATCHES.then_some(observer as &dyn Listener), ..self }
    }

    /// A worker begins to execute `tx`.
    pub fn started(&self, tx: TxIndex) {
        self.executing[tx].store(true, Ordering::Relaxed);
    }

    /// The worker that executed `tx` has published, or has given up.
    pub fn ended(&self, tx: TxIndex) {
        self.executing[tx].store(false, Ordering::Release);
    }

    /// Nobody has to be waited for any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether a worker is executing `tx`.
    pub fn is_running(&self, tx: TxIndex) -> bool {
        let executing = self.executing.get(tx);
        executing.is_some_and(|executing| executing.load(Ordering::Acquire))
    }

    /// Looks so many times at most whether somebody still executes `tx`. It must be lower than what the
    /// caller executes.
    pub fn wait_for(&self, tx: TxIndex, looks: u32) -> Waited {
        let looks = if self.crowding == Crowding::Crowded { 1 } else { looks };
        match self.watcher {
            Some(watcher) if looks > 1 && self.is_running(tx) => {
                watcher.tell(Event::Began(Activity::Wait { on: tx }));
                let waited = self.look_at(tx, looks);
                watcher.tell(Event::Resumed);
                waited
            }
            _ => self.look_at(tx, looks),
        }
    }

    fn look_at(&self, tx: TxIndex, looks: u32) -> Waited {
        for look in 0..looks {
            if !self.is_running(tx) || self.stopped.load(Ordering::Relaxed) {
                return Waited::Ended;
            }
            if look < LOOKS_IN_HASTE { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        Waited::InVain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_the_writer_does() {
        let running = Running::new(3, Crowding::Roomy);
        running.started(1);
        assert!(running.is_running(1) && !running.is_running(0) && !running.is_running(9));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| running.wait_for(1, u32::MAX));
            assert!(!waiting.is_finished());
            running.ended(1);
            assert_eq!(waiting.join().ok(), Some(Waited::Ended));
        });
    }

    #[test]
    fn waiting_ends_when_it_does_not_pay() {
        let running = Running::new(1, Crowding::Roomy);
        running.started(0);
        assert_eq!(running.wait_for(0, 1_000), Waited::InVain);
    }

    #[test]
    fn nobody_waits_where_processors_are_scarce() {
        let running = Running::new(1, Crowding::Crowded);
        running.started(0);
        assert_eq!(running.wait_for(0, u32::MAX), Waited::InVain);
    }

    #[test]
    fn waiting_ends_when_a_worker_is_lost() {
        let running = Running::new(1, Crowding::Roomy);
        running.started(0);
        running.stop();
        assert_eq!(running.wait_for(0, 10), Waited::Ended);
    }
}
