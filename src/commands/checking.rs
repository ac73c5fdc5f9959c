//! Counts the results of checks, and prints mismatches and errors.

use super::Outcome;
use crate::{
    block::Unneeded,
    output::diagnose,
    session::{CheckResult, Checked},
    verify::{Verdict, VerifiedTo},
};

/// Counts over several checked blocks.
pub(super) struct CheckTotals {
    blocks: usize,
    matched: usize,
    /// Matching blocks with a flat pre-state, which are verified to the receipts only.
    to_receipts: usize,
    /// Matching blocks with a confirmed header.
    confirmed: usize,
    /// Blocks with a witness that holds more than they need.
    oversized: usize,
    unneeded: Unneeded,
    /// Blocks that could not be verified.
    failed: usize,
    pub(super) outcome: Outcome,
}

impl CheckTotals {
    /// Creates the counts of zero blocks.
    pub(super) const fn new() -> Self {
        Self {
            blocks: 0,
            matched: 0,
            to_receipts: 0,
            confirmed: 0,
            oversized: 0,
            unneeded: Unneeded { nodes: 0, codes: 0, headers: 0, keys: 0 },
            failed: 0,
            outcome: Outcome::Verified,
        }
    }

    /// Adds a block. Prints mismatches and errors on standard error.
    pub(super) fn add(&mut self, (number, result): &CheckResult) {
        self.blocks += 1;
        let of_block = match result {
            Ok(Checked { verdict: Verdict::Match, verified_to, facts, unneeded, .. }) => {
                self.matched += 1;
                self.to_receipts += usize::from(*verified_to == VerifiedTo::Receipts);
                self.confirmed += usize::from(facts.confirmed.is_some());
                self.oversized += usize::from(!unneeded.is_none());
                self.unneeded.add(unneeded);
                Outcome::Verified
            }
            Ok(Checked { verdict: mismatch, .. }) => {
                diagnose(format_args!("error: block {number} does not match: {mismatch}"));
                Outcome::Mismatch
            }
            Err(error) => {
                self.failed += 1;
                diagnose(format_args!("error: block {number}: {error:#}"));
                Outcome::of(error)
            }
        };
        self.outcome = self.outcome.and(of_block);
    }

    /// Names the items that the matching blocks do not need, if there are any.
    pub(super) fn unneeded(&self) -> Option<String> {
        let Self { oversized, unneeded, .. } = self;
        let files = match oversized {
            0 => return None,
            1 => "1 file holds more than its block needs".to_owned(),
            count => format!("{count} files hold more than their blocks need"),
        };
        Some(format!("{files}: {unneeded}; export the blocks and import them again to drop it"))
    }

    /// States how many blocks match, the depth of their verification, how many headers are confirmed, and how many
    /// blocks could not be verified.
    pub(super) fn conclusion(&self) -> String {
        let Self { blocks, matched, failed, .. } = self;
        let matching = match blocks {
            1 => format!("{matched} of 1 block matches its header"),
            _ => format!("{matched} of {blocks} blocks match their headers"),
        };
        let depth = self.depth().map_or_else(String::new, |depth| format!(", {depth}"));
        let failures = match failed {
            0 => String::new(),
            count => format!("; {count} could not be verified"),
        };
        format!("{matching}{depth}{failures}")
    }

    /// The depth to which the matching blocks are verified, if there are any.
    fn depth(&self) -> Option<String> {
        let Self { matched, to_receipts, confirmed, .. } = *self;
        let depth = match (matched - to_receipts, to_receipts) {
            (0, 0) => return None,
            (_, 0) => "verified to the state root".to_owned(),
            (0, _) => "verified to the receipts only".to_owned(),
            (proved, flat) => {
                format!("{proved} verified to the state root, {flat} to the receipts only")
            }
        };
        let headers = match confirmed {
            all if all == matched => "headers confirmed".to_owned(),
            0 => "headers not confirmed".to_owned(),
            some => format!("{some} headers confirmed"),
        };
        Some(format!("{depth}; {headers}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_claimed_of_blocks_that_do_not_match() {
        let mut totals = CheckTotals { blocks: 2, failed: 1, ..CheckTotals::new() };
        let none = "0 of 2 blocks match their headers; 1 could not be verified";
        assert_eq!(totals.conclusion(), none);
        totals.matched = 1;
        let one = "1 of 2 blocks match their headers, verified to the state root; \
                   headers not confirmed; 1 could not be verified";
        assert_eq!(totals.conclusion(), one);
    }
}
