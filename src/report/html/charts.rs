//! Draws the charts over all blocks.
//!
//! Each function makes one figure: a [`Plot`] or [`Rows`], an explanation and the same numbers as a table. An
//! executor has one colour and one shape on the whole page ([`legend`]). Only rows that matched have figures,
//! so a wrong result is in no chart. Speedups are medians of ratios within iterations, with 95 % intervals.
//! Charts take bounds from the pictures. The chart over thread counts uses those of the rows if there are no
//! pictures.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;

use maud::{Markup, html};

use super::axis::Axis;
use super::chart::{Line, MOST_LINES, Mark, Plot, Point, Rows, selection};
use super::palette::{BOUND, FAINT};
use super::shell::block_id;
use super::table::{Cell, Swatch, figure, table};
use crate::measure::stats::{Speedup, geometric_mean};
use crate::report::record::{measured_speedup, mgas_per_s};
use crate::report::{Contender, Report, ReportError, Row, by_block, contenders, limits, totals};
use crate::units;

/// Colour index and name of each executor.
pub(super) type Legend = Vec<(usize, String)>;

/// Assigns a colour to every executor, for the whole page.
pub(super) fn legend(report: &Report) -> Legend {
    let mut names: Vec<&str> = Vec::new();
    for contender in contenders(&report.rows) {
        if !names.contains(&contender.executor) {
            names.push(contender.executor);
        }
    }
    names.into_iter().map(str::to_owned).enumerate().collect()
}

pub(super) fn series_of(legend: &[(usize, String)], executor: &str) -> usize {
    legend.iter().find(|(_, name)| name == executor).map_or(0, |(series, _)| *series)
}

/// The speedup of a row; `None` for the baseline and for a mismatch.
fn speedup_of(row: &Row) -> Option<Speedup> {
    row.verdict.figures().and_then(measured_speedup)
}

/// The executors with a speedup. The baseline is not among them.
fn shown(legend: &[(usize, String)], report: &Report) -> Legend {
    let takes_part = |name: &str| {
        report.rows.iter().any(|row| row.executor == name && speedup_of(row).is_some())
    };
    legend.iter().filter(|(_, name)| takes_part(name)).cloned().collect()
}

/// The blocks in the charts by block, by chain and number: those with the smallest speedups if there are many.
pub(super) fn drawn_blocks(report: &Report) -> HashSet<(u64, u64)> {
    let key = |row: &Row| (row.block.chain_id, row.block.number);
    let all: HashSet<_> = report.rows.iter().map(key).collect();
    if all.len() <= MOST_LINES {
        return all;
    }
    let worst = limits::worst(report, MOST_LINES);
    // Without contenders, no block has a speedup.
    if worst.is_empty() { all } else { worst.iter().map(|limit| key(limit.row)).collect() }
}

/// One chart for each thread count: blocks as rows, speedups with intervals, and the bound.
pub(super) fn speedups(report: &Report, legend: &[(usize, String)]) -> Result<Markup, ReportError> {
    let legend = shown(legend, report);
    let mut threads: Vec<NonZeroUsize> = contenders(&report.rows)
        .into_iter()
        .filter(|contender| legend.iter().any(|(_, name)| name == contender.executor))
        .map(|contender| contender.threads)
        .collect();
    threads.sort_unstable();
    threads.dedup();
    let drawn = drawn_blocks(report);
    let on = |threads| speedups_on(report, &legend, threads, &drawn);
    let charts: Result<Vec<_>, _> = threads.into_iter().rev().map(on).collect();
    let charts = charts?;
    Ok(html! { @for chart in charts { (chart) } })
}

