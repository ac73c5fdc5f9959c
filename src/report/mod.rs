//! What was measured, as a value, and its forms: [`table`], [`csv`], [`samples`], [`json`],
//! [`markdown`] and [`html`]. [`compare`] reads two runs back and tells what changed.
//!
//! A [`Report`] is filled by others and complete when it arrives here; this module computes only
//! what follows from a single row, such as Mgas/s, totals over rows ([`totals`]), and what held a row
//! back ([`limits`]). It writes to any [`io::Write`] and opens nothing.
//!
//! The rule that numbers need a verdict is held by the types: [`Figures`], timings and samples
//! included, exist only inside [`Verdict::Match`], so no form of the report can show them for a
//! result that was wrong. A change of executor is in [`Mode`], and every form carries it.

pub mod analysis;
pub mod compare;
pub mod compared;
pub mod conformance;
pub mod csv;
pub(crate) mod grid;
pub mod html;
pub mod json;
pub mod limits;
pub mod markdown;
mod paint;
pub mod picture;
mod record;
pub mod run;
pub mod samples;
pub mod setting;
mod summary;
pub mod table;
#[cfg(test)]
mod testing;
pub mod totals;
pub mod trace;
pub mod watched;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;
use std::{fmt, io};

use alloy_primitives::{B256, BlockNumber};
use serde::Serialize;

use crate::measure::sample::{Counts, Sample};
use crate::measure::stats::{Speedup, Summary};
use crate::measure::warnings::Warning;
use crate::verify::VerifiedTo;
pub use picture::BlockPicture;
pub use setting::{KnownBeforehand, Machine, Settings};
pub use watched::Watched;

/// Everything a replay found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// With which settings.
    pub settings: Settings,
    /// One row per block, executor and thread count. Rows of one block need not be neighbours.
    pub rows: Vec<Row>,
    /// The blocks that could not be run at all.
    pub failures: Vec<Failure>,
    /// The baseline against itself, where that was asked for.
    pub self_checks: Vec<SelfCheckRow>,
    /// What making the blocks ready took.
    pub preparation: Vec<PreparationRow>,
    /// What the threads of each executor did in a run that was watched.
    pub watched: Vec<Watched>,
    /// What spoils the numbers.
    pub warnings: Vec<Warning>,
    /// What is known of blocks besides; empty where nobody looked into them.
    pub pictures: Vec<BlockPicture>,
}

/// The baseline against itself on one block.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfCheckRow {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Block number.
    pub number: BlockNumber,
    /// Block hash.
    pub hash: B256,
    /// How many of it ran at once: one once more, or several, each with the whole block.
    pub threads: NonZeroUsize,
    /// Time of the baseline alone / time until all of these were done, in the same rounds.
    pub ratio: Speedup,
    /// What the latter took, by round.
    pub laps: Vec<Duration>,
}

impl SelfCheckRow {
    /// Whether it is one baseline once more, so that whatever differs is noise.
    pub fn is_of_noise(&self) -> bool {
        self.threads == NonZeroUsize::MIN
    }
}

/// How long the steps of making a block ready took, once, on all cores. Wall-clock times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PreparationRow {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Block number.
    pub number: BlockNumber,
    /// Reading the file and decoding it.
    pub decode: Duration,
    /// Roots of the body, and recovering senders.
    pub senders: Duration,
    /// Hashing trie nodes and codes, chaining headers.
    pub witness: Duration,
    /// Executing once over the trie, to find out what the block touches.
    pub flatten: Duration,
}

/// How much of a report to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All of it.
    Blocks,
    /// Only what sums it up.
    Totals,
}

/// A block that could not be run, so that there are no rows for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its number.
    #[serde(rename = "block_number")]
    pub block: BlockNumber,
    /// What failed, and why.
    pub what: String,
}

/// One block, replayed by one executor on a number of threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The block.
    pub block: BlockFacts,
    /// Name of the executor.
    pub executor: String,
    /// All threads that may take part, coordinators included.
    pub threads: NonZeroUsize,
    /// How the block was executed in the end.
    pub mode: Mode,
    /// Timed rounds.
    pub iterations: u32,
    /// Whether the result was right, and if so, the figures.
    pub verdict: Verdict,
    /// How far the result was checked.
    pub verified_to: VerifiedTo,
}

/// What the header and body of a block say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFacts {
    /// EIP-155 chain id; 1 is mainnet.
    pub chain_id: u64,
    /// Block number.
    pub number: BlockNumber,
    /// Block hash.
    pub hash: B256,
    /// Name of the hard fork whose rules apply.
    pub fork: String,
    /// Number of transactions.
    pub transactions: usize,
    /// Gas used by the block, in gas, after refunds, as in the header.
    pub gas_used: u64,
}

/// How a block was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In block order.
    Sequential,
    /// In parallel.
    Parallel,
    /// The executor gave up, and the block was executed in another way; this says why.
    FellBack(String),
}

impl Mode {
    /// As in the column `mode`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
            Self::FellBack(_) => "fell-back",
        }
    }
}

