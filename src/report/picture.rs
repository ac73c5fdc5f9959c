//! Holds the dependencies, conflicts and schedules of a block.
//!
//! The analysis fills a [`BlockPicture`], and [`html`](super::html) shows it. A report without pictures is
//! complete. The types are plain data, so that the report does not depend on the analysis.

use std::num::NonZeroUsize;
use std::time::Duration;

use alloy_primitives::{Address, B256};

/// Dependencies and schedules of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockPicture {
    /// Block hash.
    pub block: B256,
    /// Critical path / whole block, in gas or in time. In a block with 1, all transactions form one chain
    /// of dependencies.
    pub critical_path_share: f64,
    /// Bound of the speedup by number of threads.
    pub bounds: Vec<(NonZeroUsize, f64)>,
    /// Places with the most conflicts, hottest first.
    pub conflicts: Vec<HotSpot>,
    /// The transactions of the critical path, in block order.
    pub critical_path: Vec<PathStep>,
    /// Pairs of transaction indices: the second transaction depends on the first.
    pub dependencies: Vec<(usize, usize)>,
    /// Schedules of the block on several threads.
    pub schedules: Vec<Schedule>,
}

/// A transaction of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// Index in the block.
    pub tx: usize,
    /// Transaction hash.
    pub hash: B256,
    /// Address that the transaction calls or pays; `None` for a creation.
    pub to: Option<Address>,
    /// Gas used, after refunds.
    pub gas: u64,
    /// Its part of the path's time.
    pub time: Duration,
}

/// A place where transactions conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotSpot {
    /// Description of the place: an account's balance, a slot of a contract.
    pub place: String,
    /// Number of transactions that depend on an earlier one at this place.
    pub transactions: usize,
}

/// Activities of each thread over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Executor and number of threads.
    pub title: String,
    /// Number of threads.
    pub threads: NonZeroUsize,
    /// Time from the start to the end of the block.
    pub total: Duration,
    /// Activities by thread and time.
    pub spans: Vec<Span>,
}

/// One activity of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Thread index, counted from 0.
    pub thread: usize,
    /// Start, relative to the start of the block.
    pub start: Duration,
    /// Duration.
    pub length: Duration,
    /// Kind of activity.
    pub kind: SpanKind,
}

/// Kind of activity in a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Execution of a committed incarnation, or part of it.
    Counted,
    /// Execution of an aborted incarnation, or prefetching of state.
    ThrownAway,
    /// Waiting for a dependency.
    Waiting,
    /// Validation, commit, and the phases before and after the transactions.
    Other,
}
