//! What an analysis says in sentences, for the terminal and the page.

use super::{
    AnalysedBlock, AnalysisReport,
    listings::ratio,
    over_blocks::{mean_bound, path_growth},
    place,
};
use crate::{
    insight::Ordered,
    report::{Failure, counted, summary::one_line},
    units,
};

/// What the columns of blocks mean.
pub(super) const LEGEND: &str = "time: of all transactions on one thread, the shortest of several runs. limit: that over the time of \
     the critical path, the longest chain of transactions that wait for each other, so the bound on any \
     number of threads. x2, x4: bounds on 2 and 4 threads, from a schedule of the measured times in which \
     a transaction waits where it reads what another has still to write; nothing is done twice, and \
     nothing else takes time. chain: transactions in the longest chain of dependent ones. indep.: share \
     that depend on no other. longest: share of the time that the longest takes. Conflicts are on \
     balance, nonce, code and slot; payments commute, and senders' nonces are known.";

/// Which blocks, and how often they were run.
pub(super) fn runs(report: &AnalysisReport) -> String {
    let runs = counted(report.settings.runs.get() as usize, "run");
    let blocks = one_line(&report.settings.blocks);
    let count = report.blocks.len();
    format!("blocks {blocks} ({count}); times are the shortest of {runs}")
}

/// What the blocks allow on the most threads; `None` if that is one, or none of them has a transaction.
pub(super) fn allowed(report: &AnalysisReport) -> Option<String> {
    let most = *report.settings.threads.last().filter(|most| most.get() > 1)?;
    let [fields, accounts] = [
        mean_bound(report, most, |bounds| bounds.fields)?,
        mean_bound(report, most, |bounds| bounds.accounts)?,
    ];
    let threads = counted(most.get(), "thread");
    let blocks = report.blocks.iter().filter(|block| !block.analysis.bounds.is_empty()).count();
    let allow = if blocks == 1 { "allows" } else { "allow" };
    let blocks = counted(blocks, "block");
    Some(format!(
        "on {threads}, {blocks} {allow} {fields:.2} times the speed of one thread; {accounts:.2} if conflicts \
         are seen on whole accounts"
    ))
}

/// What each of the refinements of fields is worth.
pub(super) fn refinements(report: &AnalysisReport) -> Option<String> {
    let growth = |ordered| path_growth(report, ordered).map(|growth| format!("{growth:.2}"));
    let [fees, nonces, balances] =
        [growth(Ordered::Fees)?, growth(Ordered::Nonces)?, growth(Ordered::Balances)?];
    Some(format!(
        "The critical path would be {fees} times as long if fees were paid in order, {nonces} if \
         nonces were counted in order, {balances} if payments did not commute."
    ))
}

/// What a block allows on the most threads; `None` if it has no transaction.
pub(super) fn bound(block: &AnalysedBlock) -> Option<String> {
    let bounds = block.analysis.bounds.last()?;
    Some(format!(
        "Block {} on {}: bound {:.2}, critical path {}",
        block.facts.number,
        counted(bounds.threads.get(), "thread"),
        bounds.fields,
        units::duration(block.analysis.critical_path)
    ))
}

/// Without what the bound would rise most; `None` if it would not rise at all.
pub(super) fn what_if(block: &AnalysedBlock) -> Option<String> {
    let (spot, bounds) = (block.analysis.worst()?, block.analysis.bounds.last()?);
    let (now, without) = (ratio(Some(bounds.fields)), ratio(spot.bound_without));
    let place = place::short(&spot.place, block.facts.chain_id);
    Some(match now == without {
        true => format!("Without any single one of them the bound would stay {now}."),
        false => format!("Without {place} the bound would rise most: from {now} to {without}."),
    })
}

/// A line for each block that could not be analysed.
pub(super) fn problems(report: &AnalysisReport) -> Vec<String> {
    let line = |failure: &Failure| {
        format!("not analysed: block {}: {}", failure.block, one_line(&failure.what))
    };
    report.failures.iter().map(line).collect()
}
