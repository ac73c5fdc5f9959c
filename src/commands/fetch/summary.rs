//! Counts the results of a fetch and prints them.

use super::{failures::Failures, lists::Lists};
use crate::{
    block::{Assumed, BlockId},
    cache::CacheError,
    commands::{Context, Outcome},
    output::{OutputError, Stream, diagnose},
    progress::Progress,
    report::{
        counted,
        fetched::{self, FetchReport},
    },
    session::{Acquired, ListSource, NodeRules, Refused, Removal, Stored, provenance},
};
use alloy_primitives::ChainId;

/// Maximum number of notes about orphaned blocks that are printed at the end. Further notes are only counted.
const MOST_NOTES: usize = 20;

/// Results of the blocks so far.
pub(super) struct Summary {
    asked: u64,
    /// Number of blocks that were already cached.
    there: u64,
    proved: u64,
    /// Number of stored blocks that are checked to the receipts only.
    checked: u64,
    /// Number of stored blocks of Amsterdam or later without the node's block access list.
    without_list: u64,
    refused: u64,
    /// Number of stored blocks for which another node failed before.
    by_another: u64,
    /// Number of confirmed headers of cached and stored blocks; `None` until the fetch has ended.
    confirmed: Option<usize>,
    failures: Failures,
    /// All blocks; `None` if no result file lists them.
    lists: Option<Lists>,
    /// Notes about cached blocks that are not of the node's chain.
    notes: Vec<String>,
    /// Whether the fetch ended early because the cache takes no further block.
    is_stopped: bool,
    outcome: Outcome,
}

impl Summary {
    /// Creates the summary of `asked` blocks without results. `lists` is for a result file.
    pub(super) fn new(asked: u64, lists: Option<Lists>) -> Self {
        Self {
            asked,
            there: 0,
            proved: 0,
            checked: 0,
            without_list: 0,
            refused: 0,
            by_another: 0,
            confirmed: None,
            failures: Failures::default(),
            lists,
            notes: Vec::new(),
            is_stopped: false,
            outcome: Outcome::Verified,
        }
    }

    /// Whether a block does not match its header.
    pub(super) fn has_mismatch(&self) -> bool {
        self.outcome == Outcome::Mismatch
    }

