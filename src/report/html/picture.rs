//! Draws the schedules, dependencies and conflicts of a block.
//!
//! [`schedule`](super::schedule) draws the activities of threads as bars. This module draws dependencies as
//! arcs between transactions. Each picture consists of a few paths, so that a page of many blocks stays small.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use maud::{Markup, html};

use super::palette::{BOUND, series};
use super::schedule;
use super::table::{Cell, table};
use crate::report::Report;
use crate::report::counted;
use crate::report::picture::{BlockPicture, HotSpot, PathStep};
use crate::units;

/// Width of a picture in units. The page scales it.
pub(super) const WIDTH: f64 = 1_000.0;

/// Minimum distance of ticks in units. Closer ticks would form one band.
const LEAST_STEP: f64 = 3.0;

/// Number of places in the list of hottest conflicts.
const HOTTEST: usize = 20;

/// Schedules, dependencies and conflicts of a block.
///
/// `explorer` is the address of a block explorer, for links.
pub(super) fn of_block(
    number: u64,
    transactions: usize,
    picture: &BlockPicture,
    explorer: Option<&str>,
) -> Markup {
    let path: Vec<_> = picture.critical_path.iter().map(|step| step.tx).collect();
    html! {
        p {
            "The longest chain of dependent transactions takes "
            (format!("{:.0}", picture.critical_path_share * 100.0)) " % of the block."
        }
        (schedule::figures(number, &picture.schedules))
        (graph(number, transactions, &picture.dependencies, &path))
        (path_table(number, &picture.critical_path, explorer))
        @if !picture.conflicts.is_empty() {
            h3 { "Block " (number) ": hottest conflicts" }
            (conflicts(&format!("Hottest conflicts of block {number}"), &picture.conflicts))
        }
    }
}

/// The hottest conflicts of all blocks together.
pub(super) fn hottest(report: &Report) -> Markup {
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for spot in report.pictures.iter().flat_map(|picture| &picture.conflicts) {
        *sums.entry(&spot.place).or_default() += spot.transactions;
    }
    let mut spots: Vec<_> = sums
        .into_iter()
        .map(|(place, transactions)| HotSpot { place: place.to_owned(), transactions })
        .collect();
    spots.sort_by_key(|spot| std::cmp::Reverse(spot.transactions));
    spots.truncate(HOTTEST);
    html! {
        figure id="conflicts" {
            figcaption {
                h3 { "Hottest conflicts" }
                p { "Places on which transactions depend on an earlier one of their block, over all blocks. Only places on \
                     the critical path of a block are included." }
            }
            @if spots.is_empty() { p { "There are no conflicts." } }
            @else { (conflicts("Hottest conflicts", &spots)) }
        }
    }
}

fn conflicts(caption: &str, spots: &[HotSpot]) -> Markup {
    let line = |spot: &HotSpot| {
        vec![Cell::text(spot.place.clone()), Cell::number(spot.transactions.to_string())]
    };
    let titles = ["place", "dependent transactions"];
    table(caption, &titles, &spots.iter().map(line).collect::<Vec<_>>())
}

/// The transactions of the critical path, whole hashes and addresses.
fn path_table(number: u64, path: &[PathStep], explorer: Option<&str>) -> Markup {
    if path.is_empty() {
        return html! {};
    }
    let of = |kind: &str, text: String| match explorer {
        Some(explorer) => Cell::Link { target: format!("{explorer}/{kind}/{text}"), text },
        None => Cell::text(text),
    };
    let line = |step: &PathStep| {
        let to = step.to.map(|to| of("address", to.to_checksum(None)));
        vec![
            Cell::text(step.tx.to_string()),
            Cell::number(units::short(step.time)),
            Cell::number(units::count(step.gas)),
            to.unwrap_or_else(|| Cell::text("(creation)")),
            of("tx", step.hash.to_string()),
        ]
    };
    let title = format!("Critical path of block {number}");
    let titles = ["transaction", "part of the time", "gas", "to", "hash"];
    html! {
        details {
            summary { (title) ": " (counted(path.len(), "transaction")) }
            (table(&title, &titles, &path.iter().map(line).collect::<Vec<_>>()))
        }
    }
}

/// Transactions from left to right, with an arc for each dependency; empty without dependencies. The dependencies
/// between successive transactions of `path` stand out.
pub(in crate::report) fn graph(
    number: u64,
    transactions: usize,
    dependencies: &[(usize, usize)],
    path: &[usize],
) -> Markup {
    if dependencies.is_empty() {
        return html! {};
    }
    let last = transactions.saturating_sub(1).max(1);
    let step = (WIDTH - 20.0) / last as f64;
    let x = |tx: usize| 10.0 + tx as f64 * step;
    let farthest = dependencies.iter().map(|(from, to)| from.abs_diff(*to)).max().unwrap_or(1);
    let height = (farthest as f64 * step / 2.0).clamp(30.0, 220.0);
    let arc = |mut arcs: String, (from, to): (usize, usize)| {
        let (left, right) = (x(from), x(to));
        let rise = ((right - left).abs() / 2.0).min(height);
        let _ = write!(arcs, "M{left:.1} {base}", base = height + 8.0);
        let _ = write!(
            arcs,
            "A{:.1} {rise:.1} 0 0 1 {right:.1} {:.0}",
            (right - left) / 2.0,
            height + 8.0
        );
        arcs
    };
    let arcs = dependencies.iter().copied().fold(String::new(), arc);
    let steps = path.iter().copied().zip(path.iter().copied().skip(1));
    let critical = steps.fold(String::new(), arc);
    let ticks = ticks(last, step, height + 8.0);
    let title = format!("Block {number}: dependencies between transactions");
    html! {
        figure {
            figcaption {
                h3 { (title) }
                p {
                    "Transactions from left to right. An arc leads from a transaction to one that depends on it."
                    @if !critical.is_empty() { " The thick arcs are the critical path." }
                }
            }
            div class="scroll" tabindex="0" role="group" aria-label=(title) {
                svg class="picture" role="img" aria-label={ (title) "; the pairs are in the table below" }
                    viewBox={ "0 0 " (WIDTH) " " (height + 20.0) } {
                    path d=(ticks) style=(format!("stroke:{}", BOUND.variable())) {}
                    path d=(arcs) style=(format!("stroke:{};fill:none;opacity:.55", series(0).variable())) {}
                    @if !critical.is_empty() {
                        path d=(critical)
                            style=(format!("stroke:{};stroke-width:3;fill:none", series(1).variable())) {}
                    }
                }
            }
            details {
                summary { "Pairs as a table: " (title) }
                (needs_table(&title, dependencies))
            }
        }
    }
}

/// A line below the arcs, with a tick for each transaction if there is enough space.
fn ticks(last: usize, step: f64, base: f64) -> String {
    let mut path = format!("M10 {base:.0}H{:.0}", WIDTH - 10.0);
    if step >= LEAST_STEP {
        for tx in 0..=last {
            // Writing to a string does not fail.
            let _ = write!(path, "M{:.1} {base:.0}v8", 10.0 + tx as f64 * step);
        }
    }
    path
}

/// One line for each transaction with dependencies.
fn needs_table(title: &str, dependencies: &[(usize, usize)]) -> Markup {
    let mut needs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in dependencies {
        needs.entry(*to).or_default().push(*from);
    }
    let line = |(tx, of): (&usize, &Vec<usize>)| {
        let of: Vec<_> = of.iter().map(ToString::to_string).collect();
        vec![Cell::text(tx.to_string()), Cell::text(of.join(", "))]
    };
    table(title, &["transaction", "depends on"], &needs.iter().map(line).collect::<Vec<_>>())
}
