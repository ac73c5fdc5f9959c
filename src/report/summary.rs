//! Writes the end of the terminal report: totals by fork and over all blocks, shares of the threads' time,
//! problems, bottlenecks, warnings, the fastest contender and the verification result.
//!
//! The figures come from `totals`, `profiled` and `limits`. The Markdown report and the HTML page use the
//! same sentences. The verification result is in [`conclusion`].

use std::collections::BTreeSet;

use super::claim::conclusion;
use super::paint::{ALARM, Cell, FAINT, GOOD, PLAIN, STRONG, WARNING, bar, columns, fitted, paint};
use super::profiled::{SHORT_NAMES, lost};
use super::quote::doubts;
use super::table::{NONE, cell, speedup, speedup_style};
use super::totals::{self, Standing, Whole};
use super::wrap::visible;
use super::{Contender, Detail, Failure, Layout, Mode, Report, Row, Verdict, counted, limits};
use crate::measure::stats::Speedup;

/// Maximum number of contenders in a panel of forks.
const CONTENDERS_PER_PANEL: usize = 8;

/// Number of blocks in the list of bottlenecks.
const EXPLAINED: usize = 5;

/// Number of losses that are shown for the fastest contender.
const NAMED_LOSSES: usize = 3;

/// Width of a bar in characters.
const BAR: usize = 10;

/// Width of the text from which there are bars.
const BARS_FROM: usize = 80;

/// The sections below the blocks. The lines of text may be longer than the width.
pub(super) fn sections(report: &Report, layout: Layout) -> Vec<Vec<String>> {
    if layout.detail == Detail::Totals {
        return vec![problems(report), verdicts(report)];
    }
    let mut sections = forks(report, layout.width);
    sections.extend([
        overall(report, layout.width),
        losses(report, layout.width),
        problems(report),
        explanations(report),
        warnings(report),
        verdicts(report),
    ]);
    sections
}

/// Both totals of each fork, if there are several forks.
fn forks(report: &Report, width: usize) -> Vec<Vec<String>> {
    let forks = totals::by_fork(&report.rows);
    let all: Vec<_> = totals::standings(&report.rows.iter().collect::<Vec<_>>())
        .into_iter()
        .filter(|standing| standing.speedup.is_some())
        .map(|standing| standing.contender)
        .collect();
    // Forks with a block each would repeat the table of blocks.
    if forks.len() < 2 || forks.len() == totals::block_count(&report.rows) {
        return vec![];
    }
    let panels = |size| {
        let chunks = all.chunks(size);
        chunks.map(|chosen| fork_panel(&forks, chosen)).collect::<Vec<Vec<String>>>()
    };
    let fits = |size: &usize| panels(*size).iter().flatten().all(|line| visible(line) <= width);
    let mut panels = panels((1..=CONTENDERS_PER_PANEL).rev().find(fits).unwrap_or(1));
    if let Some(last) = panels.last_mut() {
        last.push(paint(
            "left: geometric mean of the speedups; right: ratio of the total times",
            FAINT,
        ));
    }
    panels
}