fn speedups_on(
    report: &Report,
    legend: &[(usize, String)],
    threads: NonZeroUsize,
    drawn: &HashSet<(u64, u64)>,
) -> Result<Markup, ReportError> {
    let own = report.rows.iter().filter(|row| row.threads == threads && speedup_of(row).is_some());
    let (own, others): (Vec<&Row>, Vec<&Row>) =
        own.partition(|row| drawn.contains(&(row.block.chain_id, row.block.number)));
    let blocks = by_block(own.iter().copied());
    let not_drawn = by_block(others).len();
    let ends = own.iter().filter_map(|row| speedup_of(row));
    let ends = ends.flat_map(|speedup| [speedup.ci_low, speedup.ci_high]);
    let bounds = own.iter().filter_map(|row| row.verdict.figures()?.bound_speedup);
    let counted = super::super::counted(threads.get(), "thread");
    let title = format!("Speedup on {counted}, by block");
    let rows = Rows {
        title: title.clone(),
        axis: "speedup",
        rows: blocks.iter().map(|rows| block_marks(rows, bound(report, rows), legend)).collect(),
        scale: Axis::log2(ends.chain(bounds), [1.0]),
        reference: Some(1.0),
        height: 22.max(10 + 9 * legend.len() as u32),
    };
    let words = "Each mark is the median of baseline time / executor time over the iterations. The \
                 line through it is the 95 % interval. The vertical grey mark is the bound for executors \
                 without oracle knowledge, from a schedule of the transactions with their dependencies \
                 and their single-thread times. Left of 1 is slower than the baseline. The axis is \
                 logarithmic and covers the bulk of the values; an arrow at its end is a value beyond it.";
    let words = words.to_owned() + &selection("speedups", blocks.len(), blocks.len() + not_drawn);
    let id = format!("speedup-{threads}");
    let numbers = speedup_table(&title, &own);
    Ok(figure((&id, &title), &words, (Swatch::Shape, legend), &rows.draw()?, &numbers))
}

/// The bound for executors without oracle knowledge, for rows of one block and one thread count.
fn bound(report: &Report, rows: &[&Row]) -> Option<f64> {
    let row = rows.first()?;
    let picture = report.pictures.iter().find(|picture| picture.block == row.block.hash)?;
    let found = picture.bounds.iter().find(|(threads, _)| *threads == row.threads);
    found.map(|(_, bound)| *bound)
}

fn block_marks(
    rows: &[&Row],
    bound: Option<f64>,
    legend: &[(usize, String)],
) -> (String, Vec<(f64, Mark)>) {
    let label = rows.first().map_or_else(String::new, |row| row.block.number.to_string());
    let mut marks: Vec<_> = bound.map(|value| (0.5, Mark::Bound { value })).into_iter().collect();
    for (place, (series, name)) in legend.iter().enumerate() {
        let down = (place as f64 + 1.0) / (legend.len() as f64 + 1.0);
        let row = rows.iter().find(|row| row.executor == *name);
        if let Some(Speedup { ratio, ci_low, ci_high }) = row.and_then(|row| speedup_of(row)) {
            let (value, low, high) = (ratio, ci_low, ci_high);
            marks.push((down, Mark::Point { value, low, high, series: *series }));
        }
    }
    (label, marks)
}

fn speedup_table(title: &str, rows: &[&Row]) -> Markup {
    let line = |row: &&Row| {
        let speedup = speedup_of(row);
        let bound = row.verdict.figures().and_then(|figures| figures.bound_speedup);
        vec![
            block_link(row),
            Cell::text(row.executor.clone()),
            Cell::decimal(speedup.map(|speedup| speedup.ratio)),
            Cell::decimal(speedup.map(|speedup| speedup.ci_low)),
            Cell::decimal(speedup.map(|speedup| speedup.ci_high)),
            Cell::decimal(bound),
        ]
    };
    let titles = ["block", "executor", "speedup", "from", "to", "bound"];
    table(title, &titles, &rows.iter().map(line).collect::<Vec<_>>())
}

/// The block number as a link to its section.
pub(super) fn block_link(row: &Row) -> Cell {
    let block = &row.block;
    Cell::Link { text: block.number.to_string(), target: format!("#{}", block_id(block)) }
}

