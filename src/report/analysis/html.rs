//! Writes an analysis as one self-contained HTML page, like the page of a replay.
//!
//! The page starts with the bounds of the blocks and the effect of other definitions of a conflict. Charts with
//! their numbers as tables follow. Each block has a section with its hot spots and dependencies. The machine
//! and the command that reproduces the page come last.

use super::{
    AnalysedBlock, AnalysisReport,
    listings::{self, KINDS, Listing, several},
    over_blocks::mean_bound,
    words,
};
use crate::report::{
    ReportError, counted,
    html::{
        axis::Axis,
        chart::{Line, MOST_LINES, Mark, Plot, Point, Rows, selection},
        facts,
        picture::graph,
        shell::{self, Page, block_id, list, sentence},
        table::{Cell, Swatch, figure, table},
    },
};
use comfy_table::CellAlignment;
use maud::{Markup, html};
use std::{collections::HashSet, io, num::NonZeroUsize};

/// Number of thread counts that a chart line can show.
const BOUNDS_DRAWN: usize = 4;

/// Maximum number of blocks whose dependencies are drawn. They are most of a page's size.
const MOST_GRAPHS: usize = 50;

/// Writes `report` as a page.
///
/// # Errors
/// [`ReportError::Html`] or [`ReportError::ContenderResult`] if `out` fails, [`ReportError::Chart`] if something
/// cannot be drawn.
pub fn write(report: &AnalysisReport, out: impl io::Write) -> Result<(), ReportError> {
    shell::write(page(report)?, out)
}

fn page(report: &AnalysisReport) -> Result<Markup, ReportError> {
    let numbers = report.blocks.iter().map(|block| block.facts.number);
    let page = Page {
        title: shell::title("blockrace analyze", numbers, &report.provenance, &report.machine),
        question: "What is the maximum speedup of these blocks, and what are their bottlenecks?",
        entries: &[
            ("result", "Result"),
            ("charts", "Charts"),
            ("contracts", "Contracts"),
            ("blocks", "Blocks"),
            ("facts", "Machine and settings"),
        ],
        version: &report.machine.blockrace_version,
    };
    // The bound on one thread is always 1.
    let charts = match several(report).is_empty() {
        true => vec![],
        false => vec![by_threads(report)?, by_block(report)?],
    };
    Ok(page.around(&html! {
        (result(report))
        section id="charts" { h2 { "Charts" } @for chart in charts { (chart) } }
        (contracts(report))
        (sections(report))
        section id="facts" {
            h2 { "Machine and settings" }
            (facts::again(&report.settings.command))
            (facts::build(&report.provenance))
            (facts::machine(&report.machine))
        }
    }))
}

fn result(report: &AnalysisReport) -> Markup {
    html! {
        section id="result" {
            h2 { "Result" }
            @if let Some(allowed) = words::allowed(report) { p class="winner" { (sentence(&allowed)) } }
            @if let Some(refinements) = words::refinements(report) { p { (refinements) } }
            p { (sentence(&words::runs(report))) }
            (list("Problems", "alarm", &words::problems(report)))
            (listing("Medians by fork", &listings::by_fork(report, &several(report))))
        }
    }
}

/// The bound against the number of threads, by definition of a conflict.
fn by_threads(report: &AnalysisReport) -> Result<Markup, ReportError> {
    let mut points = Vec::new();
    for (series, (_, bound)) in KINDS.iter().enumerate() {
        let threads = report.settings.threads.iter();
        let means =
            threads.filter_map(|on| Some((on.get() as f64, mean_bound(report, *on, *bound)?)));
        points.extend(means.map(|(x, y)| Point { x, y, low: y, high: y, series }));
    }
    let most = points.iter().map(|point| point.x).fold(1.0, f64::max);
    let title = "Bound against threads";
    let plot = Plot {
        title: title.into(),
        x_axis: "threads",
        y_axis: "geometric mean of bounds",
        x: Axis::log2([], [1.0, most]),
        y: Axis::log2([], points.iter().map(|point| point.y).chain([1.0])),
        lines: (0..KINDS.len()).map(|index| Line::through(&points, index)).collect(),
        points,
    };
    let words = "Bound of the speedup by definition of a conflict: geometric means over the blocks, from a schedule of the \
                 measured times. The bound is an estimate, because the schedule is not proven optimal.";
    let legend: Vec<_> = KINDS.iter().map(|(name, _)| (*name).to_owned()).enumerate().collect();
    let numbers = listing(title, &listings::by_model(report));
    Ok(figure(("threads", title), words, (Swatch::Shape, &legend), &plot.draw()?, &numbers))
}

/// The `count` blocks with the smallest bounds on the largest thread count, in the order of the report.
fn smallest(report: &AnalysisReport, count: usize) -> Vec<&AnalysedBlock> {
    let bound = |block: &AnalysedBlock| {
        block.analysis.bounds.last().map_or(f64::INFINITY, |bounds| bounds.fields)
    };
    let mut blocks: Vec<_> = report.blocks.iter().enumerate().collect();
    blocks.sort_by(|(_, a), (_, b)| bound(a).total_cmp(&bound(b)));
    blocks.truncate(count);
    blocks.sort_by_key(|(place, _)| *place);
    blocks.into_iter().map(|(_, block)| block).collect()
}

