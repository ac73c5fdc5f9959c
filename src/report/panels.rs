//! Writes the blocks in detail: one panel for every few contenders, with blocks as rows and contenders as columns.

use super::paint::{ALARM, Cell, FAINT, STRONG, bar, columns, paint};
use super::record::{bound_share, measured_speedup, mgas_per_s};
use super::table::{
    NONE, cell, has_receipts_only, is_baseline_row, mark, others, speedup, speedup_style,
};
use super::wrap::visible;
use super::{BlockFacts, Contender, Figures, Report, Row, by_block, counted, totals};
use crate::units;

/// Width of a bar in characters.
const BAR: usize = 7;

/// One panel for each group of contenders. A panel has as many contenders as fit.
pub(super) fn panels(report: &Report, width: usize) -> Vec<Vec<String>> {
    let others = others(&report.rows);
    if others.is_empty() {
        return vec![panel(report, &[])];
    }
    let mut panels = Vec::new();
    let mut rest = &others[..];
    while !rest.is_empty() {
        let fits = |count: &usize| {
            let lines = panel(report, &rest[..*count]);
            lines.iter().all(|line| visible(line) <= width)
        };
        let most = rest.len().min(MOST_CONTENDERS);
        let count = (1..=most).rev().find(fits).unwrap_or(1);
        panels.push(panel(report, &rest[..count]));
        rest = &rest[count..];
    }
    panels
}

/// Maximum number of contenders in a panel.
const MOST_CONTENDERS: usize = 8;

/// Blocks grouped by fork, with columns for the baseline and the chosen contenders.
fn panel(report: &Report, chosen: &[Contender<'_>]) -> Vec<String> {
    let mut cells = vec![titles(report, chosen)];
    let mut forks = Vec::new();
    for (fork, rows) in totals::by_fork(&report.rows) {
        forks.push((cells.len(), fork));
        for rows in by_block(rows) {
            cells.extend(block(&rows, chosen));
        }
    }
    let mut lines = columns(&cells);
    for (before, fork) in forks.into_iter().rev() {
        lines.insert(before, paint(&format!("— {fork}"), FAINT));
    }
    lines
}

/// Column titles: the block, the baseline and the chosen contenders.
fn titles(report: &Report, chosen: &[Contender<'_>]) -> Vec<Cell> {
    let baseline = report.rows.iter().find(|row| is_baseline_row(row));
    let baseline = baseline.map_or("no baseline", |row| row.contender().executor);
    let title = |contender: &Contender<'_>| Cell::new(contender.label(), STRONG);
    let mut cells = vec![Cell::new("block", STRONG), Cell::new(baseline, STRONG)];
    cells.extend(chosen.iter().map(title));
    cells
}

/// The three lines of a block.
fn block(rows: &[&Row], chosen: &[Contender<'_>]) -> Vec<Vec<Cell>> {
    let Some(first) = rows.first() else { return vec![] };
    let baseline = rows.iter().copied().find(|row| is_baseline_row(row));
    let marks = if rows.iter().any(|row| has_receipts_only(row)) { "*" } else { "" };
    let mut columns = vec![facts(&first.block, marks), baseline_cells(baseline)];
    columns.extend(chosen.iter().map(|contender| {
        let row = rows.iter().copied().find(|row| row.contender() == *contender);
        row.map_or_else(|| [(); 3].map(|()| Cell::plain(NONE)), contender_cells)
    }));
    let line = |at: usize| columns.iter().filter_map(|cells| cells.get(at).cloned()).collect();
    (0..3).map(line).collect()
}

/// The block number with its marks, the transaction count and the gas. The legend explains the marks.
fn facts(block: &BlockFacts, marks: &str) -> [Cell; 3] {
    [
        Cell::new(format!("{}{marks}", block.number), STRONG),
        Cell::new(counted(block.transactions, "tx"), FAINT),
        Cell::new(format!("{} Mgas", units::grouped(units::mgas(block.gas_used))), FAINT),
    ]
}

/// Time and throughput of the baseline, and the time of the state root if it was computed.
fn baseline_cells(row: Option<&Row>) -> [Cell; 3] {
    let figures = row.and_then(|row| row.verdict.figures());
    let root = figures.and_then(|figures| figures.root_median);
    [
        Cell::plain(cell(figures.map(|figures| units::short(figures.execute.median)))),
        Cell::plain(cell(row.and_then(mgas_per_s).map(throughput))),
        Cell::new(
            root.map_or_else(String::new, |root| format!("root {}", units::short(root))),
            FAINT,
        ),
    ]
}

/// Time and throughput, speedup, and share of the bound. A wrong result has none of them.
fn contender_cells(row: &Row) -> [Cell; 3] {
    let Some(figures) = row.verdict.figures() else {
        return [Cell::new("MISMATCH", ALARM), Cell::plain(NONE), Cell::plain(NONE)];
    };
    let median = units::short(figures.execute.median) + mark(row);
    let time = format!("{median:<7} {}", cell(mgas_per_s(row).map(throughput)));
    let measured = measured_speedup(figures);
    let interval = cell(measured.map(speedup));
    [
        Cell::plain(time),
        Cell::new(interval, measured.map_or(FAINT, speedup_style)),
        share(row, figures),
    ]
}

/// Speedup as a share of the bound, or of the thread count if the bound is unknown.
fn share(row: &Row, figures: &Figures) -> Cell {
    let Some(measured) = measured_speedup(figures) else { return Cell::plain("") };
    let threads = row.threads.get() as f64;
    let (share, of) = match (bound_share(row), figures.bound_speedup) {
        (Some(share), Some(bound)) => (share, format!("{bound:.2}")),
        _ => (measured.ratio / threads, counted(row.threads.get(), "thread")),
    };
    Cell::new(format!("{} {:.0} % of {of}", bar(share, BAR), share * 100.0), FAINT)
}

/// Formats Mgas/s. Large values have no decimals.
fn throughput(mgas_per_s: f64) -> String {
    if mgas_per_s < 100.0 {
        return format!("{} Mgas/s", units::grouped(mgas_per_s));
    }
    format!("{} Mgas/s", units::count(mgas_per_s.round() as u64))
}
