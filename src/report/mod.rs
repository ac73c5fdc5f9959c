//! The report of a replay as a value, and its output formats.
//!
//! The formats are [`table`], [`csv`], [`json`], [`markdown`], [`html`] and the picture
//! [`html::svg`]. [`compare`] compares two runs that were read back from JSON. [`analysis`], [`trace`] and
//! [`conformance`] hold the reports of the other commands.
//!
//! The measuring code fills a [`Report`]. This module derives only what follows from its rows: Mgas/s,
//! totals over rows ([`totals`]), shares of a profiled run ([`profiled`]) and the bottleneck of a row
//! ([`limits`]). It writes to any [`io::Write`] and opens no file.
//!
//! The types enforce that figures belong to a correct result. A [`Figures`], with its timings and samples,
//! exists only inside [`Verdict::Match`]. No format can show figures of a wrong result. The [`Mode`] of a row
//! says how the block was executed, for example after a fallback. The table, the page, Markdown, CSV and JSON
//! show a fallback.

pub mod analysis;
mod block_list;
mod claim;
pub mod compare;
pub mod compared;
pub mod conformance;
pub mod csv;
pub mod fetched;
mod figures;
pub(crate) mod grid;
pub mod html;
pub mod json;
pub mod legend;
pub mod limits;
pub mod listing;
pub mod live;
pub mod markdown;
mod paint;
mod panels;
pub mod picture;
pub mod profiled;
mod quote;
mod record;
pub mod run;
pub mod setting;
pub mod status;
mod summary;
pub mod table;
pub mod tables;
#[cfg(test)]
mod testing;
pub mod totals;
pub mod trace;
pub mod verdict_table;
pub mod verification;
pub mod wrap;

pub use figures::{Comparison, Figures};

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;
use std::{fmt, io};

use alloy_primitives::{B256, BlockNumber};
use serde::{Deserialize, Serialize};

use crate::{
    block::Confirmation,
    executors::Schedule,
    measure::{stats::Speedup, warnings::Warning},
    verify::VerifiedTo,
};
pub use picture::BlockPicture;
pub use profiled::ProfiledRun;
pub use setting::{Machine, OracleKnowledge, Provenance, Settings};

/// The results of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The date of the replay and the build of the program.
    pub provenance: Provenance,
    /// The machine that ran the replay.
    pub machine: Machine,
    /// The settings of the replay.
    pub settings: Settings,
    /// One row per block, executor and thread count. Rows of one block need not be neighbours.
    pub rows: Vec<Row>,
    /// The blocks that could not be run.
    pub failures: Vec<Failure>,
    /// A/A runs and concurrent baselines; empty without `--self-check`.
    pub self_checks: Vec<SelfCheckRow>,
    /// Preparation times of the blocks.
    pub preparation: Vec<PreparationRow>,
    /// Profiled runs, which record what the threads of each executor do.
    pub profiled: Vec<ProfiledRun>,
    /// Conditions that make the figures less reliable.
    pub warnings: Vec<Warning>,
    /// Dependencies and schedules of blocks; empty if the blocks were not analysed.
    pub pictures: Vec<BlockPicture>,
    /// Address of a block explorer, for the links of the page.
    pub explorer: Option<String>,
}

/// A comparison of the baseline with itself on one block.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfCheckRow {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Block number.
    pub number: BlockNumber,
    /// Block hash.
    pub hash: B256,
    /// Number of baselines that ran concurrently, each over the whole block. With 1 the row is an A/A run.
    pub threads: NonZeroUsize,
    /// Time of the baseline alone / time until all concurrent baselines ended, in the same iterations.
    pub ratio: Speedup,
    /// Times until all concurrent baselines ended, by iteration.
    pub laps: Vec<Duration>,
}

impl SelfCheckRow {
    /// Whether the row is an A/A run, so that every difference is noise.
    pub fn is_of_noise(&self) -> bool {
        self.threads == NonZeroUsize::MIN
    }
}

/// Wall-clock times of the steps that prepare a block. Each step ran once, on all cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PreparationRow {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Block number.
    pub number: BlockNumber,
    /// Digest of the chain's rules; `None` for a chain of a test.
    pub rules: Option<B256>,
    /// Reading and decoding the file.
    pub decode: Duration,
    /// Computing the roots of the body and recovering senders.
    pub senders: Duration,
    /// Hashing trie nodes and codes, and linking headers.
    pub witness: Duration,
    /// Executing once over the trie, to collect the state that the block accesses.
    pub flatten: Duration,
}

/// Level of detail of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Every block in detail, and the totals.
    Full,
    /// A line for each block, and the totals.
    Blocks,
    /// Only the results: the fastest contender and the verdict.
    Totals,
}

/// Detail and width of text for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Level of detail.
    pub detail: Detail,
    /// Maximum length of a line in characters. A single word may be longer.
    pub width: usize,
}

/// A block that could not be run. It has no rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Block number.
    #[serde(rename = "block_number")]
    pub block: BlockNumber,
    /// The failed step and its cause.
    pub what: String,
    /// Whether the same command may succeed later. Result files do not say.
    #[serde(skip)]
    pub may_pass: bool,
}