/// The bound of each block on several thread counts.
fn by_block(report: &AnalysisReport) -> Result<Markup, ReportError> {
    let threads: Vec<_> = several(report).into_iter().take(BOUNDS_DRAWN).collect();
    let bounds =
        |block: &AnalysedBlock| threads.iter().map(|on| bound(block, *on)).collect::<Vec<_>>();
    let marks = |block: &AnalysedBlock| {
        let found = bounds(block).into_iter().enumerate();
        let mark = |(series, value): (usize, Option<f64>)| {
            let value = value?;
            let down = (series as f64 + 1.0) / (threads.len() as f64 + 1.0);
            Some((down, Mark::Point { value, low: value, high: value, series }))
        };
        (block.facts.number.to_string(), found.filter_map(mark).collect())
    };
    let title = "Bound of each block";
    let drawn = smallest(report, MOST_LINES);
    let rows = Rows {
        title: title.into(),
        axis: "bound",
        rows: drawn.iter().copied().map(marks).collect(),
        scale: Axis::log2(drawn.iter().copied().flat_map(bounds).flatten(), [1.0]),
        reference: Some(1.0),
        height: 28,
    };
    let words = "If the marks of several thread counts are close to each other, a chain of dependent transactions or a \
                 single long transaction is the bottleneck. The axis is logarithmic; an arrow at its end is a value beyond it.";
    let words = words.to_owned() + &selection("bounds", drawn.len(), report.blocks.len());
    let name = |threads: &NonZeroUsize| counted(threads.get(), "thread");
    let legend: Vec<_> = threads.iter().map(name).enumerate().collect();
    let link = |row: usize, number: &str| {
        let target = report.blocks.get(row).map(|block| block_id(&block.facts)).unwrap_or_default();
        Cell::Link { text: number.to_owned(), target: format!("#{target}") }
    };
    let numbers = html! {
        p { (words::LEGEND) }
        (linked(title, &listings::blocks(report, &several(report)), link))
    };
    Ok(figure(("bounds", title), &words, (Swatch::Shape, &legend), &rows.draw()?, &numbers))
}

fn bound(block: &AnalysedBlock, threads: NonZeroUsize) -> Option<f64> {
    Some(block.bounds_at(threads)?.fields)
}

fn contracts(report: &AnalysisReport) -> Markup {
    let hottest = listings::contracts(report);
    html! {
        section id="contracts" {
            h2 { "Contracts" }
            @if report.blocks.len() <= listings::FEW_BLOCKS {
                p { "The report has few blocks. Their sections list the hot spots of each block." }
            } @else if hottest.rows.is_empty() {
                p { "No transaction depends on another." }
            } @else {
                p {
                    "The contracts with the largest share of the critical paths over all blocks. Pairs: pairs of \
                     transactions in which the later one reads a value of the contract that the earlier one \
                     writes. Worst in: number of blocks in which removing the contract would raise the bound most."
                }
                (listing("Hottest contracts", &hottest))
            }
        }
    }
}

/// The folded sections of all blocks.
fn sections(report: &AnalysisReport) -> Markup {
    let drawn = smallest(report, MOST_GRAPHS);
    let drawn: HashSet<_> = drawn.into_iter().map(|block| block.facts.hash).collect();
    html! {
        section id="blocks" {
            h2 { "Blocks" }
            @if report.blocks.len() > drawn.len() {
                p { "Dependencies are drawn for the " (drawn.len()) " blocks with the smallest bounds." }
            }
            @for block in &report.blocks { (section(block, drawn.contains(&block.facts.hash))) }
        }
    }
}

/// The folded section of a block, with its dependencies if `is_drawn`.
fn section(block: &AnalysedBlock, is_drawn: bool) -> Markup {
    let AnalysedBlock { facts, analysis, .. } = block;
    let spots = listings::hot_spots(block);
    html! {
        details class="block" {
            summary {
                (facts.number) ", " (facts.fork) ": " (counted(facts.transactions, "transaction"))
                @if let Some(bounds) = analysis.bounds.last() {
                    "; bound " (format!("{:.2}", bounds.fields)) " on " (counted(bounds.threads.get(), "thread"))
                }
            }
            p class="hash" id=(block_id(facts)) { "Hash " code { (facts.hash) } ", chain " (facts.chain_id) }
            @if let Some(bound) = words::bound(block) { p { (sentence(&bound)) } }
            @if !spots.rows.is_empty() { (listing(&format!("Hot spots of block {}", facts.number), &spots)) }
            @if let Some(what_if) = words::what_if(block) { p { (what_if) } }
            @if let Some(root) = words::root(block) { p { (sentence(&root)) } }
            @if is_drawn { (graph(facts.number, facts.transactions, &analysis.dependencies, &[])) }
        }
    }
}

/// A listing as a table; empty if it has no row.
fn listing(caption: &str, listing: &Listing) -> Markup {
    linked(caption, listing, |_, text| Cell::text(text))
}

/// A listing as a table. `first` makes the first cell of each row from the row index and the text.
fn linked(caption: &str, listing: &Listing, first: impl Fn(usize, &str) -> Cell) -> Markup {
    if listing.rows.is_empty() {
        return html! {};
    }
    let cell = |row: usize, column: usize, text: &str| match listing.columns.get(column) {
        _ if column == 0 => first(row, text),
        Some((_, CellAlignment::Right)) => Cell::number(text),
        _ => Cell::text(text),
    };
    let titles: Vec<_> = listing.columns.iter().map(|(title, _)| title.as_str()).collect();
    let rows = listing.rows.iter().enumerate().map(|(row, cells)| {
        cells.iter().enumerate().map(|(column, text)| cell(row, column, text)).collect()
    });
    table(caption, &titles, &rows.collect::<Vec<_>>())
}
