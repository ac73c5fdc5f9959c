//! What was found out about blocks without racing anybody, and its forms: [`table`], [`html`],
//! [`csv`] and [`json`].
//!
//! As for a replay, the report is complete when it arrives here. What follows from several blocks
//! together (medians by fork, the hottest contracts of all) is computed here.

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

use super::{BlockFacts, Failure, Machine};
use crate::insight::Analysis;
use std::num::{NonZeroU32, NonZeroUsize};

/// All that an analysis found out.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalysisReport {
    /// Where it ran.
    pub machine: Machine,
    /// With which settings.
    pub settings: AnalysisSettings,
    /// Block by block.
    pub blocks: Vec<AnalysedBlock>,
    /// The blocks that could not be analysed.
    pub failures: Vec<Failure>,
}

/// The settings that move numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisSettings {
    /// Numbers of threads that there are bounds for, ascending.
    pub threads: Vec<NonZeroUsize>,
    /// Sequential runs behind the times.
    pub runs: NonZeroU32,
    /// The blocks, as given.
    pub blocks: String,
    /// The command that makes this analysis again, with every setting spelt out.
    pub command: String,
}

/// One block.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalysedBlock {
    /// What the block's own data say of it.
    pub facts: BlockFacts,
    /// What follows from its accesses and times.
    pub analysis: Analysis,
}

impl AnalysedBlock {
    /// A part of the transactions, as a ratio; `None` for a block without any.
    fn share(&self, transactions: usize) -> Option<f64> {
        let all = self.facts.transactions;
        (all > 0).then(|| transactions as f64 / all as f64)
    }

    /// Which part of the time of all transactions the longest takes.
    fn longest_share(&self) -> Option<f64> {
        let Analysis { total, longest_transaction, .. } = self.analysis;
        (!total.is_zero()).then(|| longest_transaction.div_duration_f64(total))
    }
}
