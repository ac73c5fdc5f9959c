//! Writes the comparison of two runs as a self-contained HTML page.

use std::io;

use maud::html;

use super::{
    TITLES, block_mark, conclusion, interval, mark, measure, missing, on_threads, percent, remedy,
    side, warned, wrong,
};
use crate::measure::change::Change;
use crate::report::ReportError;
use crate::report::compare::{Answer, Comparison, ContenderChange};
use crate::report::html::shell::{self, Page, capital, list, sentence};
use crate::report::html::table::{Cell, table};
use crate::report::run::BlockKey;

/// Writes the comparison as a page.
///
/// # Errors
/// [`ReportError::Html`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(comparison: &Comparison, out: impl io::Write) -> Result<(), ReportError> {
    let class = match comparison.answer() {
        Answer::Regressed => "alarm",
        Answer::NotRegressed => "verified",
        Answer::CannotTell => "doubt",
    };
    let warnings: Vec<_> =
        warned(comparison).map(|(side, text)| format!("{side}: {text}")).collect();
    let [base, new] = comparison.sides.each_ref().map(side);
    let page = Page {
        title: "blockrace: comparison of two runs".to_owned(),
        question: "Did an executor become slower from one run to the other?",
        entries: &[("result", "Result"), ("executors", "Executors"), ("blocks", "Blocks")],
        version: env!("CARGO_PKG_VERSION"),
    };
    let markup = page.around(&html! {
        section id="result" {
            h2 { "Result" }
            p class={ "winner " (class) } { (capital(&conclusion(comparison))) }
            @if let Some(wrong) = wrong(comparison) { p class="alarm" { (wrong) } }
            @if let Some(remedy) = remedy(comparison) { p { (remedy) } }
            (list("Missing rows", "alarm", &missing(comparison)))
            (list("Warnings of the runs", "warnings", &warnings))
            p { "Base: " (base) "." br; "New: " (new) "." }
        }
        section id="executors" { h2 { "Executors" } p { (measure(comparison)) } (contenders(comparison)) }
        section id="blocks" { h2 { "Blocks" } (blocks(comparison)) }
    });
    shell::write(markup, out)
}

fn contenders(comparison: &Comparison) -> maud::Markup {
    let [executor, threads, change, interval_title, _] = TITLES;
    let titles = [executor, threads, "blocks", change, interval_title, "answer"];
    let line = |contender: &ContenderChange| {
        let mut cells = vec![
            Cell::text(&*contender.runner.executor),
            Cell::number(contender.runner.threads.to_string()),
            Cell::number(contender.blocks.len().to_string()),
        ];
        cells.extend(changed(&contender.overall, mark(contender).0));
        cells
    };
    let lines: Vec<_> = comparison.contenders.iter().map(line).collect();
    table("Change of time by executor, over all blocks", &titles, &lines)
}

fn changed(change: &Change, mark: &str) -> [Cell; 3] {
    [Cell::number(percent(change.ratio)), Cell::number(interval(change)), Cell::text(mark)]
}

/// A folded table for each contender.
fn blocks(comparison: &Comparison) -> maud::Markup {
    let titles = ["block", "change of time", "95 % interval", "answer"];
    let lines = |contender: &ContenderChange| -> Vec<Vec<Cell>> {
        let rows = contender.blocks.iter().enumerate();
        let line = |(position, ((_, number), change)): (usize, &(BlockKey, Change))| {
            let number = Cell::number(number.to_string());
            let rest = changed(change, block_mark(contender, position).0);
            [number].into_iter().chain(rest).collect()
        };
        rows.map(line).collect()
    };
    html! {
        @for contender in &comparison.contenders {
            @let name = on_threads(&contender.runner);
            details {
                summary { (sentence(&name)) }
                (table(&format!("Change of time of {name} by block"), &titles, &lines(contender)))
            }
        }
    }
}
