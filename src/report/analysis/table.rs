//! Writes an analysis for a terminal, at most 100 columns wide.
//!
//! The blocks come first. Figures over all blocks follow: medians by fork, the bounds by definition of a
//! conflict, and the hottest contracts. For few blocks, the hot spots of each block are listed.

use super::{
    AnalysedBlock, AnalysisReport,
    listings::{self, FEW_BLOCKS, several},
    words,
};
use crate::report::{
    Detail, ReportError,
    summary::{one_line, wrapped},
};
use std::{io, num::NonZeroUsize};

/// Number of thread counts that fit beside the other columns.
const BOUNDS_SHOWN: usize = 4;

/// Writes `report` as text for a terminal.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write(
    report: &AnalysisReport,
    detail: Detail,
    mut out: impl io::Write,
) -> Result<(), ReportError> {
    let threads = shown(report);
    let mut sections = vec![heading(report)];
    if detail == Detail::Blocks {
        sections.extend([listings::blocks(report, &threads).lines(), legend(report)]);
    }
    let refinements = words::refinements(report);
    sections.extend([
        listings::by_fork(report, &threads).lines(),
        listings::by_model(report).lines(),
        refinements.map(|words| wrapped("", &words, 0)).unwrap_or_default(),
        contracts(report),
    ]);
    if detail == Detail::Blocks {
        sections.push(details(report));
    }
    sections.push(words::problems(report));
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let text: Vec<String> = filled.map(|lines| lines.join("\n")).collect();
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

fn legend(report: &AnalysisReport) -> Vec<String> {
    if report.blocks.is_empty() { vec![] } else { wrapped("", words::LEGEND, 0) }
}

fn contracts(report: &AnalysisReport) -> Vec<String> {
    let mut lines = listings::contracts(report).lines();
    if !lines.is_empty() {
        lines.push(
            "worst in: number of blocks in which removing the contract would raise the bound most."
                .to_owned(),
        );
    }
    lines
}

/// The hot spots of each block; empty for many blocks.
fn details(report: &AnalysisReport) -> Vec<String> {
    let is_few = report.blocks.len() <= FEW_BLOCKS;
    let few = if is_few { &report.blocks[..] } else { &[] };
    few.iter().flat_map(block_details).collect()
}

fn block_details(block: &AnalysedBlock) -> Vec<String> {
    let spots = listings::hot_spots(block).lines();
    let Some(bound) = words::bound(block).filter(|_| !spots.is_empty()) else { return vec![] };
    [bound].into_iter().chain(spots).chain(words::what_if(block)).collect()
}
