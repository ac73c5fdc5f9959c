//! Writes a report as one self-contained HTML page: no network and no other file. A small script sorts, filters and
//! searches the blocks, and saves the results as JSON. Without it, the page is complete.
//!
//! The page starts with the verification result, doubts about the figures and the fastest contender. The charts
//! follow, each with its numbers as a table. Then come a section for each block, the machine, the settings
//! and the command that reproduces the run. The page supports light and dark mode, small screens and printing.
//! Only unfolded sections are printed. Dependencies and schedules ([`BlockPicture`](super::BlockPicture)) are
//! shown if the report has them.
//!
//! `plotters` draws the charts. `maud` escapes every text, because names and reasons come from nodes and
//! files.

pub(super) mod axis;
mod blocks;
pub(super) mod chart;
mod charts;
pub(super) mod facts;
mod lost;
pub(super) mod palette;
mod phases;
pub(super) mod picture;
mod schedule;
mod script;
pub(super) mod shell;
pub mod svg;
pub(super) mod table;

use std::io;

use maud::{Markup, html};

use super::claim::conclusion;
use super::record::mgas_per_s;
use super::summary::{
    WHY_NOT_MORE, cores_line, do_not_quote, noise_line, problems, whole_line, why_line, winner_line,
};
use super::table::speedup;
use super::totals::{self, Standing};
use super::{Contender, Report, ReportError, contenders, limits};
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
    let numbers = report.rows.iter().map(|row| row.block.number);
    let page = Page {
        title: shell::title("blockrace", numbers, &report.provenance, &report.machine),
        question: "How large is the speedup of each executor on these blocks, and are the results correct?",
        entries: &entries,
        version: &report.machine.blockrace_version,
    };
    let charts = charts(report)?;
    Ok(page.around(&html! {
        (result(report))
        (standings(report)?)
        (charts)
        (blocks::sections(report))
        (facts::section(report))
        (script::data(report)?)
    }))
}

/// The verification result, doubts, the fastest contender, warnings and bottlenecks.
fn result(report: &Report) -> Markup {
    let standing = totals::winner(report);
    let winner =
        standing.and_then(|standing| Some(winner_line(report, &standing, standing.speedup?)));
    let whole = standing.and_then(|standing| whole_line(&standing));
    let why = standing.and_then(|standing| why_line(report, standing.contender));
    let problems = problems(report);
    let limits = limits::worst(report, EXPLAINED);
    html! {
        section id="result" {
            h2 { "Result" }
            p class=(if problems.is_empty() { "verified" } else { "alarm" }) {
                (sentence(&conclusion(report)))
            }
            @if let Some(doubt) = do_not_quote(report) { p class="doubt" { (sentence(&doubt)) } }
            @if let Some(winner) = winner { p class="winner" { (sentence(&winner)) } }
            @if let Some(whole) = whole { p { (sentence(&whole)) } }
            @if let Some(why) = why { p { (sentence(&format!("{WHY_NOT_MORE} {why}"))) } }
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
fn standings(report: &Report) -> Result<Markup, ReportError> {
    let rows: Vec<_> = report.rows.iter().collect();
    let mut standings = totals::standings(&rows);
    // The baseline has a speedup of 1 and no interval.
    let ratio = |standing: &Standing<'_>| standing.speedup.map_or(1.0, |speedup| speedup.ratio);
    standings.sort_by(|a, b| ratio(b).total_cmp(&ratio(a)));
    let most = standings.iter().map(ratio).fold(1.0, f64::max);
    let all: Vec<_> = standings
        .iter()
        .map(|standing| {
            let rate = totals::total_mgas_per_s(&rows, standing.contender).map(units::grouped);
            let mut line = standing_cells(standing);
            line.insert(2, Cell::Bar(standing.speedup.map_or(0.0, |_| ratio(standing) / most)));
            line.push(Cell::number(rate.unwrap_or_else(|| "–".into())));
            line.push(Cell::number(format!("{} of {}", standing.verified, standing.rows)));
            line
        })
        .collect();
    let titles = [
        "executor",
        "threads",
        "speedup",
        "geometric mean of speedups",
        "total-time ratio",
        "share of the bound",
        "Mgas/s",
        "verified rows",
    ];
    let picture = match all.iter().len() > 1 {
        true => svg::on_page(report)?,
        false => html! {},
    };
    Ok(html! {
        section id="standings" {
            h2 { "Standings" }
            (picture)
            p {
                "Speedups against the sequential baseline. The geometric mean weighs all blocks equally; \
                 its brackets are the 95 % interval of the noise between iterations. The total-time \
                 ratio weighs long blocks more: it is the sum of the baseline's median times / the sum of the \
                 executor's median times. The bound comes from a schedule of the transactions with their \
                 dependencies and their shortest single-thread times. It is an estimate. A speedup can exceed \
                 it, because executors may batch payments and times vary."
            }
            @if !all.is_empty() { (table("Over all blocks, the fastest first", &titles, &all)) }
            (distribution(report))
            (by_fork(report))
        }
    })
}

/// Throughput over the blocks: that of the median block, and of the slowest ones.
fn distribution(report: &Report) -> Markup {
    let line = |contender: Contender<'_>| {
        let own = report.rows.iter().filter(|row| row.contender() == contender);
        let mut rates: Vec<_> = own.filter_map(mgas_per_s).collect();
        rates.sort_unstable_by(f64::total_cmp);
        let slowest = |share: f64| {
            let rank = (share * rates.len() as f64).ceil() as usize;
            let rate = rates.get(rates.len().checked_sub(rank.max(1))?);
            rate.copied().map(units::grouped)
        };
        let cell = |share| Cell::number(slowest(share).unwrap_or_else(|| "–".into()));
        let name = [Cell::text(contender.executor), Cell::number(contender.threads.to_string())];
        name.into_iter().chain([0.5, 0.95, 0.99, 1.0].map(cell)).collect()
    };
    let lines: Vec<Vec<Cell>> = contenders(&report.rows).into_iter().map(line).collect();
    let titles = ["executor", "threads", "p50", "p95", "p99", "worst block"];
    html! {
        @if !lines.is_empty() {
            h3 { "Mgas/s over the blocks" }
            p { "p95: 95 % of the blocks are at least as fast." }
            (table("Throughput over the blocks, in Mgas/s", &titles, &lines))
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
        all.push(phases::phases(report)?);
    }
    if !report.pictures.is_empty() {
        all.push(charts::critical_path(report, &legend)?);
        all.push(picture::hottest(report));
    }
    Ok(html! { section id="charts" { h2 { "Charts" } @for chart in all { (chart) } } })
}

#[cfg(test)]
mod tests;
