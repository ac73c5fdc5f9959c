//! What executors tell of a run that somebody watches.
//!
//! An executor is generic over its [`Observer`]: with [`Unobserved`], as when it is measured, telling costs
//! nothing; a [`Record`] keeps everything with its time and thread. The clock is brought by whoever
//! watches, since executors have none.
//!
//! A thread does one thing at a time: it says what it does *from now on* ([`Event::Began`]) until it says
//! something else, so that its spans have no gaps. Who waits within something ([`Activity::Wait`]) goes back
//! to it ([`Event::Resumed`]). The other events are moments within.

use super::access::{Location, TxIndex};
use std::{
    cell::RefCell,
    fmt,
    thread::{self, ThreadId},
    time::Duration,
};
use thread_local::ThreadLocal;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// What comes before the first transaction: system calls, and getting ready.
    Before,
    /// Executes a transaction, for the first time or again.
    Execute {
        /// Which.
        tx: TxIndex,
    },
    /// Compares what a transaction read with what is there now.
    Check {
        /// Which.
        tx: TxIndex,
    },
    /// Puts the result of a transaction to those before it, comparing first where that is needed.
    Commit {
        /// Which.
        tx: TxIndex,
    },
    /// Waits for what this transaction will leave, in the middle of something else.
    Wait {
        /// Which.
        on: TxIndex,
    },
    /// Executes a transaction only to load what it reads, and keeps nothing of it.
    WarmUp {
        /// Which.
        tx: TxIndex,
    },
    /// Looks for something to do, and waits for it.
    Search,
    /// What comes after the last transaction, and putting the block together.
    After,
    /// Nothing: it has left.
    Absent,
}

/// What made an incarnation wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What it had read.
    pub at: Location,
    /// Who wrote there since; `None` if what was written is gone.
    pub by: Option<TxIndex>,
}

/// Something that happens on the thread that tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The thread does this from now on.
    Began(Activity),
    /// It goes on with what it did before it began to wait.
    Resumed,
    /// An incarnation ran to its end, and what it wrote can be read.
    Published {
        /// Whose.
        tx: TxIndex,
    },
    /// The newest incarnation read something outdated, and its writes do not count.
    Aborted {
        /// Whose.
        tx: TxIndex,
        /// Over what, where that can be told.
        over: Option<Conflict>,
    },
    /// The running incarnation gave up, since it needs what another will write.
    Blocked {
        /// Whose.
        tx: TxIndex,
        /// Who has to write first.
        on: TxIndex,
    },
    /// The transaction's result is final, and stands with those before it.
    Committed {
        /// Which.
        tx: TxIndex,
    },
}

/// Whoever can be told.
pub trait Listener: Sync + fmt::Debug {
    /// Something happens now, on the thread that calls.
    fn tell(&self, event: Event);
}

/// Whom an executor tells what it does.
pub trait Observer: Listener {
    /// Whether anything told is kept, so that finding out more than is at hand pays.
    const WATCHES: bool;
}

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Listener for Unobserved {
    #[inline]
    fn tell(&self, _: Event) {}
}

impl Observer for Unobserved {
    const WATCHES: bool = false;
}

/// An event with its circumstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedEvent {
    /// By the clock of the record.
    pub at: Duration,
    /// Who told it.
    pub thread: ThreadId,
    /// What happened.
    pub event: Event,
}

/// For this many there is room from the start: to make room meanwhile takes longer than most transactions.
const EVENTS_PER_TRANSACTION: usize = 16;

/// Keeps all events of a run.
pub struct Record<'c> {
    clock: &'c (dyn Fn() -> Duration + Sync),
    room: usize,
    /// By who told them, in the order of their times. With one place for all, threads that tell would wait for each
    /// other, and what they tell would be of that.
    told: ThreadLocal<RefCell<Vec<TimedEvent>>>,
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("room", &self.room).finish_non_exhaustive()
    }
}

impl<'c> Record<'c> {
    /// Nothing happened yet in a block of so many transactions. The clock tells how long ago the run began, and never
    /// goes back.
    pub fn new(clock: &'c (dyn Fn() -> Duration + Sync), transactions: usize) -> Self {
        let room = EVENTS_PER_TRANSACTION * (transactions + 1);
        Self { clock, room, told: ThreadLocal::new() }
    }

    /// Everything that was told, by time.
    pub fn into_events(self) -> Vec<TimedEvent> {
        let mut told: Vec<_> = self.told.into_iter().flat_map(RefCell::into_inner).collect();
        told.sort_by_key(|told| told.at);
        told
    }
}

impl Observer for Record<'_> {
    const WATCHES: bool = true;
}

impl Listener for Record<'_> {
    fn tell(&self, event: Event) {
        let (at, thread) = ((self.clock)(), thread::current().id());
        let told = self.told.get_or(|| RefCell::new(Vec::with_capacity(self.room)));
        told.borrow_mut().push(TimedEvent { at, thread, event });
    }
}
