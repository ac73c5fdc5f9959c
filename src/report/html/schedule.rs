//! Draws schedules: threads are rows, activities are bars.
//!
//! All bars of a kind form one path of thick strokes. The position of a bar is relative to the bar before it.
//! A page of many blocks with several executors therefore stays small.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use maud::{Markup, html};

use super::palette::{ABORTED, BOUND, Hue, INK, series};
use super::picture::WIDTH;
use super::table::{Cell, table};
use crate::report::picture::{Schedule, Span, SpanKind};
use crate::units;

/// Height of a thread's row in units.
const ROW: f64 = 26.0;

/// The kinds of bars with colour, height in units, and legend text.
const KINDS: [(SpanKind, Hue, f64, &str); 4] = [
    (SpanKind::Counted, series(0), 20.0, "committed incarnation"),
    (SpanKind::ThrownAway, ABORTED, 12.0, "aborted incarnation or prefetching"),
    (SpanKind::Waiting, INK, 4.0, "waiting for a dependency"),
    (SpanKind::Other, series(4), 8.0, "validation, commit, before and after"),
];

/// Minimum width of a bar and width of the gap between two bars, in tenths of a unit.
const LEAST: i64 = 2;

/// Narrower bars in sequence are drawn as one, because they would not be distinguishable. In tenths of a unit.
const NARROW: i64 = 6;

/// The schedules of one block.
pub(super) fn figures(number: u64, schedules: &[Schedule]) -> Markup {
    let longest = schedules.iter().map(|schedule| schedule.total).max().unwrap_or_default();
    html! {
        @if !schedules.is_empty() {
            h3 { "Block " (number) ": schedules" }
            p {
                "A profiled run of each executor. It is not among the timed iterations. Each line is a \
                 thread, from the start to the end of the block. Each bar is an activity. All lines have one \
                 time scale; the longest is " (units::short(longest)) "."
            }
            ul class="legend" {
                @for (_, hue, height, words) in KINDS { li { (swatch(hue, height)) (words) } }
            }
            @for schedule in schedules { (figure(number, schedule, longest)) }
        }
    }
}

fn swatch(hue: Hue, height: f64) -> Markup {
    let height = height * 0.7;
    html! {
        svg class="swatch" viewBox="0 0 14 14" aria-hidden="true" {
            rect width="14" y=(14.0 - height) height=(height) style=(format!("fill:{}", hue.variable())) {}
        }
    }
}

/// The schedule on a time scale whose end is `longest`.
fn figure(number: u64, schedule: &Schedule, longest: Duration) -> Markup {
    let threads = schedule.threads.get();
    let title = format!("Block {number}, {}", schedule.title);
    let height = threads as f64 * ROW + 4.0;
    html! {
        figure class="schedule" {
            figcaption { (schedule.title) ": " (units::short(schedule.total)) }
            div class="scroll" tabindex="0" role="group" aria-label=(title) {
                svg class="picture" role="img" aria-label={ (title) "; the sums are in the table below" }
                    viewBox={ "0 0 " (WIDTH) " " (height) } {
                    path d=(lines(threads, tenths(schedule.total, longest))) style=(format!("stroke:{}", BOUND.variable())) {}
                    @for (kind, hue, height, _) in KINDS {
                        @let bars = bars(schedule, kind, height, longest);
                        @if !bars.is_empty() {
                            path class="bars" d=(bars)
                                style=(format!("stroke:{};stroke-width:{height}", hue.variable())) {}
                        }
                    }
                }
            }
            details { summary { "Sums as a table: " (title) } (sums(&title, schedule)) }
        }
    }
}

/// The position of a time in tenths of a unit.
fn tenths(time: Duration, longest: Duration) -> i64 {
    let share = if longest.is_zero() { 0.0 } else { time.div_duration_f64(longest) };
    (share * WIDTH * 10.0).round() as i64
}

/// A line for each thread, up to the end of the run in tenths of a unit.
fn lines(threads: usize, end: i64) -> String {
    (1..=threads).fold(String::new(), |mut path, thread| {
        // Writing to a string does not fail.
        let _ = write!(path, "M0 {}H{}", thread as f64 * ROW, decimal(end));
        path
    })
}