fn fork_panel(forks: &[(&str, Vec<&Row>)], chosen: &[Contender<'_>]) -> Vec<String> {
    let title = |contender: &Contender<'_>| Cell::new(contender.to_string(), STRONG);
    let mut cells = vec![vec![Cell::new("fork", STRONG), Cell::new("blocks", STRONG)]];
    cells[0].extend(chosen.iter().map(title));
    for (fork, rows) in forks {
        let standings = totals::standings(rows);
        let blocks: BTreeSet<_> = rows.iter().map(|row| row.block.hash).collect();
        let mut line = vec![Cell::plain(*fork), Cell::plain(blocks.len().to_string())];
        line.extend(chosen.iter().map(|contender| {
            let standing = standings.iter().find(|standing| standing.contender == *contender);
            standing.map_or_else(|| Cell::plain(NONE), both_totals)
        }));
        cells.push(line);
    }
    columns(&cells)
}

fn both_totals(standing: &Standing<'_>) -> Cell {
    let mean = cell(standing.speedup.map(|speedup| format!("{:.2}", speedup.ratio)));
    let total = cell(standing.total_time_ratio.map(|ratio| format!("{ratio:.2}")));
    let style = standing.speedup.map_or(FAINT, speedup_style);
    Cell::new(format!("{mean} / {total}"), style)
}

/// Columns of the totals that may be left out: Mgas/s, the total-time ratio, the share of the bound, verified rows.
const OVERALL_DROPPED: [usize; 4] = [5, 4, 6, 2];

/// One line per contender.
fn overall(report: &Report, width: usize) -> Vec<String> {
    let rows: Vec<_> = report.rows.iter().collect();
    let standings = totals::standings(&rows);
    if standings.is_empty() {
        return vec![];
    }
    let titles =
        ["executor", "threads", "verified", "geometric mean", "total ratio", "Mgas/s", "of bound"];
    let mut cells = vec![titles.map(|title| Cell::new(title, STRONG)).to_vec()];
    let drawn = if width < BARS_FROM { 0 } else { BAR };
    cells.extend(standings.iter().map(|standing| overall_line(&rows, standing, drawn)));
    fitted(&cells, &OVERALL_DROPPED, width)
}

fn overall_line(rows: &[&Row], standing: &Standing<'_>, drawn: usize) -> Vec<Cell> {
    let Standing { contender, speedup: measured, .. } = standing;
    let two_decimals = |value: f64| format!("{value:.2}");
    let rate = totals::total_mgas_per_s(rows, *contender);
    let reached = |share: f64| match drawn {
        0 => format!("{:.0} %", share * 100.0),
        drawn => format!("{} {:.0} %", bar(share, drawn), share * 100.0),
    };
    let all = standing.verified == standing.rows;
    vec![
        Cell::plain(contender.executor),
        Cell::plain(contender.threads.to_string()),
        Cell::new(
            format!("{} of {}", standing.verified, standing.rows),
            if all { FAINT } else { ALARM },
        ),
        Cell::new(cell(measured.map(speedup)), measured.map_or(FAINT, speedup_style)),
        Cell::plain(cell(standing.total_time_ratio.map(two_decimals))),
        Cell::plain(cell(rate.map(crate::units::grouped))),
        Cell::new(cell(standing.bound_share.map(reached)), FAINT),
    ]
}

/// Columns of the losses that may be left out, the least informative first.
const LOSSES_DROPPED: [usize; 6] = [10, 9, 7, 8, 6, 5];

/// Shares of the threads' time in profiled runs in per cent, one line per contender.
fn losses(report: &Report, width: usize) -> Vec<String> {
    let lost = lost(&report.profiled);
    if lost.is_empty() {
        return vec![];
    }
    let titles = ["executor", "threads"].into_iter().chain(SHORT_NAMES).chain(["final"]);
    let mut cells = vec![titles.map(|title| Cell::new(title, STRONG)).collect::<Vec<_>>()];
    cells.extend(lost.iter().map(|lost| {
        let percent = |share: f64| Cell::plain(format!("{:.0}", share * 100.0));
        let half = lost.latency.map_or_else(|| Cell::plain(NONE), |latency| percent(latency.p50));
        let name = [lost.contender.executor.to_owned(), lost.contender.threads.to_string()];
        let shares = lost.shares.into_iter().map(percent);
        name.map(Cell::plain).into_iter().chain(shares).chain([half]).collect()
    }));
    let mut lines = vec![paint("Threads' time in profiled runs, in per cent:", STRONG)];
    lines.extend(fitted(&cells, &LOSSES_DROPPED, width));
    lines
}

/// Bottlenecks of the slowest blocks.
fn explanations(report: &Report) -> Vec<String> {
    let worst = limits::worst(report, EXPLAINED);
    if worst.is_empty() {
        return vec![];
    }
    let mut lines =
        vec![paint("Bottlenecks of the slowest blocks, each with its fastest executor:", STRONG)];
    let number = |row: &Row| row.block.number.to_string();
    let digits = worst.iter().map(|limit| number(limit.row).len()).max().unwrap_or(0);
    lines.extend(worst.iter().map(|limit| {
        let (row, ratio) = (limit.row, format!("{:.2}", limit.speedup));
        format!("  {:digits$}  {ratio:>5}  {}: {}", number(row), row.contender(), limit.reason)
    }));
    lines
}

/// Conditions that make the figures less reliable, each with its remedy.
fn warnings(report: &Report) -> Vec<String> {
    let opening = paint("warning:", WARNING);
    let lines = report.warnings.iter();
    lines.map(|warning| format!("{opening} {warning}; {}", warning.remedy())).collect()
}

/// Doubts about the figures, the fastest contender, its losses, the noise floor and the verification result.
fn verdicts(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let doubt = do_not_quote(report);
    let style = if doubt.is_some() { PLAIN } else { STRONG };
    lines.extend(doubt.map(|doubt| paint(&doubt, WARNING)));
    if let Some((standing, speedup)) =
        totals::winner(report).and_then(|standing| Some((standing, standing.speedup?)))
    {
        lines.push(paint(&winner_line(report, &standing, speedup), style));
        lines.extend(whole_line(&standing));
        let why = why_line(report, standing.contender);
        lines.extend(why.map(|why| format!("{WHY_NOT_MORE} {why}")));
    }
    lines.push(noise_line(report));
    lines.extend(cores_line(report));
    let is_right = report.rows.iter().all(|row| row.verdict.figures().is_some());
    let is_right = is_right && !report.rows.is_empty() && report.failures.is_empty();
    lines.push(paint(&conclusion(report), if is_right { GOOD } else { ALARM }));
    lines
}

/// The reasons not to quote the figures; `None` without such a reason, or without figures.
pub(super) fn do_not_quote(report: &Report) -> Option<String> {
    let doubts = doubts(report);
    (!doubts.is_empty()).then(|| format!("do not quote: {}", doubts.join("; ")))
}

/// The fastest contender in words. A speedup within the noise floor is not called fastest.
pub(super) fn winner_line(report: &Report, standing: &Standing<'_>, speedup: Speedup) -> String {
    let blocks = counted(totals::block_count(&report.rows), "block");
    let Speedup { ratio, ci_low, ci_high } = speedup;
    let interval = format!("[{ci_low:.2}, {ci_high:.2}]");
    let best = standing.contender;
    let noise = totals::self_check(report).map_or(0.0, |(_, noise)| noise);
    if ci_low > 1.0 && ratio > 1.0 + noise {
        let (itself, told) = (over_itself(standing), told(report, best));
        format!(
            "fastest: {best}, {ratio:.2} {interval} times as fast as the baseline{itself} over {blocks}{told}"
        )
    } else if ci_high < 1.0 {
        format!("no executor was faster than the baseline; the best, {best}: {ratio:.2} {interval}")
    } else {
        format!(
            "no executor was clearly faster than the baseline; the best, {best}: {ratio:.2} {interval}"
        )
    }
}

/// The winner's speedup with the state root, which a client has to compute as well; `None` without a root.
pub(super) fn whole_line(standing: &Standing<'_>) -> Option<String> {
    let Whole { blocks, speedup, bound, in_turn } = standing.whole?;
    let bound = bound.map_or_else(String::new, |bound| format!(", bound {bound:.2}"));
    let in_turn = in_turn.map_or_else(String::new, |speedup| {
        format!("; {speedup:.2} with the root after the execution")
    });
    let blocks = counted(blocks, "block");
    Some(format!("with the state root: {speedup:.2} over {blocks}{bound}{in_turn}"))
}

/// The part of the winner's speedup that is parallelism: its speed against the same executor on one thread.
fn over_itself(standing: &Standing<'_>) -> String {
    let over = standing.over_one_thread;
    over.map_or_else(String::new, |ratio| format!(", {ratio:.2} times itself on one thread,"))
}

/// Oracle knowledge of the winner, and the fastest contender without oracle knowledge.
fn told(report: &Report, winner: Contender<'_>) -> String {
    let Some(what) = report.settings.knew(winner.executor) else { return String::new() };
    let untold = totals::untold_winner(report)
        .and_then(|standing| Some((standing.contender, standing.speedup?)));
    let nearest = untold.map_or_else(String::new, |(best, measured)| {
        format!("; fastest without: {best}: {}", speedup(measured))
    });
    format!("; it has oracle knowledge ({what}){nearest}")
}

/// Prefix of [`why_line`].
pub(super) const WHY_NOT_MORE: &str = "bottlenecks:";

/// The largest losses of a contender's threads; `None` without a profiled run.
pub(super) fn why_line(report: &Report, contender: Contender<'_>) -> Option<String> {
    let lost = lost(&report.profiled).into_iter().find(|lost| lost.contender == contender)?;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let losses = lost.losses().into_iter().take(NAMED_LOSSES).filter(|(share, _)| *share >= 0.005);
    let losses: Vec<_> = losses.map(|(share, what)| format!("{} {what}", percent(share))).collect();
    Some(format!(
        "{} of the threads' time is useful execution at single-thread speed; {}",
        percent(lost.shares[0]),
        losses.join(", ")
    ))
}

/// The noise floor. Smaller differences are not significant.
pub(super) fn noise_line(report: &Report) -> String {
    match totals::self_check(report) {
        Some((itself, floor)) => format!(
            "noise floor {:.1} %: the A/A run of the baseline gave {}",
            floor * 100.0,
            speedup(itself)
        ),
        None => "noise floor: not measured; --self-check adds an A/A run of the baseline".into(),
    }
}

/// The machine's effective cores; `None` without concurrent baselines.
pub(super) fn cores_line(report: &Report) -> Option<String> {
    let worth = totals::cores_worth(report).into_iter();
    let each = |(threads, worth)| format!("{} of {threads}", speedup(worth));
    let all: Vec<_> = worth.map(each).collect();
    (!all.is_empty())
        .then(|| format!("effective cores: {}, by concurrent runs of the baseline", all.join(", ")))
}

/// One line for each mismatch, fallback and failed block, with its reason.
pub(super) fn problems(report: &Report) -> Vec<String> {
    let rows = &report.rows;
    let mismatches = rows.iter().filter_map(mismatch_line);
    let fallbacks = rows.iter().filter_map(fallback_line);
    mismatches.chain(fallbacks).chain(report.failures.iter().map(failure_line)).collect()
}

/// Puts text on one line: line feeds, control characters and runs of blanks become single blanks.
/// Reasons come from nodes and files. They must not be able to move the cursor.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn mismatch_line(row: &Row) -> Option<String> {
    let Verdict::Mismatch(what) = &row.verdict else { return None };
    Some(row_line("MISMATCH", row, what))
}

fn fallback_line(row: &Row) -> Option<String> {
    let Mode::FellBack(why) = &row.mode else { return None };
    Some(row_line("fell back", row, why))
}

fn row_line(problem: &str, row: &Row, reason: &str) -> String {
    let reason = one_line(reason);
    format!("{problem}: block {}, {}: {reason}", row.block.number, row.contender())
}

fn failure_line(failure: &Failure) -> String {
    format!("not run: block {}: {}", failure.block, one_line(&failure.what))
}
