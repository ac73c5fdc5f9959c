//! The last line of a report: what was verified, how far, and against which headers.
//!
//! A block counts as verified only if every one of its rows matched.

use std::collections::BTreeSet;

use super::{Report, Row, VerifiedTo, by_block, counted};
use crate::block::Confirmation;

/// The verification result, and its depth.
pub(super) fn conclusion(report: &Report) -> String {
    let rows = &report.rows;
    let blocks = by_block(rows);
    let wrong = rows.iter().filter(|row| row.verdict.figures().is_none()).count();
    let confirmed = blocks.iter().filter(|rows| is_confirmed(rows)).count();
    let Claim { claim, not, nots } = Claim::of(rows, confirmed, blocks.len());
    let outcome = match (rows.len(), wrong) {
        (0, _) => "nothing was verified".into(),
        (_, 0) => format!("all {claim}"),
        (all, 1) => format!("{} {claim}, 1 {not}", all - 1),
        (all, wrong) => format!("{} {claim}, {wrong} {nots}", all - wrong),
    };
    let mut text =
        format!("{}, {}: {outcome}", counted(blocks.len(), "block"), counted(rows.len(), "row"));
    for (depth, words) in [
        (VerifiedTo::StateRoot, "to the state root"),
        (VerifiedTo::Receipts, "only to the receipts"),
        (VerifiedTo::SequentialRun, "only against a sequential run"),
    ] {
        let verified = blocks.iter().filter(|rows| verified_to(rows) == Some(depth)).count();
        if verified > 0 {
            text += &format!(", {} {words}", counted(verified, "block"));
        }
    }
    if !report.failures.is_empty() {
        text += &format!("; {} not run", counted(report.failures.len(), "block"));
    }
    text
}

/// The words for rows that matched, and for rows that did not.
struct Claim {
    claim: String,
    not: &'static str,
    nots: &'static str,
}

impl Claim {
    /// Only a confirmed header is one of the chain. Any other block is consistent with its header, and no more.
    fn of(rows: &[Row], confirmed: usize, blocks: usize) -> Self {
        if confirmed == blocks {
            let claim = format!("match {}", chain_name(rows));
            return Self { claim, not: "DOES NOT", nots: "DO NOT" };
        }
        let level = match confirmed {
            0 => "not confirmed".to_owned(),
            some => format!("{some} of {} confirmed", counted(blocks, "block")),
        };
        let claim = format!("consistent with their own headers ({level})");
        Self { claim, not: "IS NOT", nots: "ARE NOT" }
    }
}

fn is_confirmed(rows: &[&Row]) -> bool {
    rows.iter().all(|row| row.block.confirmed.is_some())
}

/// Verdict, verification depth and level of the header of a row.
pub(super) fn outcome_words(row: &Row) -> String {
    let level = Confirmation::level(row.block.confirmed.as_ref());
    format!("{}, {}, {level}", row.verdict.name(), row.verified_to.name())
}

/// Verification depth that all rows of a block reached; `None` if one row did not match.
fn verified_to(rows: &[&Row]) -> Option<VerifiedTo> {
    if rows.iter().any(|row| row.verdict.figures().is_none()) {
        return None;
    }
    let all = |depth| rows.iter().all(|row| row.verified_to == depth);
    let depth =
        [VerifiedTo::StateRoot, VerifiedTo::SequentialRun].into_iter().find(|depth| all(*depth));
    Some(depth.unwrap_or(VerifiedTo::Receipts))
}

/// Name of the chain that the results were compared with.
///
/// A merged block is of no chain.
fn chain_name(rows: &[Row]) -> String {
    if rows.iter().any(|row| row.verified_to == VerifiedTo::SequentialRun) {
        return "a sequential run".into();
    }
    let chains: BTreeSet<u64> = rows.iter().map(|row| row.block.chain_id).collect();
    match (chains.first(), chains.len()) {
        (Some(1), 1) => "mainnet".into(),
        (Some(chain), 1) => format!("chain {chain}"),
        _ => "their chains".into(),
    }
}
