//! Shows profiled runs: shares of the threads' time, and the times at which results became final.

use maud::{Markup, html};

use super::axis::Axis;
use super::chart::{Mark, Rows};
use super::charts::Legend;
use super::table::{Cell, Swatch, figure, table};
use crate::insight::Latency;
use crate::report::profiled::{LONG_NAMES, Lost, lost};
use crate::report::{Report, ReportError};

/// A bar for each executor with profiled runs, and a table of the times at which results became final.
pub(super) fn figures(report: &Report) -> Result<Markup, ReportError> {
    let lost = lost(&report.profiled);
    Ok(html! { (shares(&lost)?) (latencies(&lost)) })
}

fn shares(lost: &[Lost<'_>]) -> Result<Markup, ReportError> {
    let title = "Shares of the threads' time";
    let bars = |lost: &Lost<'_>| {
        let mut from = 0.0;
        let bars = lost.shares.iter().enumerate().map(|(series, share)| {
            let to = from + share * 100.0;
            let bar = Mark::Bar { from, to, series };
            from = to;
            (0.5, bar)
        });
        (lost.contender.label(), bars.collect())
    };
    let rows = Rows {
        title: title.into(),
        axis: "share of the time of all threads, %",
        rows: lost.iter().map(bars).collect(),
        scale: Axis::linear(0.0..100.0),
        reference: None,
        height: 30,
    };
    let words = "Time of all threads in a profiled run of each block, over all blocks. Profiled runs follow the timed \
                 iterations. Only the first part is also needed on one thread. The other parts are losses \
                 that keep the speedup below the number of threads. They include waiting that the \
                 dependencies of the blocks make necessary.";
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
    let title = "Time until results are final";
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
    let titles = ["executor", "threads", "first", "p50", "p90", "p99"];
    html! {
        h3 id="final" { (title) }
        p {
            "Share of the block's time until this percentile of the results is final, as medians over the \
             blocks. A final result can no longer change. Executors that validate a block as a whole have no final \
             result before its end."
        }
        (table(title, &titles, &lost.iter().filter_map(line).collect::<Vec<_>>()))
    }
}
