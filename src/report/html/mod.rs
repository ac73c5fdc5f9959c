//! Writes a report as one self-contained HTML page: no network, no script, no other file.
//!
//! The page starts with the fastest contender, the verification result and the noise floor. The charts
//! follow, each with its numbers as a table. Then come a section for each block, the machine, the settings
//! and the command that reproduces the run. The page supports light and dark mode, small screens and printing.
//! Only unfolded sections are printed. Dependencies and schedules ([`BlockPicture`](super::BlockPicture)) are
//! shown if the report has them.
//!
//! `plotters` draws the charts. `maud` escapes every text, because names and reasons come from nodes and
//! files.

mod blocks;
pub(super) mod chart;
mod charts;
pub(super) mod facts;
mod lost;
pub(super) mod palette;
pub(super) mod picture;
mod schedule;
pub(super) mod shell;
pub mod svg;
pub(super) mod table;

use std::io;

use maud::{Markup, html};

use super::summary::{
    WHY_NOT_MORE, conclusion, cores_line, noise_line, problems, why_line, winner_line,
};
use super::table::speedup;
use super::totals::{self, Standing};
use super::{Report, ReportError, limits};
use crate::units;
use shell::{Page, list, sentence};
use table::{Cell, table};

/// Number of blocks in the list of bottlenecks.
const EXPLAINED: usize = 10;

/// Writes `report` as a page.
///
/// # Errors
/// [`ReportError::Html`] or [`ReportError::ContenderResult`] if `out` fails, [`ReportError::Chart`] if something
/// cannot be drawn.
pub fn write(report: &Report, out: impl io::Write) -> Result<(), ReportError> {
    shell::write(page(report)?, out)
}

fn page(report: &Report) -> Result<Markup, ReportError> {
    let mut entries = vec![("result", "Result"), ("standings", "Standings")];
    if !report.rows.is_empty() {
        entries.extend([("charts", "Charts"), ("blocks", "Blocks")]);
    }
    entries.push(("facts", "Machine and settings"));
    let page = Page {
        title: "blockrace: results".to_owned(),
        question: "How large is the speedup of each executor on these blocks, and are the results correct?",
        entries: &entries,
        version: &report.machine.blockrace_version,
    };
    let charts = charts(report)?;
    Ok(page.around(&html! {
        (result(report))
        (standings(report))
        (charts)
        (blocks::sections(report))
        (facts::section(report))
    }))
}

/// The fastest contender, the verification result, warnings and bottlenecks.
fn result(report: &Report) -> Markup {
    let winner = totals::winner(report)
        .and_then(|standing| Some(winner_line(report, &standing, standing.speedup?)));
    let why = totals::winner(report).and_then(|standing| why_line(report, standing.contender));
    let problems = problems(report);
    let limits = limits::worst(report, EXPLAINED);
    html! {
        section id="result" {
            h2 { "Result" }
            @if let Some(winner) = winner { p class="winner" { (sentence(&winner)) } }
            @if let Some(why) = why { p { (sentence(&format!("{WHY_NOT_MORE} {why}"))) } }
            p class=(if problems.is_empty() { "verified" } else { "alarm" }) {
                (sentence(&conclusion(report)))
            }
            p { (sentence(&noise_line(report))) }
            @if let Some(cores) = cores_line(report) { p { (sentence(&cores)) } }
            (list("Problems", "alarm", &problems))
            @if !report.warnings.is_empty() {
                h3 { "Warnings and remedies" }
                ul class="warnings" {
                    @for warning in &report.warnings {
                        li { strong { (sentence(&warning.to_string())) } " " (sentence(warning.remedy())) }
                    }
                }
            }
            @if !limits.is_empty() {
                h3 { "Bottlenecks of the slowest blocks" }
                (limits_table(&limits))
            }
        }
    }
}

