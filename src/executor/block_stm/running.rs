//! Who is being executed right now, so that a reader can wait for a writer instead of starting over, and a writer tell
//! those that go on with what is outdated.
//!
//! Waiting is only ever for a lower transaction that some worker is executing, and the lowest of those waits
//! for nobody, so no two wait for each other. All of it is a matter of speed alone: what is read is
//! compared like everything else. Where threads are more than processors, whoever waits lets others run between any two
//! looks, for the one waited for may need the processor that waiting takes.

use super::{
    kinds::CallClasses,
    memory::{ReaderSet, TxIndex},
};
use crate::executor::{
    Oversubscribed,
    observe::{Activity, Event, Listener, Observer},
    sync::{AtomicBool, AtomicU32, Backoff, Ordering},
};

/// How often a waiting worker looks before it lets other threads run between two looks, since the one that it
/// waits for may be waiting for this very processor: some microseconds.
const LOOKS_IN_HASTE: u32 = 500;

/// Looks that letting another thread run counts for. It takes as long as four, if there is none that would; but where
/// others want the processor, waiting had better be short.
const LOOKS_PER_YIELD: u32 = 16;

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Nobody executes it any more.
    Ended,
    /// It takes too long.
    InVain,
}

/// How far below itself a transaction looks for one to wait for: who is further away may be taken for itself, which has
/// just been noted as a reader.
const REACH: usize = ReaderSet::CLASSES - 1;

/// Nobody has published anything.
const NOBODY: u32 = u32::MAX;

/// Two marks for each transaction.
#[derive(Debug)]
pub struct Running<'w> {
    kinds: Vec<CallClasses>,
    /// Set while a worker executes it. Clearing one (Release) comes after the publication, so whoever sees it
    /// cleared (Acquire) reads what was published.
    executing: Box<[AtomicBool]>,
    /// Who has last published something that it may have read before, if anybody has since it began. Told (Release)
    /// after the publication, so that whoever is told (Acquire) finds what was published.
    outdated_by: Box<[AtomicU32]>,
    /// Set when a worker is lost. All accesses are relaxed: nobody acts on anything else it has done.
    stopped: AtomicBool,
    oversubscribed: Oversubscribed,
    /// Told who waits, where anybody watches.
    watcher: Option<&'w dyn Listener>,
}

impl<'w> Running<'w> {
    /// None of so many is being executed.
    pub fn new(transactions: usize, oversubscribed: Oversubscribed) -> Self {
        let executing = (0..transactions).map(|_| AtomicBool::new(false)).collect();
        let outdated_by = (0..transactions).map(|_| AtomicU32::new(NOBODY)).collect();
        let (kinds, stopped) = (Vec::new(), AtomicBool::new(false));
        Self { kinds, executing, outdated_by, stopped, oversubscribed, watcher: None }
    }

    /// The same, with the kinds of each transaction.
    pub fn with_kinds(self, kinds: Vec<CallClasses>) -> Self {
        Self { kinds, ..self }
    }

    /// The same, seen by this observer.
    pub fn seen_by<W: Observer>(self, observer: &'w W) -> Self {
        Self { watcher: W::WATCHES.then_some(observer as &dyn Listener), ..self }
    }

    /// Whether whoever waits keeps nobody from running.
    pub const fn oversubscribed(&self) -> Oversubscribed {
        self.oversubscribed
    }

    /// The kinds of `tx`; none where they are not known.
    pub fn kinds(&self, tx: TxIndex) -> CallClasses {
        self.kinds.get(tx).copied().unwrap_or_default()
    }

    /// The closest transaction below `tx` that is of one of these kinds, among these readers, and being executed.
    pub fn closest(&self, tx: TxIndex, kinds: CallClasses, readers: ReaderSet) -> Option<TxIndex> {
        if kinds == CallClasses::default() {
            return None;
        }
        let reach = tx.saturating_sub(REACH)..tx;
        reach.rev().find(|lower| {
            readers.is_by(*lower) && self.is_running(*lower) && self.kinds(*lower).meets(kinds)
        })
    }

