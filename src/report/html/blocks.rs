//! Writes a section for each block: its figures by executor, its schedules and its dependencies.

use std::collections::HashSet;

use alloy_primitives::B256;
use maud::{Markup, html};

use super::picture;
use super::shell::block_id;
use super::table::{Cell, table};
use crate::report::claim::outcome_words;
use crate::report::record::{
    bound_share, energy_mean, measured_speedup, mgas_per_s, re_execution_rate,
};
use crate::report::table::speedup;
use crate::report::{BlockFacts, Mode, Report, Row, Verdict, by_block, counted, limits};
use crate::units;

/// The folded sections of all blocks.
pub(super) fn sections(report: &Report) -> Markup {
    let blocks = by_block(&report.rows);
    if blocks.is_empty() {
        return html! {};
    }
    let slowest = limits::worst(report, MOST_PICTURES);
    let drawn: HashSet<_> = slowest.iter().map(|limit| limit.row.block.hash).collect();
    html! {
        section id="blocks" {
            h2 { "Blocks" }
            @if report.pictures.len() > drawn.len() {
                p { "Schedules and dependencies are drawn for the " (drawn.len()) " blocks with the smallest speedups." }
            }
            @for rows in &blocks { (section(report, rows, &drawn)) }
        }
    }
}

/// Maximum number of blocks with pictures, which are most of a page's size.
const MOST_PICTURES: usize = 50;

fn section(report: &Report, rows: &[&Row], drawn: &HashSet<B256>) -> Markup {
    let Some(first) = rows.first() else { return html! {} };
    let block = &first.block;
    let picture = report.pictures.iter().find(|picture| picture.block == block.hash);
    let picture = picture.filter(|picture| drawn.contains(&picture.block));
    html! {
        details class="block" data-number=(block.number) data-gas=(block.gas_used)
            data-speedup=(format!("{:.4}", best(rows).map_or(0.0, |(_, ratio)| ratio))) data-wrong[is_wrong(rows)] {
            summary { (summary(block, rows)) }
            // The id is inside the section, so that a browser unfolds the section when it follows a link.
            p class="hash" id=(block_id(block)) {
                "Hash " code { (block.hash) } ", chain " (block.chain_id)
                @if let Some(explorer) = &report.explorer {
                    ", " a href=(format!("{explorer}/block/{}", block.number)) { "in the explorer" }
                }
            }
            (figures(block, rows))
            @for row in rows { (reason(row)) }
            @if let Some(picture) = picture { (picture::of_block(block.number, block.transactions, picture, report.explorer.as_deref())) }
        }
    }
}

/// The text of a folded section.
fn summary(block: &BlockFacts, rows: &[&Row]) -> String {
    let best = best(rows).map(|(row, ratio)| format!("; best {ratio:.2} by {}", row.contender()));
    format!(
        "{}, {}: {}, {} Mgas{}{}",
        block.number,
        block.fork,
        counted(block.transactions, "transaction"),
        units::grouped(units::mgas(block.gas_used)),
        best.unwrap_or_default(),
        if is_wrong(rows) { "; MISMATCH" } else { "" }
    )
}

/// The fastest row and its speedup.
fn best<'a>(rows: &[&'a Row]) -> Option<(&'a Row, f64)> {
    let speedups = rows.iter().filter_map(|row| {
        row.verdict.figures().and_then(measured_speedup).map(|speedup| (*row, speedup.ratio))
    });
    speedups.max_by(|a, b| a.1.total_cmp(&b.1))
}

fn is_wrong(rows: &[&Row]) -> bool {
    rows.iter().any(|row| row.verdict.figures().is_none())
}

fn figures(block: &BlockFacts, rows: &[&Row]) -> Markup {
    let titles = [
        "executor",
        "threads",
        "speedup",
        "time",
        "Mgas/s",
        "share of the bound",
        "incarnations per transaction",
        "CPU time",
        "state root",
        "outliers",
        "verdict",
        "energy",
    ];
    // The column is left out if no row has a value.
    let has_energy = rows.iter().any(|row| row.verdict.figures().and_then(energy_mean).is_some());
    let titles = if has_energy { &titles[..] } else { &titles[..titles.len() - 1] };
    let caption = format!("Block {} by executor", block.number);
    let line = |row: &&Row| {
        let mut cells = line(row);
        cells.truncate(titles.len());
        cells
    };
    table(&caption, titles, &rows.iter().map(line).collect::<Vec<_>>())
}

fn line(row: &Row) -> Vec<Cell> {
    let figures = row.verdict.figures();
    let number = |text: Option<String>| Cell::number(text.unwrap_or_else(|| "–".into()));
    let outliers =
        figures.map(|figures| format!("{} of {}", figures.outliers, figures.samples.len()));
    vec![
        Cell::text(row.executor.clone()),
        Cell::number(row.threads.to_string()),
        number(figures.and_then(measured_speedup).map(speedup)),
        number(figures.map(|figures| units::short(figures.execute.median))),
        number(mgas_per_s(row).map(units::grouped)),
        number(bound_share(row).map(|share| format!("{:.0} %", share * 100.0))),
        Cell::decimal(re_execution_rate(row)),
        number(figures.and_then(|figures| figures.cpu_median).map(units::short)),
        number(figures.and_then(|figures| figures.root_median).map(units::short)),
        number(outliers),
        Cell::text(outcome_words(row)),
        number(figures.and_then(energy_mean).map(|energy| format!("{:.1} mJ", energy / 1e3))),
    ]
}

/// The reason of a mismatch, a fallback, or execution on one thread.
fn reason(row: &Row) -> Markup {
    let text = match (&row.verdict, &row.mode) {
        (Verdict::Mismatch(what), _) => format!("MISMATCH by {}: {what}", row.contender()),
        (_, Mode::FellBack(why)) => format!("{} fell back: {why}", row.contender()),
        _ if row.is_left_to_one_thread() => {
            let why =
                "executed the block on one thread, because it is too small for several threads";
            return html! { p { (row.contender()) " " (why) "." } };
        }
        _ => return html! {},
    };
    html! { p class="alarm" { (text) } }
}
