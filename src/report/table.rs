//! Writes a report for a terminal, at most 100 columns wide.
//!
//! The heading shows the machine and the settings. One panel for every three contenders follows: blocks
//! are rows and contenders are columns. `summary` writes the rest: totals, problems, bottlenecks and
//! warnings. The fastest contender and the verification result come last, next to the shell prompt.
//! Reasons of problems are not wrapped, so that a user can search and copy them. Only these lines may be wider.

use std::io;

use anstyle::Style;

use super::paint::{ALARM, BAD, Cell, FAINT, GOOD, PLAIN, STRONG, bar, columns, paint};
use super::record::{bound_share, measured_speedup, mgas_per_s};
use super::{
    BlockFacts, Comparison, Contender, Detail, Figures, Mode, OracleKnowledge, Report, ReportError,
    Row, Verdict, VerifiedTo, by_block, contenders, counted, summary, totals,
};
use crate::measure::stats::Speedup;
use crate::units;

/// Placeholder for a value that does not apply.
pub(super) const NONE: &str = "-";

/// Maximum length of an external text in the heading, so that the line fits.
const LONGEST_NAME: usize = 56;

/// Number of contender columns that fit beside the block and the baseline.
const CONTENDERS_PER_PANEL: usize = 3;

/// Width of a bar in characters.
const BAR: usize = 7;

const LEGEND: [&str; 3] = [
    "Each cell: median time and Mgas/s; speedup with its 95 % interval; speedup as a share of the bound,",
    "or of the thread count if the bound is unknown. A speedup is the median of baseline time /",
    "contender time over the iterations. It is green or red if its interval excludes 1.",
];

const RECEIPTS_LEGEND: &str =
    "* verified to the receipts only: without a witness there is no state root to compare.";

const FELL_BACK_LEGEND: &str = "! fell back to another way of execution, for the reason below.";

const ONE_THREAD_LEGEND: &str =
    "= executed on one thread, as the baseline: the block is too small for several threads.";

/// Writes `report` as coloured text for a terminal.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write(report: &Report, detail: Detail, mut out: impl io::Write) -> Result<(), ReportError> {
    let mut sections = vec![heading(report)];
    if detail == Detail::Blocks && !report.rows.is_empty() {
        sections.extend(panels(report));
        sections.push(legend(report));
    } else {
        sections.push(oracle_knowledge(report));
    }
    sections.extend(summary::sections(report));
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let text: Vec<String> = filled.map(|lines| lines.join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Table)
}

/// The machine and the settings.
fn heading(report: &Report) -> Vec<String> {
    let (machine, settings) = (&report.machine, &report.settings);
    let cpus = counted(machine.logical_cpus.get(), "logical CPU");
    let version = format!("blockrace {}", machine.blockrace_version);
    let governor =
        machine.governor.as_deref().map(|name| format!(", governor {}", shortened(name)));
    let pinned = if settings.pinned { ", threads pinned" } else { "" };
    let asleep = if settings.asleep { ", threads asleep before each sample" } else { "" };
    let mut lines = vec![
        format!("{} on {}, {cpus}", paint(&version, STRONG), shortened(&machine.cpu_model)),
        format!(
            "{}, allocator {}{}",
            shortened(&machine.kernel),
            machine.allocator,
            governor.unwrap_or_default()
        ),
        format!("blocks {}", shortened(&settings.blocks)),
        format!(
            "timed iterations {}, warm-up iterations {}, seed {}{pinned}{asleep}",
            settings.iterations, settings.warmup, settings.seed
        ),
    ];
    if !settings.state_latency.is_zero() {
        let latency = units::duration(settings.state_latency);
        lines.push(format!("first reads of the pre-state take {latency} plus the timer overhead"));
    }
    lines
}

/// One panel for each group of contenders.
fn panels(report: &Report) -> Vec<Vec<String>> {
    let is_baseline = |contender: &Contender<'_>| {
        let mut own = report.rows.iter().filter(|row| row.contender() == *contender);
        own.any(is_baseline_row)
    };
    let others: Vec<_> =
        contenders(&report.rows).into_iter().filter(|contender| !is_baseline(contender)).collect();
    if others.is_empty() {
        return vec![panel(report, &[])];
    }
    others.chunks(CONTENDERS_PER_PANEL).map(|chunk| panel(report, chunk)).collect()
}

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
    let title = |contender: &Contender<'_>| {
        let text =
            format!("{}, {}", contender.executor, counted(contender.threads.get(), "thread"));
        Cell::new(text, STRONG)
    };
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
    [Cell::plain(time), Cell::new(interval, measured.map_or(FAINT, verdict)), share(row, figures)]
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