/// Whether all rounds gave the result that the chain agreed on.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all rows match, and they are few")]
pub enum Verdict {
    /// They did, and these are their figures.
    Match(Figures),
    /// One did not. Says where, what was expected, and what was found.
    Mismatch(String),
}

impl Verdict {
    /// As in the column `verdict`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Match(_) => "match",
            Self::Mismatch(_) => "mismatch",
        }
    }

    /// The figures, if the result was right.
    pub const fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Match(figures) => Some(figures),
            Self::Mismatch(_) => None,
        }
    }
}

/// What was measured of a result that was right.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Wall-clock time of executing the block, over all rounds.
    pub execute: Summary,
    /// Against the baseline on the same block.
    pub comparison: Comparison,
    /// Median time of the state root; `None` where none could be computed.
    pub root_median: Option<Duration>,
    /// Median time of execution and state root together; `None` as above.
    pub total_median: Option<Duration>,
    /// Bound of the speedup at this number of threads, given the block's dependencies.
    pub bound_speedup: Option<f64>,
    /// Executions of transactions, repetitions included; `None` if the executor does not count.
    pub incarnations: Option<u64>,
    /// Gas of the executions that were thrown away; `None` as above.
    pub wasted_gas: Option<u64>,
    /// Transactions that accessed several shards; `None` if the executor has no shards.
    pub cross_shard: Option<u64>,
    /// Median processor time of all threads during execution; `None` if the system does not tell.
    pub cpu_median: Option<Duration>,
    /// Median instructions and cycles during execution; `None` if the system does not let us count.
    pub counts_median: Option<Counts>,
    /// Rounds whose time lies far from the others'. They count like all.
    pub outliers: usize,
    /// By how much the time went up or down over the rounds, as a share; `None` if it did not.
    pub drift: Option<f64>,
    /// The rounds behind the medians, in the order in which they ran.
    pub samples: Vec<Sample>,
}

/// How a row relates to the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    /// It is the baseline: its speedup is 1, without an interval.
    Baseline,
    /// It ran next to a baseline that was right.
    Against {
        /// Speedup of the execution.
        speedup: Speedup,
        /// Speedup of execution and state root together, where there is a root.
        total_speedup: Option<f64>,
    },
    /// There is no baseline to compare with, for example because its own result was wrong.
    NoBaseline,
}

/// Why a report could not be written. Its causes lead to the [`io::Error`], where there is one.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// In [`table::write`].
    #[error("cannot write the table of results; check where standard output goes")]
    Table(#[source] io::Error),

    /// In [`csv::write`] or [`samples::write`].
    #[error("cannot write the results as CSV; check the file's path and free space")]
    Csv(#[source] ::csv::Error),

    /// In [`json::write`] or [`trace::write`].
    #[error("cannot write the results as JSON; check the file's path and free space")]
    Json(#[source] serde_json::Error),

    /// In [`markdown::write`].
    #[error("cannot write the results as Markdown; check the file's path and free space")]
    Markdown(#[source] io::Error),

    /// In [`html::write`].
    #[error("cannot write the results as HTML; check the file's path and free space")]
    Html(#[source] io::Error),

    /// In [`html::write`]: the numbers cannot be drawn.
    #[error("cannot draw the chart {chart:?}")]
    Chart {
        /// Its title.
        chart: String,
        /// What the drawing library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// In a file, at the very end.
    #[error("cannot finish writing the results; check the file's path and free space")]
    Finish(#[source] io::Error),
}

/// An executor on a number of threads: what competes with others on every block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contender<'a> {
    /// Name of the executor.
    pub executor: &'a str,
    /// All threads that may take part.
    pub threads: NonZeroUsize,
}

impl Row {
    /// Who this row is about.
    pub fn contender(&self) -> Contender<'_> {
        Contender { executor: &self.executor, threads: self.threads }
    }

    /// Whether the contender executed the block as the baseline does, since more threads would not have paid.
    pub fn is_left_to_one_thread(&self) -> bool {
        let figures = self.verdict.figures();
        self.mode == Mode::Sequential
            && figures.is_some_and(|figures| figures.comparison != Comparison::Baseline)
    }
}

impl fmt::Display for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.executor, counted(self.threads.get(), "thread"))
    }
}

/// The rows of each block, blocks in the order in which they first appear.
fn by_block<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Vec<&'a Row>> {
    let mut places = HashMap::new();
    let mut blocks: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        let next = blocks.len();
        match blocks.get_mut(*places.entry(row.block.hash).or_insert(next)) {
            Some(block) => block.push(row),
            None => blocks.push(vec![row]),
        }
    }
    blocks
}

/// The contenders of some rows, in the order in which they first appear.
fn contenders<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Contender<'a>> {
    contenders_of(rows.into_iter().map(Row::contender))
}

/// Each once, in the order in which they first appear.
fn contenders_of<'a>(all: impl IntoIterator<Item = Contender<'a>>) -> Vec<Contender<'a>> {
    let mut contenders = Vec::new();
    for contender in all {
        if !contenders.contains(&contender) {
            contenders.push(contender);
        }
    }
    contenders
}

/// A count with its noun: `1 block`, `2 blocks`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
