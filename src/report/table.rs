//! A report for a person at a terminal, at most 100 columns wide.
//!
//! First where and how it ran, then the rows under their blocks with a legend, then the totals, the
//! problems and the conclusion of `summary`. All of it is plain text. Reasons of
//! problems are not wrapped, so that they can be searched and copied; they alone may be wider.

use std::io;

use comfy_table::CellAlignment::{Left, Right};

use super::grid::{self, Column};
use super::record::{measured_speedup, mgas_per_s, re_execution_rate};
use super::{
    BlockFacts, Comparison, Contender, Figures, Mode, Report, ReportError, Row, Verdict,
    VerifiedTo, by_block, counted, summary,
};
use crate::units;

/// In place of a value that does not apply.
const NONE: &str = "-";

/// The longest text from outside that still leaves room for what stands beside it.
const LONGEST_NAME: usize = 56;

/// The columns of the rows. What a row shares with its block stands on a line above instead, which
/// is what makes it fit.
const COLUMNS: [Column; 8] = [
    ("executor", Left),
    ("threads", Right),
    ("execute", Right),
    ("Mgas/s", Right),
    ("speedup", Right),
    ("re-exec", Right),
    ("root", Right),
    ("verdict", Left),
];

const LEGEND: [&str; 2] = [
    "The brackets hold its 95 % confidence interval. Times of execute leave out the state root,",
    "which has a column of its own. re-exec: how often a transaction was executed, on average.",
];

const RECEIPTS_LEGEND: &str =
    "* checked to the receipts only: no witness, so no state root to compare.";

const FELL_BACK_LEGEND: &str =
    "! gave up and executed the block in another way, for the reason below.";

/// Writes `report` as text for a terminal.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write(report: &Report, mut out: impl io::Write) -> Result<(), ReportError> {
    let sections = [
        heading(report),
        results(report),
        legend(report),
        summary::standings(report),
        summary::problems(report),
        vec![summary::conclusion(report)],
    ];
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let text: Vec<String> = filled.map(|lines| lines.join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Table)
}

/// The machine and the settings.
fn heading(report: &Report) -> Vec<String> {
    let (machine, settings) = (&report.machine, &report.settings);
    let cpus = counted(machine.logical_cpus.get(), "logical CPU");
    let timed = counted(settings.iterations as usize, "timed round");
    let warmup = counted(settings.warmup as usize, "warm-up round");
    let mut lines = vec![
        format!(
            "blockrace {} on {}, {cpus}",
            machine.blockrace_version,
            shortened(&machine.cpu_model)
        ),
        format!("{}, allocator {}", shortened(&machine.kernel), machine.allocator),
        format!("blocks {}", shortened(&settings.blocks)),
        format!("{timed} of each block after {warmup}, seed {}", settings.seed),
    ];
    if !settings.state_latency.is_zero() {
        let latency = units::duration(settings.state_latency);
        lines.push(format!("first reads of the pre-state take {latency} and what the timer adds"));
    }
    lines
}

/// The rows under a line for each block, under the titles.
fn results(report: &Report) -> Vec<String> {
    let blocks = by_block(&report.rows);
    let cells = blocks.iter().flatten().map(|row| cells(row)).collect();
    let mut grid = grid::lines(&COLUMNS, cells).into_iter();

    let mut lines: Vec<String> = grid.by_ref().take(1).collect();
    for rows in &blocks {
        lines.extend(rows.first().map(|row| block_line(&row.block)));
        lines.extend(grid.by_ref().take(rows.len()));
    }
    if blocks.is_empty() { vec![] } else { lines }
}

/// What the rows of a block share: number, fork, transactions and gas.
fn block_line(block: &BlockFacts) -> String {
    let BlockFacts { number, fork, transactions, gas_used, .. } = block;
    let mgas = units::grouped(units::mgas(*gas_used));
    format!("{number}  {fork}  {}  {mgas} Mgas", counted(*transactions, "tx"))
}

