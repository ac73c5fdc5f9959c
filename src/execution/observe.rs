//! Events of a profiled run, and the record that keeps them.
//!
//! An executor is generic over its [`Observer`]. The observer of a timed run ignores all events, so
//! they cost nothing. A [`Record`] keeps each event with its time and thread. The caller provides
//! the clock, since executors have none.
//!
//! The events are those of the engine ([`blockrace_stm::observe`]), which says what they mean.

pub use blockrace_stm::observe::{Activity, Conflict, Event, Listener, Observer, Unobserved};

use std::{
    cell::RefCell,
    fmt,
    thread::{self, ThreadId},
    time::Duration,
};
use thread_local::ThreadLocal;

/// An event with its time and thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedEvent {
    /// Time by the record's clock.
    pub at: Duration,
    /// The thread that reported the event.
    pub thread: ThreadId,
    /// The event.
    pub event: Event,
}

/// Initial capacity. Growing during the run takes longer than executing most transactions.
const EVENTS_PER_TRANSACTION: usize = 16;

/// Keeps all events of a run.
pub struct Record<'c> {
    clock: &'c (dyn Fn() -> Duration + Sync),
    room: usize,
    /// Events by thread, each in order of time. One shared list would make the threads wait for
    /// each other and distort the profile.
    told: ThreadLocal<RefCell<Vec<TimedEvent>>>,
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("room", &self.room).finish_non_exhaustive()
    }
}

impl<'c> Record<'c> {
    /// Starts without events, for a block with this number of transactions. The clock returns the
    /// time since the start of the run, and is monotonic.
    pub fn new(clock: &'c (dyn Fn() -> Duration + Sync), transactions: usize) -> Self {
        let room = EVENTS_PER_TRANSACTION * (transactions + 1);
        Self { clock, room, told: ThreadLocal::new() }
    }

    /// All events, by time.
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