/// A path with a stroke for each bar of a kind. The bars stand on the line of their thread.
fn bars(schedule: &Schedule, kind: SpanKind, height: f64, longest: Duration) -> String {
    let tenths = |time| tenths(time, longest);
    let mut path = String::new();
    for thread in 0..schedule.threads.get() {
        let own = |span: &&Span| span.kind == kind && span.thread == thread;
        let ranges = schedule.spans.iter().filter(own);
        let ranges = ranges.map(|span| tenths(span.start)..tenths(span.start + span.length));
        let mut at = None;
        for Range { start: from, end: to } in merged(ranges) {
            // A narrow gap separates two bars.
            let length = (to - from - LEAST).max(LEAST);
            let begin = match at {
                None => format!("M{} {}", decimal(from), (thread + 1) as f64 * ROW - height / 2.0),
                Some(at) => format!("m{} 0", decimal(from - at)),
            };
            let _ = write!(path, "{begin}h{}", decimal(length));
            at = Some(from + length);
        }
    }
    path
}

/// Merges narrow adjacent ranges. The ranges are ascending.
fn merged(ranges: impl Iterator<Item = Range<i64>>) -> Vec<Range<i64>> {
    let mut merged: Vec<Range<i64>> = Vec::new();
    for range in ranges {
        let is_narrow = range.end - range.start < NARROW;
        match merged.last_mut().filter(|last| is_narrow && range.start - last.end <= LEAST) {
            Some(last) => last.end = last.end.max(range.end),
            None => merged.push(range),
        }
    }
    merged
}

/// Formats tenths as a number without unnecessary digits.
fn decimal(tenths: i64) -> String {
    let number = tenths as f64 / 10.0;
    if tenths % 10 == 0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

fn sums(title: &str, schedule: &Schedule) -> Markup {
    let line = |thread: usize| {
        let own = |kind: SpanKind| {
            let spans = schedule.spans.iter();
            spans.filter(move |span| span.thread == thread && span.kind == kind)
        };
        let mut cells = vec![Cell::text(format!("thread {}", thread + 1))];
        for (kind, ..) in KINDS {
            let time: Duration = own(kind).map(|span| span.length).sum();
            let share =
                if schedule.total.is_zero() { 0.0 } else { time.div_duration_f64(schedule.total) };
            cells.push(Cell::number(format!("{:.0} %", share * 100.0)));
        }
        cells
    };
    let titles = ["thread", KINDS[0].3, KINDS[1].3, KINDS[2].3, KINDS[3].3];
    table(title, &titles, &(0..schedule.threads.get()).map(line).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn the_position_of_a_bar_is_relative_to_the_bar_before() {
        let span = |thread, start, length, kind| Span {
            thread,
            start: Duration::from_micros(start),
            length: Duration::from_micros(length),
            kind,
        };
        let schedule = Schedule {
            title: "bal on 2 threads".into(),
            threads: NonZeroUsize::MIN.saturating_add(1),
            total: Duration::from_micros(1_000),
            spans: vec![
                span(0, 0, 100, SpanKind::Counted),
                span(0, 100, 50, SpanKind::ThrownAway),
                span(0, 150, 100, SpanKind::Counted),
                span(1, 500, 500, SpanKind::Counted),
            ],
        };
        // The gap between bars is two tenths.
        let drawn = |kind, height| bars(&schedule, kind, height, schedule.total);
        assert_eq!(drawn(SpanKind::Counted, 20.0), "M0 16h99.8m50.2 0h99.8M500 42h499.8");
        assert_eq!(drawn(SpanKind::ThrownAway, 12.0), "M100 20h49.8");
        assert_eq!(drawn(SpanKind::Waiting, 4.0), "");
        // On the time scale of a run that takes twice as long, everything is half as wide.
        let longest = 2 * schedule.total;
        assert_eq!(bars(&schedule, SpanKind::ThrownAway, 12.0, longest), "M50 20h24.8");
        assert_eq!(lines(1, tenths(schedule.total, longest)), "M0 26H500");
    }

    #[test]
    fn only_narrow_adjacent_bars_are_merged() {
        let all = [0..20, 20..23, 23..26, 40..42, 42..80];
        assert_eq!(merged(all.into_iter()), [0..26, 40..42, 42..80]);
    }
}
