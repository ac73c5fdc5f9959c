//! What is known of a block besides its times: its dependencies, and how it was scheduled.
//!
//! Filled by whoever analysed the block, and shown by [`html`](super::html); a report without pictures
//! is complete. Everything here is plain data, so that nothing above or below has to agree on how it
//! was found out.

use std::num::NonZeroUsize;
use std::time::Duration;

use alloy_primitives::B256;

/// One block, looked into.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockPicture {
    /// Its hash.
    pub block: B256,
    /// The longest chain of dependent transactions / the whole block, in gas or in time: 1 is a block
    /// in which everything waits for something.
    pub critical_path_share: f64,
    /// The bound on the speedup, by number of threads.
    pub bounds: Vec<(NonZeroUsize, f64)>,
    /// Where most transactions meet, the hottest first.
    pub conflicts: Vec<HotSpot>,
    /// Pairs of positions in the block: the second transaction needs what the first one wrote.
    pub dependencies: Vec<(usize, usize)>,
    /// How the block was, or could be, executed on several threads.
    pub schedules: Vec<Schedule>,
}

/// A place where transactions conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotSpot {
    /// What it is, in words: an account's balance, a slot of a contract.
    pub place: String,
    /// How many transactions depend on another one there.
    pub transactions: usize,
}

/// What each thread did when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Whose schedule this is: an executor on a number of threads.
    pub title: String,
    /// All that could have taken part.
    pub threads: NonZeroUsize,
    /// From the begin of the block to its end.
    pub total: Duration,
    /// Bars, by thread and time.
    pub spans: Vec<Span>,
}

/// Something that a thread did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// On which thread, from 0.
    pub thread: usize,
    /// When it began, from the begin of the block.
    pub start: Duration,
    /// How long it took.
    pub length: Duration,
    /// What it was.
    pub kind: SpanKind,
}

/// What a bar of a schedule stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// An execution of a transaction, or part of one, whose result counts.
    Counted,
    /// One that was thrown away, or that only warmed up the state.
    ThrownAway,
    /// Waiting for another transaction.
    Waiting,
    /// Checks, commits, and what comes before and after the transactions.
    Other,
}
