//! Writes the comparison of two runs as GitHub Markdown, for pull requests. It lists only the blocks that became
//! slower, so its length does not depend on the number of blocks.

use std::io;

use super::{
    TITLES, block_mark, conclusion, interval, mark, measure, missing, percent, remedy, warned,
    wrong,
};
use crate::measure::change::Change;
use crate::report::ReportError;
use crate::report::compare::{Comparison, ContenderChange};
use crate::report::html::shell::capital;
use crate::report::markdown::{escaped, head, line, list};
use crate::report::run::BlockKey;

/// Maximum number of slower blocks that are listed.
const MOST_BLOCKS: usize = 50;

/// Writes the comparison as Markdown.
///
/// # Errors
/// [`ReportError::Markdown`] if `out` fails.
pub fn write(comparison: &Comparison, mut out: impl io::Write) -> Result<(), ReportError> {
    let bold = |text: &str| format!("**{}**", escaped(text));
    let sections = [
        vec![bold(&capital(&conclusion(comparison)))],
        wrong(comparison).iter().map(|text| bold(text)).collect(),
        remedy(comparison).into_iter().map(escaped).collect(),
        contenders(comparison),
        vec![measure(comparison).to_owned()],
        slower_blocks(comparison),
        list("Missing rows", missing(comparison)),
        list(
            "Warnings",
            warned(comparison).map(|(side, text)| format!("{side}: {text}")).collect(),
        ),
        vec![sides(comparison)],
    ];
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let text: Vec<String> = filled.map(|lines| lines.join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Markdown)
}

fn contenders(comparison: &Comparison) -> Vec<String> {
    let [executor, threads, change, interval_title, _] = TITLES;
    let mut lines = head(&[executor, threads, "blocks", change, interval_title, "answer"], 1);
    lines.extend(comparison.contenders.iter().map(|contender| {
        let ContenderChange { runner, blocks, overall, .. } = contender;
        line(&[
            runner.executor.clone(),
            runner.threads.to_string(),
            blocks.len().to_string(),
            percent(overall.ratio),
            interval(overall),
            mark(contender).0.to_owned(),
        ])
    }));
    lines
}

fn slower_blocks(comparison: &Comparison) -> Vec<String> {
    let of = |contender: &ContenderChange| -> Vec<String> {
        let slower = contender.slower_blocks.iter();
        let found = slower.filter_map(|at| Some((*at, contender.blocks.get(*at)?)));
        let said = |(at, ((_, number), change)): (usize, &(BlockKey, Change))| {
            let runner = super::on_threads(&contender.runner);
            let mark = block_mark(contender, at).0;
            format!(
                "block {number}, {runner}: {} {}: {mark}",
                percent(change.ratio),
                interval(change)
            )
        };
        found.map(said).collect()
    };
    let all: Vec<_> = comparison.contenders.iter().flat_map(of).take(MOST_BLOCKS).collect();
    list("Slower blocks", all)
}

fn sides(comparison: &Comparison) -> String {
    let [base, new] = comparison.sides.each_ref().map(super::side);
    escaped(&format!("Base: {base}. New: {new}."))
}
