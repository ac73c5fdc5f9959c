//! Table of the transactions that are being executed.
//!
//! A reader uses it to wait for a running writer instead of aborting. A writer uses it to flag running readers
//! that may have read a stale value.
//!
//! A worker waits only for a lower transaction that is being executed. The lowest running transaction waits for
//! none, so there is no deadlock. Waiting affects speed only: correctness comes from validation. If threads
//! outnumber cores, a waiting worker yields between two polls. The transaction that it waits for may need that
//! core.

use crate::{
    budgets,
    call_classes::CallClasses,
    location::TxIndex,
    memory::ReaderSet,
    observe::{Activity, Event, Listener, Observer},
    sync::{AtomicBool, AtomicU32, Backoff, Ordering},
};

/// Result of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The transaction is no longer being executed.
    Ended,
    /// The budget of polls is spent.
    InVain,
}

/// Distance below a transaction in which it searches for a writer to wait for. A transaction one class width
/// away shares the reader's own bit. The reader has just registered, so that bit says nothing.
const REACH: usize = ReaderSet::CLASSES - 1;

/// No transaction has published since.
const NO_WRITER: u32 = u32::MAX;

/// Whether each thread can have a core of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversubscribed {
    /// Each thread can have a core. A waiting thread does not keep the awaited thread from running.
    No,
    /// Threads share cores. A waiting thread may keep the awaited thread from running.
    Yes,
}

/// Two marks per transaction.
#[derive(Debug)]
pub struct Running<'w> {
    kinds: Vec<CallClasses>,
    /// Set while a worker executes the transaction. It is cleared (Release) after the publication. A reader
    /// that sees it cleared (Acquire) therefore reads what was published.
    executing: Box<[AtomicBool]>,
    /// The last transaction that published to a location which this incarnation may have read earlier. It is
    /// stored (Release) after the publication. A worker that loads it (Acquire) therefore reads what was
    /// published.
    outdated_by: Box<[AtomicU32]>,
    /// Set when a worker panics. All accesses are relaxed, since no other data is read on its account.
    stopped: AtomicBool,
    oversubscribed: Oversubscribed,
    /// Receives the beginning and end of each wait, if the run is profiled.
    watcher: Option<&'w dyn Listener>,
}

impl<'w> Running<'w> {
    /// Creates a table in which no transaction is being executed.
    pub fn new(transactions: usize, oversubscribed: Oversubscribed) -> Self {
        let executing = (0..transactions).map(|_| AtomicBool::new(false)).collect();
        let outdated_by = (0..transactions).map(|_| AtomicU32::new(NO_WRITER)).collect();
        let (kinds, stopped) = (Vec::new(), AtomicBool::new(false));
        Self { kinds, executing, outdated_by, stopped, oversubscribed, watcher: None }
    }

    /// Sets the call classes of each transaction.
    pub fn with_kinds(self, kinds: Vec<CallClasses>) -> Self {
        Self { kinds, ..self }
    }

    /// Reports waits to this observer, if it profiles.
    pub fn seen_by<W: Observer>(self, observer: &'w W) -> Self {
        Self { watcher: W::WATCHES.then_some(observer as &dyn Listener), ..self }
    }

    /// Returns whether threads outnumber cores, so that a waiting worker must yield.
    #[inline]
    pub const fn oversubscribed(&self) -> Oversubscribed {
        self.oversubscribed
    }

    /// Returns the call classes of `tx`. The set is empty if they are unknown.
    #[inline]
    pub fn kinds(&self, tx: TxIndex) -> CallClasses {
        self.kinds.get(tx).copied().unwrap_or_default()
    }

    /// Returns the closest running transaction below `tx` that is in one of these call classes and in this
    /// reader set.
    pub fn closest(&self, tx: TxIndex, kinds: CallClasses, readers: ReaderSet) -> Option<TxIndex> {
        if kinds == CallClasses::default() {
            return None;
        }
        let reach = tx.saturating_sub(REACH)..tx;
        reach.rev().find(|lower| {
            readers.is_by(*lower) && self.is_running(*lower) && self.kinds(*lower).meets(kinds)
        })
    }

    /// Marks `tx` as being executed.
    #[inline]
    pub fn started(&self, tx: TxIndex) {
        self.take_outdated(tx);
        self.executing[tx].store(true, Ordering::Relaxed);
    }

    /// Marks `tx` as no longer being executed. Its worker has published or aborted it.
    #[inline]
    pub fn ended(&self, tx: TxIndex) {
        self.executing[tx].store(false, Ordering::Release);
    }

