//! The end of the table: how each contender did over all blocks, what went wrong, and what was
//! verified.
//!
//! Only rows that matched count towards a speedup. Correctness of the conclusion lives in
//! [`conclusion`]: a block counts as verified only if every one of its rows matched.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use alloy_primitives::B256;
use comfy_table::CellAlignment::{Left, Right};

use super::grid::{self, Column};
use super::record::speedup_ratio;
use super::table::cell;
use super::{
    Comparison, Contender, Failure, Mode, Report, Row, Verdict, VerifiedTo, by_block, counted,
};
use crate::measure::stats::geometric_mean;

const COLUMNS: [Column; 5] = [
    ("executor", Left),
    ("threads", Right),
    ("verified rows", Right),
    ("geometric mean of speedups", Right),
    ("total-time ratio", Right),
];

const LEGEND: [&str; 2] = [
    "The mean counts every block the same. The total-time ratio counts long blocks more: the execute",
    "times of the baseline, added up over the same blocks, / those of the executor.",
];

/// The median execute time of the baseline of each block that has a verified one.
type Baselines = HashMap<B256, Duration>;

/// One line per contender, with a legend.
pub(super) fn standings(report: &Report) -> Vec<String> {
    let baselines = baselines(&report.rows);
    let contenders = by_contender(&report.rows);
    if contenders.is_empty() {
        return vec![];
    }
    let standing = |(contender, rows): &(Contender<'_>, Vec<&Row>)| {
        let verified = rows.iter().filter(|row| row.verdict.figures().is_some()).count();
        let ratios: Vec<f64> = rows.iter().filter_map(|row| ratio(row)).collect();
        let two_decimals = |value: f64| format!("{value:.2}");
        vec![
            contender.executor.into(),
            contender.threads.to_string(),
            format!("{verified} of {}", rows.len()),
            cell(geometric_mean(&ratios).map(two_decimals)),
            cell(total_time_ratio(rows, &baselines).map(two_decimals)),
        ]
    };
    let mut lines = grid::lines(&COLUMNS, contenders.iter().map(standing).collect());
    lines.extend(LEGEND.map(str::to_owned));
    lines
}

/// One line for everything that did not go as it should, with block and reason.
pub(super) fn problems(report: &Report) -> Vec<String> {
    let rows = &report.rows;
    let mismatches = rows.iter().filter_map(mismatch_line);
    let fallbacks = rows.iter().filter_map(fallback_line);
    mismatches.chain(fallbacks).chain(report.failures.iter().map(failure_line)).collect()
}

/// What was verified, and how far.
pub(super) fn conclusion(report: &Report) -> String {
    let rows = &report.rows;
    let blocks = by_block(rows);
    let wrong = rows.iter().filter(|row| row.verdict.figures().is_none()).count();
    let chain = chain_name(rows);
    let outcome = match (rows.len(), wrong) {
        (0, _) => "nothing was verified".into(),
        (_, 0) => format!("all match {chain}"),
        (all, 1) => format!("{} match {chain}, 1 DOES NOT", all - 1),
        (all, wrong) => format!("{} match {chain}, {wrong} DO NOT", all - wrong),
    };
    let mut text =
        format!("{}, {}: {outcome}", counted(blocks.len(), "block"), counted(rows.len(), "row"));
    for (depth, words) in [
        (VerifiedTo::StateRoot, "to the state root"),
        (VerifiedTo::Receipts, "only to the receipts"),
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

/// Text on one line: line feeds, control characters and runs of blanks become single blanks.
/// Reasons come from nodes and files, which must not be able to move the cursor.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn mismatch_line(row: &Row) -> Option<String> {
    let Verdict::Mismatch(what) = &row.verdict else { return None };
    Some(row_line("MISMATCH", row, what))
}

fn fallback_line(row: &Row) -> Option<String> {
    let Mode::FellBack(why) = &row.mode else { return None };
    Some(row_line("fell back", row, why))
}

fn row_line(problem: &str, row: &Row, reason: &str) -> String {
    let reason = one_line(reason);
    format!("{problem}: block {}, {}: {reason}", row.block.number, row.contender())
}

fn failure_line(failure: &Failure) -> String {
    format!("not run: block {}: {}", failure.block, one_line(&failure.what))
}

fn baselines(rows: &[Row]) -> Baselines {
    let baseline = |row: &Row| {
        let figures = row.verdict.figures()?;
        let is_baseline = figures.comparison == Comparison::Baseline;
        is_baseline.then_some((row.block.hash, figures.execute.median))
    };
    rows.iter().filter_map(baseline).collect()
}

/// The rows of each contender, contenders in the order in which they first appear.
fn by_contender(rows: &[Row]) -> Vec<(Contender<'_>, Vec<&Row>)> {
    let mut groups: Vec<(Contender<'_>, Vec<&Row>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(contender, _)| *contender == row.contender()) {
            Some((_, group)) => group.push(row),
            None => groups.push((row.contender(), vec![row])),
        }
    }
    groups
}

fn ratio(row: &Row) -> Option<f64> {
    row.verdict.figures().and_then(speedup_ratio)
}

/// Time of the baseline / time of the contender, over the blocks where both were verified.
fn total_time_ratio(rows: &[&Row], baselines: &Baselines) -> Option<f64> {
    let times = |row: &&Row| {
        let baseline = baselines.get(&row.block.hash)?;
        Some((*baseline, row.verdict.figures()?.execute.median))
    };
    let (baseline, contender) =
        rows.iter().filter_map(times).fold((Duration::ZERO, Duration::ZERO), |sum, add| {
            (sum.0.saturating_add(add.0), sum.1.saturating_add(add.1))
        });
    (!contender.is_zero()).then(|| baseline.div_duration_f64(contender))
}

/// How far a block was verified by all of its rows; `None` if one of them did not match.
fn verified_to(rows: &[&Row]) -> Option<VerifiedTo> {
    if rows.iter().any(|row| row.verdict.figures().is_none()) {
        return None;
    }
    let to_root = rows.iter().all(|row| row.verified_to == VerifiedTo::StateRoot);
    Some(if to_root { VerifiedTo::StateRoot } else { VerifiedTo::Receipts })
}

/// What the rows were compared with.
fn chain_name(rows: &[Row]) -> String {
    let chains: BTreeSet<u64> = rows.iter().map(|row| row.block.chain_id).collect();
    match (chains.first(), chains.len()) {
        (Some(1), 1) => "mainnet".into(),
        (Some(chain), 1) => format!("chain {chain}"),
        _ => "their chains".into(),
    }
}
