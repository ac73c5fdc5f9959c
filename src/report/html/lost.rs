//! What the threads' time went into, and when results became final: what a speedup lacks, by cause.

use maud::{Markup, html};

use super::chart::{Mark, Rows};
use super::charts::Legend;
use super::table::{Cell, Swatch, figure, table};
use crate::insight::Latency;
use crate::report::watched::{LONG_NAMES, Lost, lost};
use crate::report::{Report, ReportError};

/// A bar for each executor that was watched, and a table of when results were final.
pub(super) fn figures(report: &Report) -> Result<Markup, ReportError> {
    let lost = lost(&report.watched);
    Ok(html! { (shares(&lost)?) (latencies(&lost)) })
}

fn shares(lost: &[Lost<'_>]) -> Result<Markup, ReportError> {
    let title = "What the threads' time goes into";
    let bars = |lost: &Lost<'_>| {
        let mut from = 0.0;
        let bars = lost.shares.iter().enumerate().map(|(series, share)| {
            let to = from + share * 100.0;
            let bar = Mark::Bar { from, to, series };
            from = to;
            (0.5, bar)
        });
        (format!("{} ×{}", lost.contender.executor, lost.contender.threads), bars.collect())
    };
    let rows = Rows {
        title: title.into(),
        axis: "share of the time of all threads, %",
        rows: lost.iter().map(bars).collect(),
        range: 0.0..100.0,
        reference: None,
        height: 30,
    };
    let words = "A run of each block under watch, after the rounds: the time of all threads together, over \
                 all blocks. Only the first part is what one thread alone does, too; the others are what keeps \
                 the speedup below the number of threads, waiting that the blocks' dependencies make \
                 necessary included.";
    let line = |lost: &Lost<'_>| {
        let mut cells = vec![
            Cell::text(lost.contender.executor),
            Cell::number(lost.contender.threads.to_string()),
        ];
        cells.extend(lost.shares.map(|share| Cell::number(format!("{:.1} %", share * 100.0))));
        cells
    };
    let titles: Vec<_> = ["executor", "threads"].into_iter().chain(LONG_NAMES).collect();
    let numbers = table(title, &titles, &lost.iter().map(line).collect::<Vec<_>>());
    let legend: Legend = LONG_NAMES.map(str::to_owned).into_iter().enumerate().collect();
    Ok(figure(("lost", title), words, (Swatch::Square, &legend), &rows.draw()?, &numbers))
}

fn latencies(lost: &[Lost<'_>]) -> Markup {
    let title = "When results are final";
    let line = |lost: &Lost<'_>| {
        let Latency { first, p50, p90, p99 } = lost.latency?;
        let mut cells = vec![
            Cell::text(lost.contender.executor),
            Cell::number(lost.contender.threads.to_string()),
        ];
        let percent = |share: f64| Cell::number(format!("{:.1} %", share * 100.0));
        cells.extend([first, p50, p90, p99].map(percent));
        Some(cells)
    };
    let titles = ["executor", "threads", "first", "half", "nine in ten", "99 in 100"];
    html! {
        h3 id="final" { (title) }
        p {
            "After which part of the block's time so many results can no longer change, as medians over the \
             blocks. Executors that check a block as a whole, at its end, know no result before."
        }
        (table(title, &titles, &lost.iter().filter_map(line).collect::<Vec<_>>()))
    }
}