/// Geometric means of speedup and bound over the blocks, against the thread count.
pub(super) fn threads(report: &Report, legend: &[(usize, String)]) -> Result<Markup, ReportError> {
    let legend = shown(legend, report);
    let rows: Vec<_> = report.rows.iter().collect();
    let standings = totals::standings(&rows);
    let overall: Vec<(Contender<'_>, Speedup)> = standings
        .iter()
        .filter_map(|standing| Some((standing.contender, standing.speedup?)))
        .collect();
    let bounds = bound_curve(report);
    let points = overall.iter().map(|(contender, speedup)| Point {
        x: contender.threads.get() as f64,
        y: speedup.ratio,
        low: speedup.ci_low,
        high: speedup.ci_high,
        series: series_of(&legend, contender.executor),
    });
    let points: Vec<_> = points.collect();
    let mut lines: Vec<_> =
        legend.iter().map(|(index, _)| Line::through(&points, *index)).collect();
    lines.push(Line { points: bounds.clone(), hue: BOUND });
    let xs = points.iter().map(|point| point.x).chain(bounds.iter().map(|bound| bound.0));
    let most = xs.fold(1.0, f64::max);
    lines.push(Line { points: vec![(1.0, 1.0), (most, 1.0)], hue: FAINT });
    let ys = points.iter().flat_map(|point| [point.low, point.high]);
    let title = "Speedup against threads";
    let plot = Plot {
        title: title.into(),
        x_axis: "threads",
        y_axis: "geometric mean of speedups",
        x: Axis::counts(most),
        y: Axis::log2([], ys.chain(bounds.iter().map(|bound| bound.1)).chain([1.0])),
        lines,
        points,
    };
    let words = "Geometric means over the blocks, with their 95 % intervals. The grey curve is the \
                 mean of the bounds, if they are known. The upright axis is logarithmic.";
    let numbers = threads_table(title, &overall, &bounds);
    Ok(figure(("threads", title), words, (Swatch::Shape, &legend), &plot.draw()?, &numbers))
}

/// Geometric mean of the blocks' bounds by thread count. Without pictures, the bounds of the rows are used.
fn bound_curve(report: &Report) -> Vec<(f64, f64)> {
    let mut bounds: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (threads, bound) in report.pictures.iter().flat_map(|picture| &picture.bounds) {
        bounds.entry(threads.get()).or_default().push(*bound);
    }
    if bounds.is_empty() {
        for rows in by_block(&report.rows) {
            let mut of_block = BTreeMap::new();
            for row in rows {
                let bound = row.verdict.figures().and_then(|figures| figures.bound_speedup);
                of_block.extend(bound.map(|bound| (row.threads.get(), bound)));
            }
            for (threads, bound) in of_block {
                bounds.entry(threads).or_default().push(bound);
            }
        }
    }
    let mean = |(threads, all): (usize, Vec<f64>)| Some((threads as f64, geometric_mean(&all)?));
    bounds.into_iter().filter_map(mean).collect()
}

fn threads_table(
    title: &str,
    overall: &[(Contender<'_>, Speedup)],
    bounds: &[(f64, f64)],
) -> Markup {
    let mut lines: Vec<_> = overall
        .iter()
        .map(|(contender, speedup)| {
            vec![
                Cell::text(contender.executor),
                Cell::number(contender.threads.to_string()),
                Cell::decimal(Some(speedup.ratio)),
                Cell::decimal(Some(speedup.ci_low)),
                Cell::decimal(Some(speedup.ci_high)),
            ]
        })
        .collect();
    lines.extend(bounds.iter().map(|(threads, bound)| {
        let none = || Cell::decimal(None);
        let threads = Cell::number(format!("{threads:.0}"));
        vec![Cell::text("bound"), threads, Cell::decimal(Some(*bound)), none(), none()]
    }));
    table(title, &["executor", "threads", "geometric mean", "from", "to"], &lines)
}

/// Distribution of the throughput over the blocks.
pub(super) fn throughput(
    report: &Report,
    legend: &[(usize, String)],
) -> Result<Markup, ReportError> {
    let spreads: Vec<(Contender<'_>, [f64; 5])> = contenders(&report.rows)
        .into_iter()
        .filter_map(|contender| Some((contender, five_numbers(report, contender)?)))
        .collect();
    let row = |(contender, five): &(Contender<'_>, [f64; 5])| {
        let series = series_of(legend, contender.executor);
        (contender.label(), vec![(0.5, Mark::Spread { five: *five, series })])
    };
    let title = "Throughput over the blocks";
    let rows = Rows {
        title: title.into(),
        axis: "Mgas/s",
        rows: spreads.iter().map(row).collect(),
        scale: Axis::from_zero(spreads.iter().flat_map(|(_, five)| *five)),
        reference: None,
        height: 30,
    };
    let words = "For each executor: the slowest and the fastest block (line), the middle half of all \
                 blocks (box), and the median (vertical line). Blocks with little gas have a low \
                 throughput, because every block has a fixed cost. An arrow at the end of the axis is a \
                 value beyond it.";
    let line = |(contender, five): &(Contender<'_>, [f64; 5])| {
        let mut cells =
            vec![Cell::text(contender.executor), Cell::number(contender.threads.to_string())];
        cells.extend(five.map(|value| Cell::number(units::grouped(value))));
        cells
    };
    let titles =
        ["executor", "threads", "minimum", "lower quartile", "median", "upper quartile", "maximum"];
    let numbers = table(title, &titles, &spreads.iter().map(line).collect::<Vec<_>>());
    Ok(figure(("throughput", title), words, (Swatch::Square, &[]), &rows.draw()?, &numbers))
}

/// Minimum, quartiles and maximum of a contender's Mgas/s, over blocks that use gas.
fn five_numbers(report: &Report, contender: Contender<'_>) -> Option<[f64; 5]> {
    let own = report.rows.iter().filter(|row| row.contender() == contender);
    let mut rates: Vec<f64> = own.filter_map(mgas_per_s).filter(|rate| *rate > 0.0).collect();
    rates.sort_unstable_by(f64::total_cmp);
    let at = |part: usize| rates.get((rates.len().checked_sub(1)?) * part / 4).copied();
    Some([at(0)?, at(1)?, at(2)?, at(3)?, at(4)?])
}

/// Speedup against the share of the critical path.
pub(super) fn critical_path(
    report: &Report,
    legend: &[(usize, String)],
) -> Result<Markup, ReportError> {
    let legend = shown(legend, report);
    let share = |row: &Row| {
        let picture = report.pictures.iter().find(|picture| picture.block == row.block.hash)?;
        Some(picture.critical_path_share)
    };
    let most = report.rows.iter().map(|row| row.threads).max();
    let rows = report.rows.iter().filter(|row| Some(row.threads) == most);
    let known: Vec<_> = rows.filter_map(|row| Some((row, share(row)?, speedup_of(row)?))).collect();
    let points: Vec<_> = known
        .iter()
        .map(|(row, share, speedup)| Point {
            x: share * 100.0,
            y: speedup.ratio,
            low: speedup.ci_low,
            high: speedup.ci_high,
            series: series_of(&legend, &row.executor),
        })
        .collect();
    let line = |(row, share, speedup): &(&Row, f64, Speedup)| {
        vec![
            block_link(row),
            Cell::text(row.executor.clone()),
            Cell::number(row.threads.to_string()),
            Cell::number(format!("{:.1} %", share * 100.0)),
            Cell::decimal(Some(speedup.ratio)),
        ]
    };
    let title = "Critical path against speedup";
    let words = "Each mark is a block on the largest thread count. The critical path is the longest \
                 chain of dependent transactions, as a share of the block. More threads cannot \
                 shorten it. The upright axis is logarithmic; an arrow is a value beyond it.";
    let titles = ["block", "executor", "threads", "critical path", "speedup"];
    let numbers = table(title, &titles, &known.iter().map(line).collect::<Vec<_>>());
    let plot = Plot {
        title: title.into(),
        x_axis: "critical path / block, %",
        y_axis: "speedup",
        x: Axis::linear(0.0..102.0),
        y: Axis::log2(points.iter().flat_map(|point| [point.low, point.high]), [1.0]),
        lines: vec![Line { points: vec![(0.0, 1.0), (102.0, 1.0)], hue: FAINT }],
        points,
    };
    Ok(figure(("critical-path", title), words, (Swatch::Shape, &legend), &plot.draw()?, &numbers))
}
