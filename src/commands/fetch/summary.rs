//! Counts the results of a fetch and prints them.

use crate::{
    commands::{Context, Outcome},
    output::{OutputError, diagnose, print},
    progress::Progress,
    report::counted,
    session::{Acquired, NodeRules, Refused, Stored},
};

/// Maximum number of failures that are printed at the end. Further failures are only counted.
const MOST_FAILURES: usize = 10_000;

/// Results of the blocks so far.
pub(super) struct Summary {
    asked: u64,
    /// Number of blocks that were already cached.
    there: u64,
    proved: u64,
    /// Number of stored blocks that are checked to the receipts only.
    checked: u64,
    refused: u64,
    failures: Vec<(u64, String)>,
    outcome: Outcome,
}

impl Summary {
    /// Creates the summary of `asked` blocks without results.
    pub(super) const fn new(asked: u64) -> Self {
        let failures = Vec::new();
        let outcome = Outcome::Verified;
        Self { asked, there: 0, proved: 0, checked: 0, refused: 0, failures, outcome }
    }

    /// Adds the result of one block.
    pub(super) fn take(&mut self, event: Acquired, progress: &Progress) {
        progress.step();
        let Acquired::Fetched(number, result) = event else {
            self.there += 1;
            return;
        };
        let (what, outcome) = match result {
            Ok(Stored::Proved) => {
                self.proved += 1;
                return progress.note(&format!("block {number}: stored"));
            }
            Ok(Stored::Checked(assumed)) => {
                self.checked += 1;
                let words = "stored, checked to the receipts only; assumed";
                return progress.note(&format!("block {number}: {words}: {assumed}"));
            }
            Err(Refused::Failed(error)) => {
                (format!("block {number}: {error:#}"), Outcome::of(&error))
            }
            Err(Refused::Mismatch(verdict)) => {
                (format!("block {number} does not match: {verdict}"), Outcome::Mismatch)
            }
        };
        self.refused += 1;
        self.outcome = self.outcome.and(outcome);
        progress.note(&what);
        if self.failures.len() < MOST_FAILURES {
            self.failures.push((number, what));
        }
    }

    /// Marks the fetch as interrupted by the user.
    pub(super) const fn interrupt(&mut self) {
        self.outcome = Outcome::Interrupted;
    }

    /// Prints the failures by block on standard error and the counts on standard output.
    pub(super) fn print(
        mut self,
        rules: &NodeRules,
        context: &Context,
    ) -> Result<Outcome, OutputError> {
        self.failures.sort_by_key(|(number, _)| *number);
        for (_, what) in &self.failures {
            diagnose(format_args!("error: {what}"));
        }
        let Self { asked, there, proved, checked, refused, .. } = self;
        let stored = proved + checked;
        let more = refused - self.failures.len() as u64;
        if more > 0 {
            diagnose(format_args!("error: {more} more blocks failed; fetch again to list them"));
        }
        let (fetched, dir) = (asked.saturating_sub(there), context.cache_dir.display());
        print(format_args!("{stored} of {fetched} blocks fetched, proved and stored in {dir}"))?;
        print(format_args!("rules of {rules}"))?;
        if checked > 0 {
            let depth = "are checked to the receipts only";
            print(format_args!("{checked} of them came without a witness and {depth}"))?;
        }
        if there > 0 {
            let (blocks, were) =
                (counted(there as usize, "block"), if there == 1 { "was" } else { "were" });
            print(format_args!("{blocks} {were} already cached; --overwrite fetches again"))?;
        }
        if self.outcome == Outcome::Interrupted {
            let left = fetched.saturating_sub(stored + refused);
            let advice = "the same command continues with them";
            print(format_args!("interrupted: {left} blocks are left; {advice}"))?;
        }
        Ok(self.outcome)
    }
}