    /// Adds the result of one block.
    pub(super) fn take(&mut self, event: Acquired, progress: &Progress) {
        let (number, result) = match event {
            Acquired::Fetched(number, result) => (number, result),
            Acquired::AlreadyCached(_) => {
                self.there += 1;
                return progress.step();
            }
            Acquired::NotCompared(header) => {
                self.there += 1;
                self.notes.push(not_compared(&header.id));
                return progress.step();
            }
            Acquired::Orphaned(id, removal) => return self.notes.push(orphaned(&id, removal)),
            Acquired::Stopped => return self.is_stopped = true,
            Acquired::Confirmed(confirmed) => {
                self.confirmed = Some(confirmed.len());
                return self.lists.iter_mut().for_each(|lists| lists.confirm(&confirmed));
            }
        };
        progress.step();
        if let Some(lists) = &mut self.lists {
            lists.add(number, &result);
        }
        let (what, outcome) = match result {
            Ok(stored) => {
                progress.block(number, "stored");
                return progress.note(&format!("block {number}: {}", self.count(stored)));
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
        let is_mismatch = outcome == Outcome::Mismatch;
        progress.block(number, if is_mismatch { "mismatch" } else { "failed" });
        progress.note(&what);
        self.failures.add(number, what);
    }

    /// The results for a result file.
    pub(super) fn report(&mut self, chain_id: ChainId, context: &Context) -> FetchReport {
        let Lists { stored, refused } = self.lists.take().unwrap_or_default();
        FetchReport {
            schema_version: fetched::SCHEMA_VERSION,
            provenance: provenance(),
            chain_id,
            cache_dir: context.cache_dir.display().to_string(),
            selected: self.asked,
            already_cached: self.there,
            refused: self.refused,
            interrupted: self.is_interrupted(),
            blocks: stored,
            failures: refused,
        }
    }

    /// Counts a stored block and describes it.
    fn count(&mut self, Stored { assumed, list, failed, .. }: Stored) -> String {
        self.by_another += u64::from(!failed.is_empty());
        let words = self.count_kind(assumed, list);
        match failed.is_empty() {
            true => words,
            false => format!("{words}; another node failed before: {}", failed.join("; ")),
        }
    }

    fn count_kind(&mut self, assumed: Option<Assumed>, list: Option<ListSource>) -> String {
        let list = match list {
            Some(ListSource::Derived) => {
                self.without_list += 1;
                ", without the node's block access list"
            }
            _ => "",
        };
        match assumed {
            None => {
                self.proved += 1;
                format!("stored{list}")
            }
            Some(assumed) => {
                self.checked += 1;
                format!("stored{list}, checked to the receipts only; assumed: {assumed}")
            }
        }
    }

    /// Marks the fetch as ended by a signal.
    pub(super) const fn interrupt(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    const fn is_interrupted(&self) -> bool {
        matches!(self.outcome, Outcome::Interrupted(_))
    }

    /// Prints the failures by block on standard error and the counts on standard output.
    pub(super) fn print(
        mut self,
        rules: &NodeRules,
        stream: Stream,
        context: &Context,
    ) -> Result<Outcome, OutputError> {
        for what in self.failures.messages() {
            diagnose(format_args!("error: {what}"));
        }
        print_notes(&mut self.notes);
        let Self {
            asked,
            there,
            proved,
            checked,
            without_list,
            refused,
            by_another,
            confirmed,
            ..
        } = self;
        let stored = proved + checked;
        let (fetched, dir) = (asked.saturating_sub(there), context.cache_dir.display());
        stream.print(format_args!(
            "{stored} of {fetched} blocks fetched, proved and stored in {dir}"
        ))?;
        let line = confirmed.and_then(|confirmed| headers_line(confirmed as u64, stored + there));
        line.map_or(Ok(()), |line| stream.print(line))?;
        stream.print(format_args!("rules of {rules}"))?;
        if by_another > 0 {
            let why = "came from another node than the first that was asked; -v prints why";
            stream.print_text(format_args!("{by_another} of them {why}"))?;
        }
        if checked > 0 {
            let depth = "are checked to the receipts only";
            stream.print(format_args!("{checked} of them came without a witness and {depth}"))?;
        }
        if without_list > 0 {
            let list = "came without the block access list, which the execution gave";
            stream.print(format_args!("{without_list} of them {list}; see rpc-check"))?;
        }
        if there > 0 {
            let (blocks, were) =
                (counted(there as usize, "block"), if there == 1 { "was" } else { "were" });
            stream
                .print(format_args!("{blocks} {were} already cached; --overwrite fetches again"))?;
        }
        let (left, advice) =
            (fetched.saturating_sub(stored + refused), "the same command continues with them");
        if self.is_interrupted() {
            stream.print(format_args!("interrupted: {left} blocks are left; {advice}"))?;
        }
        if self.is_stopped {
            let why = "the cache cannot be written, so the fetch ended";
            stream.print_text(format_args!("{why}: {left} blocks are left; {advice}"))?;
        }
        Ok(self.outcome)
    }
}

/// States how many headers are confirmed; `None` without blocks.
fn headers_line(confirmed: u64, blocks: u64) -> Option<String> {
    let remedy = "the others are only consistent with themselves (see --confirm-url)";
    match (confirmed, blocks) {
        (_, 0) => None,
        (all, blocks) if all == blocks => Some(format!("{all} of {blocks} headers confirmed")),
        (some, blocks) => Some(format!("{some} of {blocks} headers confirmed; {remedy}")),
    }
}

/// Prints notes about orphaned blocks on standard error.
fn print_notes(notes: &mut [String]) {
    notes.sort_unstable();
    for note in notes.iter().take(MOST_NOTES) {
        diagnose(note);
    }
    let more = notes.len().saturating_sub(MOST_NOTES);
    if more > 0 {
        diagnose(format_args!("and the same for {}", counted(more, "other cached block")));
    }
}

fn not_compared(BlockId { number, hash, .. }: &BlockId) -> String {
    format!(
        "block {number}: the cached block {hash} may be orphaned, since the node has no block of that number or did \
         not answer"
    )
}

fn orphaned(
    BlockId { number, hash, .. }: &BlockId,
    removal: Result<Removal, CacheError>,
) -> String {
    let what = format!("block {number}: the cached block {hash} is not of the node's chain");
    match removal {
        Ok(Removal::Removed) => format!("{what} and was removed, since the new block replaces it"),
        Ok(Removal::Kept) => {
            format!("{what} and stays beside the new block; --overwrite or cache remove removes it")
        }
        Err(error) => format!("{what} and could not be removed: {error}"),
    }
}
