//! The measurements of one row.

use std::time::Duration;

use crate::measure::{
    sample::{Counts, Sample},
    stats::{Speedup, Summary},
};

/// The measurements of a correct result.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Wall-clock time of executing the block, over all iterations.
    pub execute: Summary,
    /// Comparison with the baseline on the same block.
    pub comparison: Comparison,
    /// Median time of the state root; `None` if no root could be computed.
    pub root_median: Option<Duration>,
    /// Median time of execution and state root together; `None` as above. It is one measured time if the executor
    /// computes the root beside the execution, and a sum otherwise.
    pub total_median: Option<Duration>,
    /// Speedup of execution and state root one after the other, if the executor computes the root beside the
    /// execution.
    pub total_speedup_in_turn: Option<f64>,
    /// Bound of the speedup on this number of threads, given the block's dependencies.
    pub bound_speedup: Option<f64>,
    /// Bound of the speedup of execution and state root together: the root may be computed beside execution, and its
    /// work is divided evenly. `None` without a root, a baseline or a bound.
    pub total_bound: Option<f64>,
    /// Incarnations of all transactions, re-executions included; `None` if the executor does not count them.
    pub incarnations: Option<u64>,
    /// Gas of aborted incarnations; `None` as above.
    pub wasted_gas: Option<u64>,
    /// Transactions that accessed several shards; `None` if the executor has no shards.
    pub cross_shard: Option<u64>,
    /// Slots that were written to storage tries beside the execution; `None` if the executor does not do so.
    pub early_slots: Option<u64>,
    /// Number of these slots that were written again after the execution; `None` as above.
    pub early_slots_again: Option<u64>,
    /// Median CPU time of all threads during execution; `None` if the system does not report it.
    pub cpu_median: Option<Duration>,
    /// Median instructions and cycles during execution; `None` if hardware counters are unavailable.
    pub counts_median: Option<Counts>,
    /// Number of outliers among the samples. The statistics include them.
    pub outliers: usize,
    /// Drift of the time over the iterations, as a share; `None` without drift.
    pub drift: Option<f64>,
    /// The samples behind the medians, in the order in which they ran.
    pub samples: Vec<Sample>,
}

/// The relation of a row to the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    /// The row is the baseline: its speedup is 1, without an interval.
    Baseline,
    /// The row ran in the same iterations as a correct baseline.
    Against {
        /// Speedup of execution.
        speedup: Speedup,
        /// Speedup of execution and state root together; `None` without a root.
        total_speedup: Option<f64>,
    },
    /// No baseline is available, for example because its result was wrong.
    NoBaseline,
}
