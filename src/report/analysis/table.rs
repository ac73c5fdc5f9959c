//! Writes an analysis for a terminal.
//!
//! The blocks come first. Figures over all blocks follow: medians by fork, the bounds by definition of a
//! conflict, and the hottest contracts. For few blocks, the hot spots of each block are listed.

use super::{
    AnalysedBlock, AnalysisReport,
    listings::{self, FEW_BLOCKS, several},
    words,
};
use crate::report::{Detail, Layout, ReportError, summary::one_line, wrap::fold};
use std::{io, num::NonZeroUsize};

/// Reference to the explanation of the columns.
const COLUMNS: &str = "The columns are explained by: blockrace help columns";

/// Number of thread counts that fit beside the other columns.
const BOUNDS_SHOWN: usize = 4;

/// Writes `report` as text for a terminal.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write(
    report: &AnalysisReport,
    layout: Layout,
    mut out: impl io::Write,
) -> Result<(), ReportError> {
    let (threads, width) = (shown(report), layout.width);
    let is_brief = layout.detail == Detail::Totals;
    let mut sections = vec![heading(report)];
    if !is_brief {
        sections.push(listings::blocks(report, &threads).lines(width));
    }
    sections.extend([
        listings::by_fork(report, &threads).lines(width),
        listings::by_model(report).lines(width),
        words::refinements(report).into_iter().collect(),
        contracts(report, width),
    ]);
    if !is_brief {
        sections.extend([details(report, width), vec![COLUMNS.to_owned()]]);
    }
    sections.push(words::problems(report));
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let folded = |lines: Vec<String>| fold(lines.iter().map(String::as_str), width);
    let text: Vec<String> = filled.map(|lines| folded(lines).join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Table)
}

/// The thread counts with columns: the lowest above one.
fn shown(report: &AnalysisReport) -> Vec<NonZeroUsize> {
    several(report).into_iter().take(BOUNDS_SHOWN).collect()
}

/// The machine, the blocks and the number of runs.
fn heading(report: &AnalysisReport) -> Vec<String> {
    let machine = &report.machine;
    let cpu = one_line(&machine.cpu_model);
    vec![format!("blockrace {} on {cpu}", machine.blockrace_version), words::runs(report)]
}

fn contracts(report: &AnalysisReport, width: usize) -> Vec<String> {
    listings::contracts(report).lines(width)
}

/// The hot spots of each block; empty for many blocks.
fn details(report: &AnalysisReport, width: usize) -> Vec<String> {
    let is_few = report.blocks.len() <= FEW_BLOCKS;
    let few = if is_few { &report.blocks[..] } else { &[] };
    few.iter().flat_map(|block| block_details(block, width)).collect()
}

fn block_details(block: &AnalysedBlock, width: usize) -> Vec<String> {
    let spots = listings::hot_spots(block).lines(width);
    let root = words::root(block);
    let Some(bound) = words::bound(block).filter(|_| !spots.is_empty()) else {
        return root.into_iter().collect();
    };
    [bound].into_iter().chain(spots).chain(words::what_if(block)).chain(root).collect()
}
