//! Writes a self-contained picture of a run, for a README: the speedup of every executor with its bound.
//!
//! The picture is drawn like the charts of the page and supports light and dark mode.

use std::io;

use maud::{Markup, PreEscaped, html};

use super::axis::Axis;
use super::chart::{Mark, Rows};
use super::charts::{Legend, legend, series_of};
use super::{palette, shell};
use crate::measure::stats::geometric_mean;
use crate::report::totals::{Standing, standings};
use crate::report::{Contender, Report, ReportError, Row};

/// Writes the picture of `report`.
///
/// # Errors
/// [`ReportError::Html`] or [`ReportError::ContenderResult`] if `out` fails, [`ReportError::Chart`] if it cannot be
/// drawn.
pub fn write(report: &Report, out: impl io::Write) -> Result<(), ReportError> {
    let (picture, width, height) = chart(report).draw_alone()?;
    shell::write(document(&picture, width, height), out)
}

/// The picture as a part of the page. The table of the standings has its numbers.
pub(super) fn on_page(report: &Report) -> Result<Markup, ReportError> {
    Rows { axis: "speedup; grey: the bound", ..chart(report) }.draw()
}

fn document(picture: &str, width: u32, height: u32) -> Markup {
    let style = format!(
        ":root{{--page:#fff;{}}}\n@media(prefers-color-scheme:dark){{:root{{--page:#16191f;{}}}}}\n{}",
        palette::light(),
        palette::dark(),
        palette::rules(),
    );
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox={ "0 0 " (width) " " (height) }
            width=(width) height=(height) {
            title { (TITLE) }
            style { (PreEscaped(style)) }
            // The surrounding page may be light although the reader prefers dark mode.
            rect width="100%" height="100%" style="fill:var(--page)" {}
            (PreEscaped(picture))
        }
    }
}

const TITLE: &str = "Speedup of each executor, with its 95 % interval; the grey mark is the bound";

/// A line for each contender, fastest first.
fn chart(report: &Report) -> Rows {
    let rows: Vec<&Row> = report.rows.iter().collect();
    let mut standings = standings(&rows);
    standings.retain(|standing| standing.speedup.is_some());
    standings.sort_by(|a, b| ratio(b).total_cmp(&ratio(a)));
    let legend = legend(report);
    let marked: Vec<_> = standings
        .iter()
        .map(|standing| (label(report, standing), marks(standing, &rows, &legend)))
        .collect();
    let ends = marked.iter().flat_map(|(_, marks)| marks.iter().flat_map(|(_, mark)| ends(mark)));
    Rows {
        title: TITLE.into(),
        axis: "speedup against the baseline (geometric mean); grey: the bound; *: with oracle knowledge",
        scale: Axis::log2([], ends.chain([1.0])),
        rows: marked,
        reference: Some(1.0),
        height: 26,
    }
}

fn ratio(standing: &Standing<'_>) -> f64 {
    standing.speedup.map_or(0.0, |speedup| speedup.ratio)
}

/// Executor and thread count, with a star for oracle knowledge.
fn label(report: &Report, standing: &Standing<'_>) -> String {
    let contender = standing.contender;
    let star = if report.settings.knew(contender.executor).is_some() { "*" } else { "" };
    let named = Contender { executor: &format!("{}{star}", contender.executor), ..contender };
    named.label()
}

fn marks(standing: &Standing<'_>, rows: &[&Row], legend: &Legend) -> Vec<(f64, Mark)> {
    let contender = standing.contender;
    let own = rows.iter().filter(|row| row.contender() == contender);
    let bounds: Vec<_> = own.filter_map(|row| row.verdict.figures()?.bound_speedup).collect();
    let bound = geometric_mean(&bounds).map(|value| (0.5, Mark::Bound { value }));
    let point = standing.speedup.map(|speedup| {
        let (value, low, high) = (speedup.ratio, speedup.ci_low, speedup.ci_high);
        (0.5, Mark::Point { value, low, high, series: series_of(legend, contender.executor) })
    });
    bound.into_iter().chain(point).collect()
}

fn ends(mark: &Mark) -> Vec<f64> {
    match *mark {
        Mark::Point { low, high, .. } => vec![low, high],
        Mark::Bound { value } => vec![value],
        Mark::Bar { from, to, .. } => vec![from, to],
        Mark::Spread { five, .. } => five.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{OracleKnowledge, testing};

    #[test]
    fn an_executor_with_oracle_knowledge_has_a_star() {
        let mut report = testing::full_report();
        let [executor, what] = ["block-stm", "everything"].map(str::to_owned);
        report.settings.oracle_knowledge = vec![OracleKnowledge { executor, what, carried_by: 0 }];
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let picture = String::from_utf8(out).unwrap();
        assert!(
            picture.contains("block-stm*, 8 threads") && !picture.contains("block-stm, 8 threads"),
            "{picture}"
        );
    }

    #[test]
    fn the_picture_is_self_contained() {
        let mut out = Vec::new();
        write(&testing::full_report(), &mut out).unwrap();
        let picture = String::from_utf8(out).unwrap();
        assert!(picture.starts_with("<svg xmlns="), "{picture}");
        assert!(picture.contains("block-stm, 8 threads"), "{picture}");
        assert!(picture.contains("prefers-color-scheme:dark"), "{picture}");
        for reference in ["href", "@import", "url(", "<script"] {
            assert!(!picture.contains(reference), "{reference}");
        }
    }
}
