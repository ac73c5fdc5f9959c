//! The table of `verify`: a line per block with the time of each step, and one with the sums.

use super::{
    grid::{self, Column},
    tables::VERDICT_STEPS,
    verification::VerifiedBlock,
};
use crate::{block::Confirmation, units};
use alloy_primitives::BlockNumber;
use comfy_table::CellAlignment::{Left, Right};
use std::time::Duration;

/// Titles of the table around the times of the steps.
const FACTS: [Column; 3] = [("block", Right), ("fork", Left), ("txs", Right)];
const RESULT: [Column; 3] = [("to", Left), ("header", Left), ("verdict", Left)];

/// Columns that may be left out, the least important first: the steps of the check, then the size and the fork.
const DROPPED: [usize; 9] = [9, 3, 4, 5, 6, 2, 8, 7, 1];

/// A verified block in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictLine {
    /// Block number.
    pub number: BlockNumber,
    /// Name of the active hard fork.
    pub fork: String,
    /// Number of transactions.
    pub transactions: u64,
    /// The time of each step, in the order of [`VERDICT_STEPS`].
    pub times: [Duration; VERDICT_STEPS.len()],
    /// Depth of the verification.
    pub verified_to: String,
    /// Level of the header.
    pub header: String,
    /// `match`, or the first difference.
    pub verdict: String,
}

impl VerdictLine {
    /// The line of a block.
    pub fn new(block: &VerifiedBlock) -> Self {
        let time = |step| {
            let found = block.times.iter().find(|(name, _)| *name == step);
            found.map_or(Duration::ZERO, |(_, time)| *time)
        };
        Self {
            number: block.facts.number,
            fork: block.facts.fork.clone(),
            transactions: block.facts.transactions as u64,
            times: VERDICT_STEPS.map(time),
            verified_to: block.verified_to.name().to_owned(),
            header: Confirmation::level(block.facts.confirmed.as_ref()).to_owned(),
            verdict: block.verdict.to_string(),
        }
    }
}

/// The table, as lines of this width.
pub fn lines(blocks: &[VerdictLine], width: usize) -> Vec<String> {
    let steps = VERDICT_STEPS.map(|step| (step, Right));
    let columns = [&FACTS[..], &steps, &RESULT].concat();
    let row = |line: &VerdictLine| {
        let facts = [line.number.to_string(), line.fork.clone(), line.transactions.to_string()];
        let result = [&line.verified_to, &line.header, &line.verdict].map(Clone::clone);
        [&facts[..], &line.times.map(units::duration), &result].concat()
    };
    let mut rows: Vec<_> = blocks.iter().map(row).collect();
    let mut sums = [Duration::ZERO; VERDICT_STEPS.len()];
    for line in blocks {
        sums.iter_mut().zip(line.times).for_each(|(sum, time)| *sum += time);
    }
    rows.push([&["all", "", ""].map(str::to_owned)[..], &sums.map(units::duration)].concat());
    grid::lines(&columns, &rows, &DROPPED, width)
}
