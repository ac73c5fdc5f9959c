//! Draws the times of the phases of each block.

use std::time::Duration;

use maud::Markup;

use super::{
    axis::Axis,
    chart::{Mark, Rows, selection},
    charts::{Legend, drawn_blocks},
    table::{Cell, Swatch, figure, table},
};
use crate::{
    report::{Comparison, PreparationRow, Report, ReportError},
    units,
};

/// Times of the phases of each block, execution included.
pub(super) fn phases(report: &Report) -> Result<Markup, ReportError> {
    let drawn = drawn_blocks(report);
    let all = phase_rows(report);
    let phases = all.iter().filter(|(block, _)| drawn.contains(block));
    let phases: Vec<_> = phases.map(|((_, number), times)| (number.to_string(), *times)).collect();
    let names = ["senders", "witness", "flatten", "execute (baseline)", "state root"];
    let row = |(label, times): &(String, [Duration; 5])| {
        let all = times.iter().sum::<Duration>();
        let mut from = 0.0;
        let bars = times.iter().enumerate().map(|(series, time)| {
            let share = if all.is_zero() { 0.0 } else { time.div_duration_f64(all) };
            let to = from + share * 100.0;
            let bar = Mark::Bar { from, to, series };
            from = to;
            (0.5, bar)
        });
        (label.clone(), bars.collect())
    };
    let title = "Phases of each block";
    let rows = Rows {
        title: title.into(),
        axis: "share of all phases, %",
        rows: phases.iter().map(row).collect(),
        scale: Axis::linear(0.0..100.0),
        reference: None,
        height: 22,
    };
    let words = "Sender recovery, witness verification and flattening of the state (one execution over \
                 the trie) were timed once, on all cores. They are in no speedup. Execution and state \
                 root are medians over the baseline's iterations.";
    let words = words.to_owned() + &selection("speedups", phases.len(), all.len());
    let legend: Legend = names.iter().map(|name| (*name).to_owned()).enumerate().collect();
    let line = |(label, times): &(String, [Duration; 5])| {
        let mut cells = vec![Cell::text(label.clone())];
        cells.extend(times.map(|time| Cell::number(units::short(time))));
        cells
    };
    let titles = ["block", names[0], names[1], names[2], names[3], names[4]];
    let numbers = table(title, &titles, &phases.iter().map(line).collect::<Vec<_>>());
    Ok(figure(("phases", title), &words, (Swatch::Square, &legend), &rows.draw()?, &numbers))
}

/// Times of the phases of each block, by chain and number.
fn phase_rows(report: &Report) -> Vec<((u64, u64), [Duration; 5])> {
    let baseline = |number: u64, chain: u64| {
        report.rows.iter().find(|row| {
            (row.block.number, row.block.chain_id) == (number, chain)
                && row
                    .verdict
                    .figures()
                    .is_some_and(|figures| figures.comparison == Comparison::Baseline)
        })
    };
    let row = |phases: &PreparationRow| {
        let figures = baseline(phases.number, phases.chain_id)?.verdict.figures()?;
        let root = figures.root_median.unwrap_or_default();
        let times = [phases.senders, phases.witness, phases.flatten, figures.execute.median, root];
        Some(((phases.chain_id, phases.number), times))
    };
    report.preparation.iter().filter_map(row).collect()
}