/// The result of one executor on one block and one thread count.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The block.
    pub block: BlockFacts,
    /// Name of the executor.
    pub executor: String,
    /// Maximum number of threads, coordinators included.
    pub threads: NonZeroUsize,
    /// How the executor schedules transactions.
    pub schedule: Schedule,
    /// The way in which the block was executed.
    pub mode: Mode,
    /// Timed iterations.
    pub iterations: u32,
    /// Whether the result was correct, and if so, the figures.
    pub verdict: Verdict,
    /// Depth of the verification.
    pub verified_to: VerifiedTo,
}

/// Properties of a block from its header and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFacts {
    /// EIP-155 chain id; 1 is mainnet.
    pub chain_id: u64,
    /// Block number.
    pub number: BlockNumber,
    /// Block hash.
    pub hash: B256,
    /// Name of the active hard fork.
    pub fork: String,
    /// Number of transactions.
    pub transactions: usize,
    /// Gas used by the block, in gas, after refunds, as in the header.
    pub gas_used: u64,
    /// Gas limit of the block, in gas.
    pub gas_limit: u64,
    /// Time of the block, in seconds since 1970.
    pub timestamp: u64,
    /// Source that confirms the header; `None` if the block is only consistent with it.
    pub confirmed: Option<Confirmation>,
}

/// The way in which a block was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In block order.
    Sequential,
    /// In parallel.
    Parallel,
    /// The executor fell back to another way of execution. Holds the reason.
    FellBack(String),
}

impl Mode {
    /// The name in the column `mode`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
            Self::FellBack(_) => "fell-back",
        }
    }
}

/// Whether every iteration produced the result of the chain.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all rows match, and they are few")]
pub enum Verdict {
    /// Every iteration did. Holds their figures.
    Match(Figures),
    /// One iteration did not. Holds the place of the first difference, the expected and the actual value.
    Mismatch(String),
}

impl Verdict {
    /// The name in the column `verdict`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Match(_) => "match",
            Self::Mismatch(_) => "mismatch",
        }
    }

    /// The figures, if the result was correct.
    pub const fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Match(figures) => Some(figures),
            Self::Mismatch(_) => None,
        }
    }
}

/// A report could not be written. The error source leads to the [`io::Error`], if there is one.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Error of [`table::write`].
    #[error("cannot write the result table to standard output; check the terminal or pipe")]
    Table(#[source] io::Error),

    /// Error of [`csv::write`].
    #[error("cannot write the results as CSV; check the file's path and free space")]
    Csv(#[source] ::csv::Error),

    /// Error of [`json::write`] or [`trace::write`].
    #[error("cannot write the results as JSON; check the file's path and free space")]
    Json(#[source] serde_json::Error),

    /// Error of [`markdown::write`].
    #[error("cannot write the results as Markdown; check the file's path and free space")]
    Markdown(#[source] io::Error),

    /// Error of [`html::write`].
    #[error("cannot write the results as HTML; check the file's path and free space")]
    Html(#[source] io::Error),

    /// [`html::write`] cannot draw a chart.
    #[error("cannot draw the chart {chart:?}")]
    Chart {
        /// Title of the chart.
        chart: String,
        /// Error of the drawing library.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The last flush failed.
    #[error("cannot finish writing the results; check the file's path and free space")]
    ContenderResult(#[source] io::Error),
}

/// An executor on a number of threads. Contenders race each other on every block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contender<'a> {
    /// Name of the executor.
    pub executor: &'a str,
    /// Maximum number of threads.
    pub threads: NonZeroUsize,
}

impl Row {
    /// The contender of the row.
    pub fn contender(&self) -> Contender<'_> {
        Contender { executor: &self.executor, threads: self.threads }
    }

    /// Whether a parallel executor executed the block sequentially because the block is too small for several threads.
    pub fn is_left_to_one_thread(&self) -> bool {
        self.mode == Mode::Sequential
            && self.schedule != Schedule::InOrder
            && self.verdict.figures().is_some()
    }
}

impl Contender<'_> {
    /// The name in a chart: `block-stm, 2 threads`.
    fn label(&self) -> String {
        format!("{}, {}", self.executor, counted(self.threads.get(), "thread"))
    }
}

impl fmt::Display for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.executor, counted(self.threads.get(), "thread"))
    }
}

/// Groups rows by block. Blocks are in the order of their first row.
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

/// The distinct contenders of some rows, in the order of their first row.
fn contenders<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Contender<'a>> {
    contenders_of(rows.into_iter().map(Row::contender))
}

/// Removes duplicates and keeps the order of first appearance.
fn contenders_of<'a>(all: impl IntoIterator<Item = Contender<'a>>) -> Vec<Contender<'a>> {
    let mut contenders = Vec::new();
    for contender in all {
        if !contenders.contains(&contender) {
            contenders.push(contender);
        }
    }
    contenders
}

/// Formats a count with its noun: `1 block`, `2 blocks`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
