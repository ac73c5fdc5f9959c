//! The report of an analysis as a value, and its output formats: [`table`], [`html`], [`csv`] and [`json`].
//!
//! An analysis computes bounds and conflicts of blocks without a race. `commands` fills the report. This
//! module computes only figures over several blocks, such as medians by fork and the hottest contracts.

pub mod csv;
pub mod html;
pub mod json;
mod listings;
mod over_blocks;
pub(super) mod place;
pub mod table;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use place::short as short_place;

use super::{BlockFacts, Failure, Machine, Provenance};
use crate::insight::{Analysis, RootWork};
use alloy_primitives::B256;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// The results of an analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalysisReport {
    /// The date of the analysis and the build of the program.
    pub provenance: Provenance,
    /// The machine that ran the analysis.
    pub machine: Machine,
    /// The settings of the analysis.
    pub settings: AnalysisSettings,
    /// The analysed blocks.
    pub blocks: Vec<AnalysedBlock>,
    /// The blocks that could not be analysed.
    pub failures: Vec<Failure>,
}

/// The settings that affect the figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisSettings {
    /// Thread counts of the bounds, ascending.
    pub threads: Vec<NonZeroUsize>,
    /// Number of sequential runs behind the times.
    pub runs: NonZeroU32,
    /// The blocks, as given on the command line.
    pub blocks: String,
    /// The command that reproduces this analysis, with every setting spelt out.
    pub command: String,
}

/// The analysis of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalysedBlock {
    /// Properties from the block's header and body.
    pub facts: BlockFacts,
    /// Results that follow from its accesses and times.
    pub analysis: Analysis,
    /// The work of the state root; `None` if the pre-state has no proof.
    pub root: Option<RootWork>,
    /// The transactions in block order.
    pub transactions: Vec<AnalysedTransaction>,
}

/// A transaction of an analysed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnalysedTransaction {
    /// Hash of the transaction.
    pub hash: B256,
    /// Gas after refunds.
    pub gas_used: u64,
    /// Shortest time of several sequential runs.
    pub time: Duration,
    /// Its end in the schedule of the bound on the last number of threads; `None` without threads.
    pub bound_end: Option<Duration>,
}

impl AnalysedBlock {
    /// Converts a number of transactions to a share; `None` for a block without transactions.
    pub(super) fn share(&self, transactions: usize) -> Option<f64> {
        let all = self.facts.transactions;
        (all > 0).then(|| transactions as f64 / all as f64)
    }

    /// Share of the state root in the time of execution and root on one thread.
    pub(super) fn root_share(&self) -> Option<f64> {
        let Analysis { total, outside, .. } = self.analysis;
        self.root.as_ref().map(|root| root.share(total.saturating_add(outside)))
    }

    /// Share of the longest transaction in the time of all transactions.
    fn longest_share(&self) -> Option<f64> {
        let Analysis { total, longest_transaction, .. } = self.analysis;
        (!total.is_zero()).then(|| longest_transaction.div_duration_f64(total))
    }
}