fn cells(row: &Row) -> Vec<String> {
    let figures = row.verdict.figures();
    vec![
        row.executor.clone(),
        row.threads.to_string(),
        cell(figures.map(|figures| units::duration(figures.execute.median))),
        cell(mgas_per_s(row).map(units::grouped)),
        cell(figures.and_then(speedup)),
        cell(re_execution_rate(row).map(|rate| format!("{rate:.2}"))),
        cell(figures.and_then(|figures| figures.root_median).map(units::duration)),
        verdict(row),
    ]
}

/// A value, or the sign that there is none.
pub(super) fn cell(value: Option<String>) -> String {
    value.unwrap_or_else(|| NONE.into())
}

fn speedup(figures: &Figures) -> Option<String> {
    if figures.comparison == Comparison::Baseline {
        return Some("1.00 (baseline)".into());
    }
    let measured = measured_speedup(figures)?;
    Some(format!("{:.2} [{:.2}, {:.2}]", measured.ratio, measured.ci_low, measured.ci_high))
}

/// The verdict, with the marks that the legend explains.
fn verdict(row: &Row) -> String {
    let name = match row.verdict {
        Verdict::Match(_) => "match",
        Verdict::Mismatch(_) => "MISMATCH",
    };
    let receipts = if has_receipts_only(row) { "*" } else { "" };
    let fell_back = if has_fallen_back(row) { "!" } else { "" };
    format!("{name}{receipts}{fell_back}")
}

fn has_receipts_only(row: &Row) -> bool {
    row.verified_to == VerifiedTo::Receipts
}

fn has_fallen_back(row: &Row) -> bool {
    matches!(row.mode, Mode::FellBack(_))
}

/// What the columns and the marks mean, for someone who sees them for the first time.
fn legend(report: &Report) -> Vec<String> {
    let rows = &report.rows;
    if rows.is_empty() {
        return vec![];
    }
    let mut lines = vec![baseline_line(rows)];
    lines.extend(LEGEND.map(str::to_owned));
    lines.extend(known_beforehand(report));
    lines.extend(crossings(rows));
    if rows.iter().any(has_receipts_only) {
        lines.push(RECEIPTS_LEGEND.into());
    }
    if rows.iter().any(has_fallen_back) {
        lines.push(FELL_BACK_LEGEND.into());
    }
    lines
}

/// What executors were told, and that it cost them nothing.
fn known_beforehand(report: &Report) -> Vec<String> {
    let known = &report.settings.known_beforehand;
    let mut lines: Vec<_> =
        known.iter().map(|known| format!("{} knew {}.", known.executor, known.what)).collect();
    if !lines.is_empty() {
        lines.push(
            "That was derived from a sequential run of the same block, which is not timed.".into(),
        );
    }
    lines
}

/// How many transactions crossed shards, over all blocks, for each contender that has shards.
fn crossings(rows: &[Row]) -> Vec<String> {
    let mut contenders: Vec<(Contender<'_>, u64, usize)> = Vec::new();
    for row in rows {
        let Some(crossing) = row.verdict.figures().and_then(|figures| figures.cross_shard) else {
            continue;
        };
        let known = contenders.iter().position(|(contender, ..)| *contender == row.contender());
        let place = known.unwrap_or_else(|| {
            contenders.push((row.contender(), 0, 0));
            contenders.len() - 1
        });
        contenders[place].1 += crossing;
        contenders[place].2 += row.block.transactions;
    }
    let line = |(contender, crossing, all): (Contender<'_>, u64, usize)| {
        let percent = 100.0 * crossing as f64 / all.max(1) as f64;
        format!("{contender}: {percent:.1} % of the transactions crossed shards.")
    };
    contenders.into_iter().map(line).collect()
}

fn baseline_line(rows: &[Row]) -> String {
    let is_baseline = |row: &&Row| {
        row.verdict.figures().is_some_and(|figures| figures.comparison == Comparison::Baseline)
    };
    match rows.iter().find(is_baseline) {
        Some(row) => {
            format!("speedup: median execute time of {} / that of the row.", row.contender())
        }
        None => "speedup: none, since no baseline was verified to compare with.".into(),
    }
}

/// Text from outside, cut where it would leave no room.
fn shortened(text: &str) -> String {
    let text = summary::one_line(text);
    if text.chars().count() <= LONGEST_NAME {
        return text;
    }
    text.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