    /// Flags those of these readers that are being executed. `tx` has published another value than they may
    /// have read. A flagged incarnation revalidates at its next read.
    pub fn outdate(&self, tx: TxIndex, readers: ReaderSet) {
        for above in readers.among(tx + 1..self.executing.len()) {
            if self.is_running(above) {
                self.outdated_by[above].store(tx as u32, Ordering::Release);
            }
        }
    }

    /// Takes the flag of `tx`: the last transaction that published to a location which `tx` may have read
    /// earlier.
    #[inline]
    pub fn take_outdated(&self, tx: TxIndex) -> Option<TxIndex> {
        let by = self.outdated_by[tx].load(Ordering::Acquire);
        // The store is skipped if there is no flag, since it would take the cache line from other cores.
        (by != NO_WRITER).then(|| {
            self.outdated_by[tx].store(NO_WRITER, Ordering::Relaxed);
            by as TxIndex
        })
    }

    /// Ends all waits.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Returns whether a worker is executing `tx`.
    #[inline]
    pub fn is_running(&self, tx: TxIndex) -> bool {
        let executing = self.executing.get(tx);
        executing.is_some_and(|executing| executing.load(Ordering::Acquire))
    }

    /// Polls at most `looks` times until `tx` is no longer being executed. `tx` must be lower than the caller's
    /// transaction.
    pub fn wait_for(&self, tx: TxIndex, looks: u32) -> Waited {
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
        let has_ended = || !self.is_running(tx) || self.stopped.load(Ordering::Relaxed);
        let looks = match self.oversubscribed {
            Oversubscribed::No => Backoff { most: looks, in_haste: budgets::WRITER_IN_HASTE },
            Oversubscribed::Yes => {
                Backoff { most: looks.div_ceil(budgets::WRITER_PER_YIELD), in_haste: 0 }
            }
        };
        if looks.until(has_ended) { Waited::Ended } else { Waited::InVain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_the_writer_ends() {
        for oversubscribed in [Oversubscribed::No, Oversubscribed::Yes] {
            let running = Running::new(3, oversubscribed);
            running.started(1);
            assert!(running.is_running(1) && !running.is_running(0) && !running.is_running(9));
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| running.wait_for(1, u32::MAX));
                assert!(!waiting.is_finished());
                running.ended(1);
                assert_eq!(waiting.join().ok(), Some(Waited::Ended));
            });
        }
    }

    #[test]
    fn closest_returns_the_nearest_running_reader_of_these_call_classes() {
        let kinds = [1, 2, 1, 2, 1].map(CallClasses::of).to_vec();
        let running = Running::new(5, Oversubscribed::No).with_kinds(kinds);
        for tx in [0, 1, 2, 4] {
            running.started(tx);
        }
        let closest = |tx, kinds| running.closest(tx, kinds, ReaderSet::ALL);
        assert_eq!(closest(4, CallClasses::of(1)), Some(2));
        assert_eq!(closest(4, CallClasses::of(2)), Some(1), "transaction 3 is not running");
        assert_eq!(closest(2, CallClasses::of(1).and(CallClasses::of(2))), Some(1));
        assert_eq!(closest(4, CallClasses::of(3)), None);
        assert_eq!(closest(4, CallClasses::default()), None);
        let one = CallClasses::of(1);
        assert_eq!(running.closest(4, one, ReaderSet::by(0)), Some(0), "2 has not read it");
        assert_eq!(running.closest(4, one, ReaderSet::EMPTY), None);
    }

    #[test]
    fn publishing_flags_each_running_reader_once() {
        let running = Running::new(4, Oversubscribed::No);
        running.started(0);
        running.started(2);
        running.outdate(1, ReaderSet::ALL);
        let told = |running: &Running<'_>| [0, 1, 2, 3].map(|tx| running.take_outdated(tx));
        assert_eq!(told(&running), [None, None, Some(1), None]);
        assert_eq!(told(&running), [None; 4]);
        running.outdate(1, ReaderSet::by(3));
        assert_eq!(told(&running), [None; 4], "2 has not read the location, and 3 is not running");
        running.outdate(1, ReaderSet::by(2));
        running.started(2);
        assert_eq!(told(&running), [None; 4], "a new incarnation starts without the flag");
    }

    #[test]
    fn waiting_ends_when_the_budget_is_spent() {
        for oversubscribed in [Oversubscribed::No, Oversubscribed::Yes] {
            let running = Running::new(1, oversubscribed);
            running.started(0);
            assert_eq!(running.wait_for(0, 1_000), Waited::InVain);
        }
    }

    #[test]
    fn waiting_ends_when_a_worker_panics() {
        let running = Running::new(1, Oversubscribed::No);
        running.started(0);
        running.stop();
        assert_eq!(running.wait_for(0, 10), Waited::Ended);
    }
}
