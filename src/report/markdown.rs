//! Writes a report as GitHub Markdown, for pull requests. The fastest contender and the noise floor come
//! first, the blocks are folded, and the command that reproduces the run comes last.

use std::io;

use super::block_list::block_lists;
use super::record::{bound_share, measured_speedup, mgas_per_s};
use super::summary::{
    WHY_NOT_MORE, conclusion, cores_line, noise_line, one_line, problems, why_line, winner_line,
};
use super::table::{NONE, cell, oracle_knowledge, speedup};
use super::totals::{self, Standing};
use super::{Provenance, Report, ReportError, Row, limits};
use crate::units;

/// Longest list of blocks, in bytes. A pull request has a limit for its text; the page has every list.
const LONGEST_LIST: usize = 4_000;

/// Writes `report` as Markdown.
///
/// # Errors
/// [`ReportError::Markdown`] if `out` fails.
pub fn write(report: &Report, mut out: impl io::Write) -> Result<(), ReportError> {
    let sections = [
        opening(report),
        standings(report),
        list("Problems", problems(report)),
        list("Warnings", warnings(report)),
        list("Oracle knowledge", oracle_knowledge(report)),
        list("Bottlenecks of the slowest blocks", limits(report)),
        blocks(report),
        footing(report),
    ];
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    let text: Vec<String> = filled.map(|lines| lines.join("\n")).collect();
    writeln!(out, "{}", text.join("\n\n")).and_then(|()| out.flush()).map_err(ReportError::Markdown)
}

fn opening(report: &Report) -> Vec<String> {
    let winner = totals::winner(report)
        .and_then(|standing| Some(winner_line(report, &standing, standing.speedup?)));
    let mut lines: Vec<_> =
        winner.map(|line| format!("**{}**  ", escaped(&line))).into_iter().collect();
    let why = totals::winner(report).and_then(|standing| why_line(report, standing.contender));
    lines.extend(why.map(|why| format!("{WHY_NOT_MORE} {}  ", escaped(&why))));
    lines.push(format!("{}  ", escaped(&noise_line(report))));
    lines.extend(cores_line(report).map(|line| format!("{}  ", escaped(&line))));
    lines.push(escaped(&conclusion(report)));
    lines
}

fn standings(report: &Report) -> Vec<String> {
    let rows: Vec<_> = report.rows.iter().collect();
    let standings = totals::standings(&rows);
    if standings.is_empty() {
        return vec![];
    }
    let titles = [
        "executor",
        "threads",
        "verified rows",
        "geometric mean of speedups",
        "total-time ratio",
        "Mgas/s",
        "share of the bound",
    ];
    let mut lines = head(&titles, 1);
    lines.extend(standings.iter().map(|standing| standing_line(&rows, standing)));
    lines
}

fn standing_line(rows: &[&Row], standing: &Standing<'_>) -> String {
    let Standing { contender, rows: all, verified, .. } = standing;
    line(&[
        contender.executor.to_owned(),
        contender.threads.to_string(),
        format!("{verified} of {all}"),
        cell(standing.speedup.map(speedup)),
        cell(standing.total_time_ratio.map(|ratio| format!("{ratio:.2}"))),
        cell(totals::total_mgas_per_s(rows, *contender).map(units::grouped)),
        cell(standing.bound_share.map(percent)),
    ])
}

/// Every row, in a folded section.
fn blocks(report: &Report) -> Vec<String> {
    if report.rows.is_empty() {
        return vec![];
    }
    let titles = [
        "block",
        "fork",
        "txs",
        "Mgas",
        "executor",
        "threads",
        "execute",
        "Mgas/s",
        "speedup",
        "share of the bound",
        "verdict",
    ];
    let count = totals::block_count(&report.rows);
    let mut lines =
        vec![format!("<details><summary>All blocks ({count})</summary>"), String::new()];
    lines.extend(head(&titles, 2));
    lines.extend(report.rows.iter().map(row_line));
    lines.extend([String::new(), "</details>".to_owned()]);
    lines
}

fn row_line(row: &Row) -> String {
    let block = &row.block;
    let figures = row.verdict.figures();
    line(&[
        block.number.to_string(),
        block.fork.clone(),
        block.transactions.to_string(),
        units::grouped(units::mgas(block.gas_used)),
        row.executor.clone(),
        row.threads.to_string(),
        cell(figures.map(|figures| units::short(figures.execute.median))),
        cell(mgas_per_s(row).map(units::grouped)),
        cell(figures.and_then(measured_speedup).map(speedup)),
        cell(bound_share(row).map(percent)),
        format!("{}, {}", row.verdict.name(), row.verified_to.name()),
    ])
}