fn limits_table(limits: &[limits::Limit<'_>]) -> Markup {
    let line = |limit: &limits::Limit<'_>| {
        vec![
            charts::block_link(limit.row),
            Cell::decimal(Some(limit.speedup)),
            Cell::text(limit.row.contender().to_string()),
            Cell::text(limit.reason.clone()),
        ]
    };
    let titles = ["block", "speedup", "by", "bottleneck"];
    let caption = "The blocks with the smallest speedups, each with its fastest executor";
    table(caption, &titles, &limits.iter().map(line).collect::<Vec<_>>())
}

/// Both totals, over all blocks and by fork.
fn standings(report: &Report) -> Markup {
    let rows: Vec<_> = report.rows.iter().collect();
    let all: Vec<_> = totals::standings(&rows)
        .iter()
        .map(|standing| {
            let rate = totals::total_mgas_per_s(&rows, standing.contender).map(units::grouped);
            let mut line = standing_cells(standing);
            line.insert(2, Cell::number(format!("{} of {}", standing.verified, standing.rows)));
            line.push(Cell::number(rate.unwrap_or_else(|| "–".into())));
            line
        })
        .collect();
    let titles = [
        "executor",
        "threads",
        "verified rows",
        "geometric mean of speedups",
        "total-time ratio",
        "share of the bound",
        "Mgas/s",
    ];
    html! {
        section id="standings" {
            h2 { "Standings" }
            p {
                "Speedups against the sequential baseline. The geometric mean weighs all blocks equally; \
                 its brackets are the 95 % interval of the noise between iterations. The total-time \
                 ratio weighs long blocks more: it is the sum of the baseline's median times / the sum of the \
                 executor's median times. The bound comes from a schedule of the transactions with their \
                 dependencies and their shortest single-thread times. It is an estimate. A speedup can exceed \
                 it, because executors may batch payments and times vary."
            }
            @if !all.is_empty() { (table("Over all blocks", &titles, &all)) }
            (by_fork(report))
        }
    }
}

fn standing_cells(standing: &Standing<'_>) -> Vec<Cell> {
    let mean = standing.speedup.map_or_else(|| "–".into(), speedup);
    let share = standing.bound_share.map(|share| format!("{:.0} %", share * 100.0));
    vec![
        Cell::text(standing.contender.executor),
        Cell::number(standing.contender.threads.to_string()),
        Cell::number(mean),
        Cell::decimal(standing.total_time_ratio),
        Cell::number(share.unwrap_or_else(|| "–".into())),
    ]
}

fn by_fork(report: &Report) -> Markup {
    let forks = totals::by_fork(&report.rows);
    if forks.len() < 2 {
        return html! {};
    }
    let lines: Vec<_> = forks
        .iter()
        .flat_map(|(fork, rows)| {
            let standings = totals::standings(rows);
            let with_speedup = standings.into_iter().filter(|standing| standing.speedup.is_some());
            with_speedup.map(|standing| {
                let mut line = standing_cells(&standing);
                line.insert(0, Cell::text(*fork));
                line.insert(3, Cell::number(standing.rows.to_string()));
                line
            })
        })
        .collect();
    let titles = [
        "fork",
        "executor",
        "threads",
        "blocks",
        "geometric mean of speedups",
        "total-time ratio",
        "share of the bound",
    ];
    html! { details { summary { "By fork" } (table("By fork", &titles, &lines)) } }
}

/// All charts for which the report has figures.
fn charts(report: &Report) -> Result<Markup, ReportError> {
    if report.rows.is_empty() {
        return Ok(html! {});
    }
    let legend = charts::legend(report);
    let mut all = vec![
        charts::threads(report, &legend)?,
        charts::speedups(report, &legend)?,
        charts::throughput(report, &legend)?,
    ];
    if !report.profiled.is_empty() {
        all.push(lost::figures(report)?);
    }
    if !report.preparation.is_empty() {
        all.push(charts::phases(report)?);
    }
    if !report.pictures.is_empty() {
        all.push(charts::critical_path(report, &legend)?);
        all.push(picture::hottest(report));
    }
    Ok(html! { section id="charts" { h2 { "Charts" } @for chart in all { (chart) } } })
}

#[cfg(test)]
mod tests;
