//! Writes the comparison of two runs: for a terminal, as [`markdown`], as [`json`] and as a page ([`html`]).
//!
//! All forms use the sentences and marks of this file.

pub mod html;
pub mod json;
pub mod markdown;

use std::io;

use super::compare::{Answer, By, Comparison, ContenderChange, Repeated, Side};
use super::paint::{BAD, Cell, FAINT, GOOD, PLAIN, STRONG, WARNING, fitted, paint};
use super::run::Runner;
use super::wrap::fold;
use super::{Detail, Layout, ReportError, counted};
use crate::measure::change::{Change, Doubt, Judgement};
use anstyle::Style;

/// Writes the changes as coloured text for a terminal.
///
/// # Errors
/// [`ReportError::Table`] if `out` fails.
pub fn write(
    comparison: &Comparison,
    layout: Layout,
    mut out: impl io::Write,
) -> Result<(), ReportError> {
    let is_brief = layout.detail == Detail::Totals;
    let sections = [
        if is_brief { vec![] } else { blocks(comparison, layout.width) },
        overall(comparison, layout.width),
        missing(comparison).iter().map(|line| paint(line, BAD)).collect(),
        if is_brief { vec![] } else { warnings(comparison) },
        conclusion_lines(comparison),
    ];
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let folded = |lines: Vec<String>| fold(lines.iter().map(String::as_str), layout.width);
    let text: Vec<String> = filled.map(|lines| folded(lines).join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Table)
}

/// Titles of the tables, after the first column.
const TITLES: [&str; 5] = ["executor", "threads", "change of time", "95 % interval", ""];

/// The column of the interval may be left out.
const DROPPED: [usize; 1] = [4];

fn titles(first: &'static str) -> Vec<Cell> {
    [first].into_iter().chain(TITLES).map(|title| Cell::new(title, STRONG)).collect()
}

fn blocks(comparison: &Comparison, width: usize) -> Vec<String> {
    let mut cells = vec![titles("block")];
    for contender in &comparison.contenders {
        let rows = contender.blocks.iter().enumerate();
        cells.extend(rows.map(|(position, ((_, number), change))| {
            line(number.to_string(), contender, change, block_mark(contender, position))
        }));
    }
    fitted(&cells, &DROPPED, width)
}

fn overall(comparison: &Comparison, width: usize) -> Vec<String> {
    let mut cells = vec![titles("all blocks")];
    cells.extend(comparison.contenders.iter().map(|contender| {
        let count = contender.blocks.len().to_string();
        line(count, contender, &contender.overall, mark(contender))
    }));
    let mut lines = fitted(&cells, &DROPPED, width);
    lines.push(paint(measure(comparison), FAINT));
    lines
}

fn line(first: String, contender: &ContenderChange, change: &Change, mark: Mark) -> Vec<Cell> {
    let (words, style) = mark;
    vec![
        Cell::plain(first),
        Cell::plain(contender.runner.executor.clone()),
        Cell::plain(contender.runner.threads.to_string()),
        Cell::new(percent(change.ratio), style),
        Cell::plain(interval(change)),
        Cell::new(words, style),
    ]
}

/// The judgement of a line in a word, and its colour.
type Mark = (&'static str, Style);

/// Mark of a change over all blocks.
fn mark(contender: &ContenderChange) -> Mark {
    match contender.judgement {
        Judgement::Slower => ("SLOWER", BAD),
        Judgement::Faster => ("faster", GOOD),
        Judgement::Same => ("not slower", PLAIN),
        Judgement::Unclear(Doubt::SingleRun) => ("slower?", WARNING),
        Judgement::Unclear(_) => ("cannot tell", WARNING),
    }
}

/// Mark of a contender's change on one block.
fn block_mark(contender: &ContenderChange, position: usize) -> Mark {
    match contender.repeated {
        _ if !contender.slower_blocks.contains(&position) => ("", PLAIN),
        Repeated::Yes => ("SLOWER", BAD),
        Repeated::No => ("slower?", WARNING),
    }
}

/// The compared quantity in words.
fn measure(comparison: &Comparison) -> &'static str {
    let several = comparison.contenders.iter().any(|contender| contender.baselines > Some(1));
    match comparison.by {
        By::Speedup if several => {
            "Time relative to concurrent baselines in the same iterations, new / base."
        }
        By::Speedup => "Time relative to the baseline in the same iterations, new / base.",
        By::Time => {
            "Absolute time, new / base: other load or a slower machine looks like a change."
        }
    }
}

/// Maximum number of missing rows that are named.
const MOST_NAMED: usize = 20;

/// Names the rows that the new run lacks.
fn missing(comparison: &Comparison) -> Vec<String> {
    let rows = comparison.missing.iter().take(MOST_NAMED);
    let named = rows.map(|((_, number), runner)| {
        format!("missing in the new run: block {number}, {}", on_threads(runner))
    });
    let more = comparison.missing.len().saturating_sub(MOST_NAMED);
    let more = (more > 0).then(|| format!("and {} more", counted(more, "row")));
    named.chain(more).collect()
}