/// Formats a speedup with its 95 % interval: `1.60 [1.55, 1.65]`.
pub(super) fn speedup(speedup: Speedup) -> String {
    format!("{:.2} [{:.2}, {:.2}]", speedup.ratio, speedup.ci_low, speedup.ci_high)
}

/// Style of a speedup. A speedup is green above 1 and red below 1, if its interval excludes 1.
pub(super) fn verdict(speedup: Speedup) -> Style {
    match speedup {
        Speedup { ci_low, .. } if ci_low > 1.0 => GOOD,
        Speedup { ci_high, .. } if ci_high < 1.0 => BAD,
        _ => PLAIN,
    }
}

/// Formats Mgas/s. Large values have no decimals.
fn throughput(mgas_per_s: f64) -> String {
    if mgas_per_s < 100.0 {
        return format!("{} Mgas/s", units::grouped(mgas_per_s));
    }
    format!("{} Mgas/s", units::count(mgas_per_s.round() as u64))
}

/// The value, or [`NONE`].
pub(super) fn cell(value: Option<String>) -> String {
    value.unwrap_or_else(|| NONE.into())
}

fn is_baseline_row(row: &Row) -> bool {
    row.verdict.figures().is_some_and(|figures| figures.comparison == Comparison::Baseline)
}

fn has_receipts_only(row: &Row) -> bool {
    row.verified_to == VerifiedTo::Receipts
}

fn has_fallen_back(row: &Row) -> bool {
    matches!(row.mode, Mode::FellBack(_))
}

/// Marks a row that the executor did not execute in its own way.
fn mark(row: &Row) -> &'static str {
    if has_fallen_back(row) {
        "!"
    } else if row.is_left_to_one_thread() {
        "="
    } else {
        ""
    }
}

/// Explains the cells and the marks.
fn legend(report: &Report) -> Vec<String> {
    let rows = &report.rows;
    let mut lines: Vec<String> = LEGEND.map(str::to_owned).into();
    if !rows.iter().any(is_baseline_row) {
        lines.push("There are no speedups, because no baseline was verified.".into());
    }
    lines.extend(oracle_knowledge(report));
    lines.extend(crossings(rows));
    if rows.iter().any(has_receipts_only) {
        lines.push(RECEIPTS_LEGEND.into());
    }
    if rows.iter().any(has_fallen_back) {
        lines.push(FELL_BACK_LEGEND.into());
    }
    if rows.iter().any(Row::is_left_to_one_thread) {
        lines.push(ONE_THREAD_LEGEND.into());
    }
    if rows.iter().any(|row| matches!(row.verdict, Verdict::Mismatch(_))) {
        lines.push(
            "MISMATCH: the result is wrong, for the reason below, so no time is shown.".into(),
        );
    }
    lines
}

/// Oracle knowledge of the executors, and its source.
pub(super) fn oracle_knowledge(report: &Report) -> Vec<String> {
    let known = &report.settings.oracle_knowledge;
    let line = |known: &OracleKnowledge| {
        let carried = match known.carried_by {
            0 => String::new(),
            1 => " 1 block carries it.".to_owned(),
            blocks => format!(" {blocks} blocks carry it."),
        };
        format!("{} has oracle knowledge: {}.{carried}", known.executor, known.what)
    };
    let mut lines: Vec<_> = known.iter().map(line).collect();
    if !lines.is_empty() {
        lines.push(
            "Oracle knowledge comes from an untimed sequential run of the same block.".into(),
        );
    }
    lines.extend(report.settings.carried_by_blocks.iter().map(|known| {
        format!(
            "{} has no oracle knowledge. Every block carries it: {}.",
            known.executor, known.what
        )
    }));
    lines
}

/// Share of transactions that crossed shards over all blocks, for each contender with shards.
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

/// Shortens an external text to [`LONGEST_NAME`] characters.
fn shortened(text: &str) -> String {
    let text = summary::one_line(text);
    if text.chars().count() <= LONGEST_NAME {
        return text;
    }
    text.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