fn warnings(report: &Report) -> Vec<String> {
    report.warnings.iter().map(|warning| format!("{warning}; {}", warning.remedy())).collect()
}

fn limits(report: &Report) -> Vec<String> {
    let said = |limit: &limits::Limit<'_>| {
        let (number, contender) = (limit.row.block.number, limit.row.contender());
        format!("{number}: {:.2} by {contender}: {}", limit.speedup, limit.reason)
    };
    limits::worst(report, 5).iter().map(said).collect()
}

/// The machine, the method and the command that reproduces the run.
/// The date of the run and the build of the program.
fn build_line(report: &Report) -> String {
    let Provenance { date, commit, rustc, target, profile, .. } = &report.provenance;
    let commit =
        commit.as_deref().map_or("unknown commit".to_owned(), |hash| format!("commit {hash}"));
    let rustc = rustc.as_deref().unwrap_or("unknown compiler");
    format!("Run on {date}; {commit}, {rustc}, {target}, {profile}.")
}

fn footing(report: &Report) -> Vec<String> {
    let (machine, settings) = (&report.machine, &report.settings);
    let caches = machine.caches.join(", ");
    let mut lines = vec![
        escaped(&format!(
            "{}, {} logical CPUs, {}; {}; allocator {}; blockrace {}, {} build.",
            machine.cpu_model,
            machine.logical_cpus,
            if caches.is_empty() { NONE } else { &caches },
            machine.kernel,
            machine.allocator,
            machine.blockrace_version,
            machine.build
        )),
        escaped(&build_line(report)),
        "Every sample of a matching row was verified; speedups are medians over the iterations, with"
            .to_owned(),
        "95 % bootstrap intervals.".to_owned(),
    ];
    for (chain, list) in
        block_lists(report).into_iter().filter(|(_, list)| list.len() <= LONGEST_LIST)
    {
        lines.extend([String::new(), format!("Blocks of chain {chain}: `{list}`")]);
    }
    let command = one_line(&settings.command).replace('`', "'");
    lines.extend(["", "To reproduce this run:", ""].map(str::to_owned));
    lines.push(format!("```sh\n{command}\n```"));
    lines
}

pub(in crate::report) fn list(title: &str, items: Vec<String>) -> Vec<String> {
    if items.is_empty() {
        return vec![];
    }
    let mut lines = vec![format!("{title}:"), String::new()];
    lines.extend(items.iter().map(|item| format!("- {}", escaped(item))));
    lines
}

/// The title row and the alignment row. The first `texts` columns hold text, the others numbers.
pub(in crate::report) fn head(titles: &[&str], texts: usize) -> Vec<String> {
    let sides = (0..titles.len()).map(|at| if at < texts { ":--" } else { "--:" });
    let titles: Vec<_> = titles.iter().map(|title| (*title).to_owned()).collect();
    vec![line(&titles), format!("|{}|", sides.collect::<Vec<_>>().join("|"))]
}

pub(in crate::report) fn line(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| escaped(cell)).collect();
    format!("| {} |", cells.join(" | "))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Puts text on one line and escapes Markdown, because names come from nodes and files.
pub(in crate::report) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for char in one_line(text).chars() {
        match char {
            '<' => out += "&lt;",
            '&' => out += "&amp;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' => out.extend(['\\', char]),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_fastest_contender_comes_first_and_the_command_last() {
        let mut report = testing::full_report();
        report.rows.retain(|row| row.verdict.figures().is_some());
        let text = written(&report);
        assert!(text.starts_with("**fastest: block-stm on 8 threads, 1.55 "), "{text}");
        let end = "```sh\nblockrace replay 19426587,46147,19426588 --seed 42\n```\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn tables_have_as_many_cells_as_titles() {
        let text = written(&testing::full_report());
        // Escaped bars are not cell borders.
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(lines.iter().all(|line| [8, 12].contains(&cells(line))), "{text}");
        assert!(lines.len() > 6, "{text}");
    }

    #[test]
    fn external_text_is_escaped() {
        let mut report = testing::full_report();
        report.failures[0].what = "<script>\n# *boo* | `x`".into();
        let text = written(&report);
        assert!(text.contains("&lt;script> \\# \\*boo\\* \\| \\`x\\`"), "{text}");
    }
}