    /// A worker begins to execute `tx`.
    pub fn started(&self, tx: TxIndex) {
        self.take_outdated(tx);
        self.executing[tx].store(true, Ordering::Relaxed);
    }

    /// The worker that executed `tx` has published, or has given up.
    pub fn ended(&self, tx: TxIndex) {
        self.executing[tx].store(false, Ordering::Release);
    }

    /// `tx` has published something else than what these readers may have found: those of them that are being executed
    /// had better look whether to go on.
    pub fn outdate(&self, tx: TxIndex, readers: ReaderSet) {
        for above in readers.among(tx + 1..self.executing.len()) {
            if self.is_running(above) {
                self.outdated_by[above].store(tx as u32, Ordering::Release);
            }
        }
    }

    /// Who has published something that `tx` may have read before, if anybody has since this was last asked.
    pub fn take_outdated(&self, tx: TxIndex) -> Option<TxIndex> {
        let by = self.outdated_by[tx].load(Ordering::Acquire);
        // Others keep their copies of the line where there is no need to take it from them.
        (by != NOBODY).then(|| {
            self.outdated_by[tx].store(NOBODY, Ordering::Relaxed);
            by as TxIndex
        })
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
            Oversubscribed::No => Backoff { most: looks, in_haste: LOOKS_IN_HASTE },
            Oversubscribed::Yes => Backoff { most: looks.div_ceil(LOOKS_PER_YIELD), in_haste: 0 },
        };
        if looks.until(has_ended) { Waited::Ended } else { Waited::InVain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_the_writer_does() {
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
    fn the_closest_of_a_kind_that_is_being_executed_is_waited_for() {
        let kinds = [1, 2, 1, 2, 1].map(CallClasses::of).to_vec();
        let running = Running::new(5, Oversubscribed::No).with_kinds(kinds);
        for tx in [0, 1, 2, 4] {
            running.started(tx);
        }
        let closest = |tx, kinds| running.closest(tx, kinds, ReaderSet::ALL);
        assert_eq!(closest(4, CallClasses::of(1)), Some(2));
        assert_eq!(closest(4, CallClasses::of(2)), Some(1), "3 is not being executed");
        assert_eq!(closest(2, CallClasses::of(1).and(CallClasses::of(2))), Some(1));
        assert_eq!(closest(4, CallClasses::of(3)), None);
        assert_eq!(closest(4, CallClasses::default()), None);
        let one = CallClasses::of(1);
        assert_eq!(running.closest(4, one, ReaderSet::by(0)), Some(0), "2 has not read there");
        assert_eq!(running.closest(4, one, ReaderSet::EMPTY), None);
    }

    #[test]
    fn those_that_are_being_executed_are_told_once_that_they_may_be_outdated() {
        let running = Running::new(4, Oversubscribed::No);
        running.started(0);
        running.started(2);
        running.outdate(1, ReaderSet::ALL);
        let told = |running: &Running<'_>| [0, 1, 2, 3].map(|tx| running.take_outdated(tx));
        assert_eq!(told(&running), [None, None, Some(1), None]);
        assert_eq!(told(&running), [None; 4]);
        running.outdate(1, ReaderSet::by(3));
        assert_eq!(told(&running), [None; 4], "2 has not read it, and 3 is not being executed");
        running.outdate(1, ReaderSet::by(2));
        running.started(2);
        assert_eq!(told(&running), [None; 4], "that was another incarnation");
    }

    #[test]
    fn waiting_ends_when_it_does_not_pay() {
        for oversubscribed in [Oversubscribed::No, Oversubscribed::Yes] {
            let running = Running::new(1, oversubscribed);
            running.started(0);
            assert_eq!(running.wait_for(0, 1_000), Waited::InVain);
        }
    }

    #[test]
    fn waiting_ends_when_a_worker_is_lost() {
        let running = Running::new(1, Oversubscribed::No);
        running.started(0);
        running.stop();
        assert_eq!(running.wait_for(0, 10), Waited::Ended);
    }
}
