//! Formats the sentences of an analysis. The terminal report and the page share them.

use super::{
    AnalysedBlock, AnalysisReport,
    listings::ratio,
    over_blocks::{mean_bound, path_growth},
    place,
};
use crate::{
    insight::{NodeCount, Ordered, Place},
    report::{Failure, counted, summary::one_line},
    units,
};

/// Explains the columns of the block table.
pub(super) const LEGEND: &str = "time: time of all transactions on one thread, the shortest of several runs. root: share of the state root in the time of \
     execution and root on one thread. chain: transactions in the longest chain of dependencies. indep.: share of transactions without a dependency. longest: share of \
     the time of the longest transaction. bound: time / critical path, the bound of the speedup on any \
     number of threads. The critical path is the chain of dependent transactions that takes longest. on 2, \
     on 4: bounds on 2 and 4 threads, from a schedule of the measured times. In it, a transaction waits at a \
     read for the transaction that writes the value. There are no aborts and no overhead. Conflicts are on \
     balance, nonce, code and slot; payments commute, and senders' nonces are known.";

/// The blocks and the number of runs.
pub(super) fn runs(report: &AnalysisReport) -> String {
    let runs = counted(report.settings.runs.get() as usize, "run");
    let blocks = one_line(&report.settings.blocks);
    let count = report.blocks.len();
    format!("blocks {blocks} ({count}); times are the shortest of {runs}")
}

/// Mean bound of the blocks on the largest thread count. `None` on one thread, or without transactions.
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
        "on {threads}, {blocks} {allow} a speedup of {fields:.2}; {accounts:.2} if conflicts are detected on \
         whole accounts"
    ))
}

/// Effect of each refinement of the conflict model on the critical path.
pub(super) fn refinements(report: &AnalysisReport) -> Option<String> {
    let growth = |ordered| path_growth(report, ordered).map(|growth| format!("{growth:.2}"));
    let [fees, nonces, balances] =
        [growth(Ordered::Fees)?, growth(Ordered::Nonces)?, growth(Ordered::Balances)?];
    Some(format!(
        "The critical path would be {fees} times as long if fees were paid in order, {nonces} if \
         nonces were counted in order, {balances} if payments did not commute."
    ))
}

/// The bound of a block on the largest thread count; `None` without transactions.
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

/// Number of storage tries in [`root`].
const STORAGE_TRIES: usize = 3;

/// The work of the state root beside the execution; `None` without a proof.
pub(super) fn root(block: &AnalysedBlock) -> Option<String> {
    let (root, share) = (block.root.as_ref()?, block.root_share()?);
    let kibibytes = |nodes: &NodeCount| nodes.bytes.div_ceil(1 << 10);
    let tries = root.storage_tries.iter().take(STORAGE_TRIES).map(|work| {
        let account = place::short(&Place::Account(work.address), block.facts.chain_id);
        let slots = counted(work.slots, "slot");
        format!("{account} ({slots}, {} KiB)", kibibytes(&work.nodes))
    });
    let tries: Vec<_> = tries.collect();
    let largest = match tries.is_empty() {
        true => String::new(),
        false => format!("; largest storage tries: {}", tries.join(", ")),
    };
    Some(format!(
        "State root of block {}: {}, {:.0} % of execution and root on one thread; {}, {} KiB{largest}",
        block.facts.number,
        units::duration(root.time),
        share * 100.0,
        counted(root.nodes.count, "node"),
        kibibytes(&root.nodes)
    ))
}

/// The hot spot without which the bound would rise most; `None` if the bound would not rise.
pub(super) fn what_if(block: &AnalysedBlock) -> Option<String> {
    let (spot, bounds) = (block.analysis.worst()?, block.analysis.bounds.last()?);
    let (now, without) = (ratio(Some(bounds.fields)), ratio(spot.bound_without));
    let place = place::short(&spot.place, block.facts.chain_id);
    Some(match now == without {
        true => format!("Without any one of these hot spots the bound would stay {now}."),
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