/// Warnings of both sides, each with the name of its side.
fn warned(comparison: &Comparison) -> impl Iterator<Item = (&'static str, &str)> {
    let [base, new] = &comparison.sides;
    let named = [("base run", base), ("new run", new)].into_iter();
    named.flat_map(|(name, side)| side.warnings.iter().map(move |text| (name, text.as_str())))
}

fn warnings(comparison: &Comparison) -> Vec<String> {
    let opening = paint("warning:", WARNING);
    warned(comparison).map(|(side, text)| format!("{opening} {side}: {text}")).collect()
}

fn on_threads(runner: &Runner) -> String {
    format!("{} on {}", runner.executor, counted(runner.threads as usize, "thread"))
}

/// Formats a ratio as a change in percent.
fn percent(ratio: f64) -> String {
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

fn interval(change: &Change) -> String {
    format!("[{}, {}]", percent(change.ci_low), percent(change.ci_high))
}

/// Remedy of an open question after one run of a side.
const SEVERAL_RUNS: &str = "To find out, make several runs of each side in turn, with --self-check: \
                            compare BASE1.json,BASE2.json NEW1.json,NEW2.json";

/// Remedy of an open question after several runs of each side.
const MORE_RUNS: &str =
    "To find out, use a quieter machine, or more iterations and runs, with --self-check";

/// The answer and its limits.
fn conclusion(comparison: &Comparison) -> String {
    let noise = comparison
        .noise
        .map_or_else(|| "not measured".into(), |noise| format!("{:.1} %", noise * 100.0));
    let limits = format!("threshold {:.1} %, noise floor {noise}", comparison.threshold * 100.0);
    match comparison.answer() {
        Answer::Regressed => {
            let all = comparison.contenders.iter();
            let slower = all.filter(|contender| contender.answer() == Answer::Regressed);
            let names: Vec<_> = slower.map(|contender| on_threads(&contender.runner)).collect();
            format!("REGRESSION: {} ({limits})", names.join(", "))
        }
        Answer::NotRegressed => format!("no regression ({limits})"),
        Answer::CannotTell => {
            format!("cannot tell: {} ({limits})", reasons(comparison).join("; "))
        }
    }
}

/// The reasons of an open question, each once.
fn reasons(comparison: &Comparison) -> Vec<String> {
    let lacking = comparison.missing.len();
    let missing = (lacking > 0).then(|| format!("the new run lacks {}", counted(lacking, "row")));
    let mut reasons: Vec<_> = missing.into_iter().collect();
    for contender in &comparison.contenders {
        let reason = reason(contender);
        reasons.extend(reason.filter(|reason| !reasons.contains(reason)));
    }
    reasons
}

fn reason(contender: &ContenderChange) -> Option<String> {
    let name = on_threads(&contender.runner);
    match contender.judgement {
        _ if contender.answer() != Answer::CannotTell => None,
        Judgement::Unclear(Doubt::Noise) => Some("the noise floor exceeds the threshold".into()),
        Judgement::Unclear(Doubt::Interval) => {
            Some(format!("the interval of {name} reaches beyond the threshold"))
        }
        Judgement::Unclear(Doubt::FewIterations) => {
            Some("there are too few iterations for an interval".into())
        }
        Judgement::Unclear(Doubt::SingleRun) => {
            Some(format!("{name} looks slower, but other load may be the cause"))
        }
        _ => {
            let blocks = counted(contender.slower_blocks.len(), "block");
            Some(format!("{name} looks slower on {blocks}, but other load may be the cause"))
        }
    }
}

/// Remedy of an open question that more runs can answer.
fn remedy(comparison: &Comparison) -> Option<&'static str> {
    let mut contenders = comparison.contenders.iter();
    let is_open = comparison.answer() == Answer::CannotTell;
    let has_several = comparison.sides.iter().all(|side| side.runs > 1);
    (is_open && contenders.any(|contender| contender.answer() == Answer::CannotTell))
        .then_some(if has_several { MORE_RUNS } else { SEVERAL_RUNS })
}

/// Version and size of a side.
fn side(side: &Side) -> String {
    let (runs, blocks) = (counted(side.runs, "run"), counted(side.blocks, "block"));
    format!("{runs} of blockrace {} over {blocks}", side.version)
}

/// Rows of the new run with a wrong result.
fn wrong(comparison: &Comparison) -> Option<String> {
    let count = comparison.mismatches;
    (count > 0).then(|| format!("WRONG: rows of the new run that do not match: {count}"))
}

fn conclusion_lines(comparison: &Comparison) -> Vec<String> {
    let style = match comparison.answer() {
        Answer::Regressed => BAD,
        Answer::NotRegressed => GOOD,
        Answer::CannotTell => WARNING,
    };
    let mut lines = vec![paint(&conclusion(comparison), style)];
    lines.extend(remedy(comparison).map(str::to_owned));
    lines.extend(wrong(comparison).map(|line| paint(&line, BAD)));
    lines
}

#[cfg(test)]
mod tests;
