//! Writes a report as GitHub Markdown, for pull requests. The fastest contender and the noise floor come
//! first, the blocks are folded, and the command that reproduces the run comes last.

use std::io;

use super::block_list::block_lists;
use super::claim::{conclusion, outcome_words};
use super::html::shell::capital;
use super::record::{bound_share, measured_speedup, mgas_per_s};
use super::summary::{
    WHY_NOT_MORE, cores_line, do_not_quote, noise_line, one_line, problems, whole_line, why_line,
    winner_line,
};
use super::table::{NONE, cell, oracle_knowledge, speedup};
use super::totals::{self, Standing};
use super::{Provenance, Report, ReportError, Row, counted, limits};
use crate::units;

/// Longest list of blocks, in bytes. A pull request has a limit for its text; the page has every list.
const LONGEST_LIST: usize = 4_000;

/// Writes `report` as Markdown.
///
/// # Errors
/// [`ReportError::Markdown`] if `out` fails.
pub fn write(report: &Report, mut out: impl io::Write) -> Result<(), ReportError> {
    let before = [
        opening(report),
        standings(report),
        list("Problems", problems(report)),
        list("Warnings", warnings(report)),
        list("Oracle knowledge", oracle_knowledge(report)),
        list("Bottlenecks of the slowest blocks", limits(report)),
    ];
    let (before, after) = (joined(before), joined([footing(report)]));
    let left = LONGEST.saturating_sub(before.chars().count() + after.chars().count());
    let blocks = joined([blocks(report, left)]);
    let text = [before, blocks, after].into_iter().filter(|text| !text.is_empty());
    let text = text.collect::<Vec<_>>().join("\n\n");
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(ReportError::Markdown)
}

/// Maximum length in characters. GitHub refuses a comment of more than 65,536.
const LONGEST: usize = 65_000;

/// Maximum number of items of a list.
const MOST_ITEMS: usize = 40;

/// Maximum length of an item in characters.
const LONGEST_ITEM: usize = 400;

/// Maximum length of the command in characters. A shortened command would repeat another run.
const LONGEST_COMMAND: usize = 4_000;

/// Sections with a blank line between them.
fn joined(sections: impl IntoIterator<Item = Vec<String>>) -> String {
    let filled = sections.into_iter().filter(|lines| !lines.is_empty());
    filled.map(|lines| lines.join("\n")).collect::<Vec<_>>().join("\n\n")
}

fn opening(report: &Report) -> Vec<String> {
    let standing = totals::winner(report);
    let winner =
        standing.and_then(|standing| Some(winner_line(report, &standing, standing.speedup?)));
    let doubt = do_not_quote(report).map(|doubt| format!("**{}**  ", escaped(&capital(&doubt))));
    let mut lines: Vec<_> = doubt.into_iter().collect();
    lines.extend(winner.map(|line| format!("**{}**  ", escaped(&line))));
    let whole = standing.and_then(|standing| whole_line(&standing));
    lines.extend(whole.map(|whole| format!("{}  ", escaped(&whole))));
    let why = standing.and_then(|standing| why_line(report, standing.contender));
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

/// The rows in a folded section, as many as fit in `longest` characters.
fn blocks(report: &Report, longest: usize) -> Vec<String> {
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
    // The room for the last lines.
    let mut length = lines.iter().map(|line| line.chars().count() + 1).sum::<usize>() + 120;
    let fits = |line: &String| {
        length += line.chars().count() + 1;
        length <= longest
    };
    let shown: Vec<_> = report.rows.iter().map(row_line).take_while(fits).collect();
    let left = report.rows.len() - shown.len();
    lines.extend(shown);
    lines.extend([String::new(), "</details>".to_owned()]);
    if left > 0 {
        lines.extend([
            String::new(),
            format!("{} are left out: see the JSON or the page.", counted(left, "row")),
        ]);
    }
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
        outcome_words(row),
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

/// The date of the run and the build of the program.
fn build_line(report: &Report) -> String {
    let Provenance { date, commit, rustc, target, profile, .. } = &report.provenance;
    let commit =
        commit.as_deref().map_or("unknown commit".to_owned(), |hash| format!("commit {hash}"));
    let rustc = rustc.as_deref().unwrap_or("unknown compiler");
    format!("Run on {date}; {commit}, {rustc}, {target}, {profile}.")
}

/// The machine, the method and the command that reproduces the run.
fn footing(report: &Report) -> Vec<String> {
    let (machine, settings) = (&report.machine, &report.settings);
    let caches = machine.caches.join(", ");
    let command = match one_line(&settings.command) {
        long if long.chars().count() > LONGEST_COMMAND => {
            "# The command names too many blocks for this text; it is in the JSON and on the page."
                .into()
        }
        command => command,
    };
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
    let command = command.replace('`', "'");
    lines.extend(["", "To reproduce this run:", ""].map(str::to_owned));
    lines.push(format!("```sh\n{command}\n```"));
    lines
}

pub(in crate::report) fn list(title: &str, items: Vec<String>) -> Vec<String> {
    if items.is_empty() {
        return vec![];
    }
    let mut lines = vec![format!("{title}:"), String::new()];
    lines.extend(items.iter().take(MOST_ITEMS).map(|item| format!("- {}", escaped(&short(item)))));
    let left = items.len().saturating_sub(MOST_ITEMS);
    lines.extend((left > 0).then(|| format!("- and {left} more")));
    lines
}

/// The start of a text that is too long.
fn short(text: &str) -> String {
    let mut start: String = text.chars().take(LONGEST_ITEM).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
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
    use super::super::{BlockFacts, Failure, testing};
    use super::*;

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubts_come_before_the_fastest_contender_and_the_command_comes_last() {
        let mut report = testing::full_report();
        report.rows.retain(|row| row.verdict.figures().is_some());
        let doubtful = written(&report);
        let doubt = "**Do not quote: other processes used 0.50 CPUs on average**  \n**fastest: ";
        assert!(doubtful.starts_with(doubt), "{doubtful}");
        report.warnings.clear();
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
    fn any_run_is_short_enough_for_a_comment() {
        let mut report = testing::full_report();
        let row = report.rows[1].clone();
        for number in 0..5_000 {
            report
                .rows
                .push(Row { block: BlockFacts { number, ..row.block.clone() }, ..row.clone() });
            let what = "a long reason ".repeat(100);
            report.failures.push(Failure { block: number, what, may_pass: false });
        }
        report.settings.command = format!("blockrace replay {}", "19426587,".repeat(20_000));
        let text = written(&report);
        assert!(text.chars().count() < 65_536, "{} characters", text.chars().count());
        assert!(text.contains("</details>") && text.contains(" rows are left out"), "{text}");
        assert!(text.contains("and 4962 more"), "{text}");
    }

    #[test]
    fn external_text_is_escaped() {
        let mut report = testing::full_report();
        report.failures[0].what = "<script>\n# *boo* | `x`".into();
        let text = written(&report);
        assert!(text.contains("&lt;script> \\# \\*boo\\* \\| \\`x\\`"), "{text}");
    }
}
