//! Events of a profiled run.
//!
//! A worker is generic over its [`Observer`]. The observer of a timed run ignores all events, so
//! they cost nothing.
//!
//! A thread does one thing at a time. [`Event::Began`] says what it does *from now on*, until the
//! next such event, so its time spans have no gaps. A thread that waits inside an activity
//! ([`Activity::Wait`]) returns to that activity with [`Event::Resumed`]. All other events are
//! moments inside an activity.
//!
//! The engine reports some of the activities. The others are for the phases around it, so that one
//! record holds them all.

use crate::location::{Location, TxIndex};
use std::fmt;

/// Activity of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Work before the first transaction: preparation and system calls.
    Before,
    /// Executes an incarnation of a transaction.
    Execute {
        /// Transaction index.
        tx: TxIndex,
    },
    /// Validates the read set of a transaction.
    Check {
        /// Transaction index.
        tx: TxIndex,
    },
    /// Commits a transaction, and validates it first if needed.
    Commit {
        /// Transaction index.
        tx: TxIndex,
    },
    /// Waits for a value of this transaction, inside another activity.
    Wait {
        /// Index of the transaction that it waits for.
        on: TxIndex,
    },
    /// Executes a transaction only to load the state that it reads, and discards the result.
    WarmUp {
        /// Transaction index.
        tx: TxIndex,
    },
    /// Searches and waits for work.
    Search,
    /// Work after the last transaction, and building the outcome.
    After,
    /// The thread has no more work in this block.
    Absent,
}

/// Cause of an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Location that the incarnation had read.
    pub at: Location,
    /// The transaction that wrote there since; `None` if its write was removed.
    pub by: Option<TxIndex>,
}

/// Something that happens on the thread that reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The thread does this from now on.
    Began(Activity),
    /// The thread returns to the activity in which it waited.
    Resumed,
    /// An incarnation finished, and other transactions can read its writes.
    Published {
        /// The transaction that published.
        tx: TxIndex,
    },
    /// The latest incarnation is invalid, and its writes do not count.
    Aborted {
        /// The transaction that aborted.
        tx: TxIndex,
        /// The conflict, if it is known.
        over: Option<Conflict>,
    },
    /// The running incarnation stopped, as it needs a value that another transaction will write.
    Blocked {
        /// The transaction that stopped.
        tx: TxIndex,
        /// The transaction that has to write first.
        on: TxIndex,
    },
    /// The transaction's result is final and part of the committed prefix.
    Committed {
        /// Transaction index.
        tx: TxIndex,
    },
}

/// A receiver of events.
pub trait Listener: Sync + fmt::Debug {
    /// Reports an event of the calling thread, now.
    fn tell(&self, event: Event);
}

/// The receiver that an executor reports its events to.
pub trait Observer: Listener {
    /// Whether events are kept. If they are not, executors skip computing their details.
    const WATCHES: bool;
}

/// The receiver that ignores all events.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Listener for Unobserved {
    #[inline]
    fn tell(&self, _: Event) {}
}

impl Observer for Unobserved {
    const WATCHES: bool = false;
}
