//! Writes a report for a terminal.
//!
//! The heading shows the machine and the settings. A line for each block follows. A race writes these parts while it
//! runs, by [`heading`] and [`LiveTable`](super::live::LiveTable), and the others at its end, by [`write_rest`].
//! `summary` has the rest: totals, problems, bottlenecks and warnings. The fastest contender and the verification
//! result come last, next to the shell prompt. Tables drop columns and text is broken at blanks to fit the width.

use std::io;

use anstyle::Style;

use super::live::LiveTable;
use super::paint::{BAD, FAINT, PLAIN, STRONG, paint};
use super::wrap::fold;
use super::{
    Comparison, Contender, Detail, Layout, Machine, Mode, OracleKnowledge, Report, ReportError,
    Row, Settings, Verdict, VerifiedTo, by_block, contenders, counted, panels, summary,
};
use crate::measure::stats::Speedup;
use crate::units;

/// Placeholder for a value that does not apply.
pub(super) const NONE: &str = "-";

/// Maximum length of an external text in the heading.
const LONGEST_NAME: usize = 160;

const RECEIPTS_LEGEND: &str =
    "* verified to the receipts only: without a witness there is no state root to compare.";

const FELL_BACK_LEGEND: &str = "! fell back to another way of execution, for the reason below.";

const ONE_THREAD_LEGEND: &str =
    "= executed on one thread, as the baseline: the block is too small for several threads.";

/// Writes `report` as coloured text for a terminal.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write(report: &Report, layout: Layout, mut out: impl io::Write) -> Result<(), ReportError> {
    if layout.detail != Detail::Totals {
        let mut lines = heading(&report.machine, &report.settings, layout.width);
        let live = LiveTable::new(others(&report.rows), layout.width);
        if !report.rows.is_empty() {
            lines.push(String::new());
            lines.extend(live.titles());
        }
        lines.extend(by_block(&report.rows).iter().map(|rows| live.line(rows)));
        writeln!(out, "{}\n", lines.join("\n")).map_err(ReportError::Table)?;
    }
    write_rest(report, layout, out)
}

/// Writes what follows the lines of the blocks.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write_rest(
    report: &Report,
    layout: Layout,
    mut out: impl io::Write,
) -> Result<(), ReportError> {
    let mut sections = vec![];
    if layout.detail == Detail::Full && !report.rows.is_empty() {
        sections.extend(panels::panels(report, layout.width));
    }
    if layout.detail != Detail::Totals {
        sections.push(notes(report));
    }
    sections.extend(summary::sections(report, layout));
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let folded = |lines: Vec<String>| fold(lines.iter().map(String::as_str), layout.width);
    let text: Vec<String> = filled.map(|lines| folded(lines).join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Table)
}

/// The machine and the settings.
pub fn heading(machine: &Machine, settings: &Settings, width: usize) -> Vec<String> {
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
    fold(lines.iter().map(String::as_str), width)
}

/// Formats a speedup with its 95 % interval: `1.60 [1.55, 1.65]`.
pub(super) fn speedup(speedup: Speedup) -> String {
    format!("{:.2} [{:.2}, {:.2}]", speedup.ratio, speedup.ci_low, speedup.ci_high)
}

/// Style of a speedup. If its interval excludes 1, a speedup above 1 is bold, and one below 1 is red. Green is for
/// verdicts.
pub(super) fn speedup_style(speedup: Speedup) -> Style {
    match speedup {
        Speedup { ci_low, .. } if ci_low > 1.0 => STRONG,
        Speedup { ci_high, .. } if ci_high < 1.0 => BAD,
        _ => PLAIN,
    }
}

/// The value, or [`NONE`].
pub(super) fn cell(value: Option<String>) -> String {
    value.unwrap_or_else(|| NONE.into())
}

/// The contenders of the rows, without the baseline.
pub(super) fn others(rows: &[Row]) -> Vec<Contender<'_>> {
    let is_baseline = |contender: &Contender<'_>| {
        rows.iter().any(|row| row.contender() == *contender && is_baseline_row(row))
    };
    contenders(rows).into_iter().filter(|contender| !is_baseline(contender)).collect()
}

pub(super) fn is_baseline_row(row: &Row) -> bool {
    row.verdict.figures().is_some_and(|figures| figures.comparison == Comparison::Baseline)
}

pub(super) fn has_receipts_only(row: &Row) -> bool {
    row.verified_to == VerifiedTo::Receipts
}

fn has_fallen_back(row: &Row) -> bool {
    matches!(row.mode, Mode::FellBack(_))
}

/// Marks a row that the executor did not execute in its own way.
pub(super) fn mark(row: &Row) -> &'static str {
    if has_fallen_back(row) {
        "!"
    } else if row.is_left_to_one_thread() {
        "="
    } else {
        ""
    }
}

/// Explains the marks that occur, and refers to the explanation of the columns.
fn notes(report: &Report) -> Vec<String> {
    let rows = &report.rows;
    let mut lines = vec![];
    if rows.is_empty() {
        return oracle_knowledge(report);
    }
    if !rows.iter().any(is_baseline_row) {
        lines.push("There are no speedups, because no baseline was verified.".into());
    }
    lines.extend(oracle_knowledge(report));
    lines.extend(crossings(rows));
    lines.extend(early_slots(rows));
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
    lines.push(paint("The columns are explained by: blockrace help columns", FAINT));
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
    let counts = sums(rows, |row| {
        Some((row.verdict.figures()?.cross_shard?, row.block.transactions as u64))
    });
    let line = |(contender, crossing, all)| {
        format!("{contender}: {:.1} % of the transactions crossed shards.", percent(crossing, all))
    };
    counts.into_iter().map(line).collect()
}

/// Slots that were written to storage tries beside the execution, for each contender that did so.
fn early_slots(rows: &[Row]) -> Vec<String> {
    let counts = sums(rows, |row| {
        let figures = row.verdict.figures()?;
        Some((figures.early_slots_again?, figures.early_slots?))
    });
    let line = |(contender, again, all)| {
        format!(
            "{contender}: {} written to tries beside the execution, {:.1} % of them again after it.",
            counted(all as usize, "slot"),
            percent(again, all)
        )
    };
    counts.into_iter().map(line).collect()
}

/// Sums of two counts over all blocks, for each contender that has them.
fn sums(
    rows: &[Row],
    counts: impl Fn(&Row) -> Option<(u64, u64)>,
) -> Vec<(Contender<'_>, u64, u64)> {
    let mut contenders: Vec<(Contender<'_>, u64, u64)> = Vec::new();
    for (row, (part, all)) in rows.iter().filter_map(|row| Some((row, counts(row)?))) {
        let known = contenders.iter().position(|(contender, ..)| *contender == row.contender());
        let place = known.unwrap_or_else(|| {
            contenders.push((row.contender(), 0, 0));
            contenders.len() - 1
        });
        contenders[place].1 += part;
        contenders[place].2 += all;
    }
    contenders
}

fn percent(part: u64, all: u64) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

/// Shortens an external text to [`LONGEST_NAME`] characters, at the end of a word or of an item.
fn shortened(text: &str) -> String {
    let text = summary::one_line(text);
    let Some((end, _)) = text.char_indices().nth(LONGEST_NAME) else { return text };
    let start = text.get(..end).unwrap_or(&text);
    let start = start.rfind([' ', ',']).map_or(start, |at| &start[..=at]);
    format!("{} …", start.trim_end())
}

#[cfg(test)]
mod tests;
