//! Writes a trace in the Trace Event Format of Chrome and Perfetto, and a summary of a few lines or as [`json`].
//!
//! Each thread has a track. Every span is a slice, with the facts of its transaction, and every abort, wait and commit is an instant. A flow
//! leads from a write to the transaction that it aborts or releases. Times are microseconds with decimals, so
//! that no nanosecond is lost. They are chosen so that slices do not overlap, for readers that truncate times
//! and for readers that add durations.

pub mod json;
mod transaction;

pub use transaction::{Target, TracedTx, transactions};

use super::{ReportError, analysis::place};
use crate::{
    execution::{
        location::Location,
        observe::{Activity, Conflict, Event},
    },
    insight::{Effect, Flow, Moment, Place, Point, Span, Spot, Trace},
    state::Names,
    units,
};
use serde_json::{Value, json};
use std::{io, time::Duration};
use transaction::{Aborts, arguments, of_transaction};

/// The subject of a trace.
#[derive(Clone, Debug)]
pub struct Subject {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Title: block, executor and threads.
    pub title: String,
    /// Addresses and storage keys by index.
    pub names: Names,
    /// Facts of the transactions, in block order.
    pub transactions: Vec<TracedTx>,
}

/// The process id of the trace.
const PROCESS: u32 = 1;

/// The thread id in the trace. It starts at 1, because thread 0 is the idle task of Linux and belongs to no
/// process. Perfetto puts its slices into the track of another thread and drops those that then overlap.
const fn track(thread: usize) -> usize {
    thread + 1
}

/// Writes `trace` as one JSON document.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(trace: &Trace, subject: &Subject, mut out: impl io::Write) -> Result<(), ReportError> {
    let document = json!({ "displayTimeUnit": "ns", "traceEvents": events(trace, subject) });
    serde_json::to_writer(&mut out, &document).map_err(ReportError::Json)?;
    writeln!(out).and_then(|()| out.flush()).map_err(ReportError::ContenderResult)
}

fn events(trace: &Trace, subject: &Subject) -> Vec<Value> {
    let mut events = vec![json!({
        "ph": "M", "pid": PROCESS, "name": "process_name", "args": { "name": subject.title },
    })];
    let aborts = Aborts::of(trace, subject);
    for (thread, spans) in trace.threads.iter().enumerate() {
        let track = track(thread);
        events.push(json!({
            "ph": "M", "pid": PROCESS, "tid": track, "name": "thread_name",
            "args": { "name": format!("thread {track}") },
        }));
        events.extend(spans.iter().map(|span| slice(track, span, subject, &aborts)));
    }
    events.extend(trace.moments.iter().filter_map(|moment| instant(moment, subject)));
    for (id, flow) in trace.flows().iter().enumerate() {
        events.extend(arrow(id, flow));
    }
    events
}

/// Converts a time to microseconds. Some readers multiply by 1000 and truncate. They must not get one
/// nanosecond less, because slices would then overlap.
fn microseconds(time: Duration) -> f64 {
    let nanoseconds = time.as_nanos() as f64;
    let micros = nanoseconds / 1e3;
    if micros * 1e3 < nanoseconds { micros.next_up() } else { micros }
}

/// The span's duration in microseconds. Some readers add it to the start. The sum must not exceed the start
/// of the next slice.
fn length(span: &Span) -> f64 {
    let (from, to) = (microseconds(span.from), microseconds(span.to));
    let exact = microseconds(span.length());
    if from + exact <= to { exact } else { exact - (from + exact - to) }
}

fn slice(track: usize, span: &Span, subject: &Subject, aborts: &Aborts) -> Value {
    let (category, name) = activity(span.activity);
    let args = match span.activity {
        Activity::Execute { tx } | Activity::Check { tx } | Activity::Commit { tx } => {
            arguments(tx, span.incarnation, subject, aborts)
        }
        Activity::WarmUp { tx } => of_transaction(tx, subject).into(),
        Activity::Wait { on } => json!({ "waits for": on }),
        Activity::Before | Activity::Search | Activity::After | Activity::Absent => json!({}),
    };
    json!({
        "ph": "X", "pid": PROCESS, "tid": track, "cat": category, "name": name,
        "ts": microseconds(span.from), "dur": length(span), "args": args,
    })
}

/// Category and name of an activity.
fn activity(activity: Activity) -> (&'static str, String) {
    match activity {
        Activity::Before => ("outside", "before transactions".to_owned()),
        Activity::Execute { tx } => ("execute", format!("execute {tx}")),
        Activity::Check { tx } => ("validate", format!("validate {tx}")),
        Activity::Commit { tx } => ("commit", format!("commit {tx}")),
        Activity::Wait { on } => ("wait", format!("wait for {on}")),
        Activity::WarmUp { tx } => ("prefetch", format!("prefetch for {tx}")),
        Activity::Search => ("wait", "wait for work".to_owned()),
        Activity::After => ("outside", "after transactions".to_owned()),
        Activity::Absent => ("absent", "absent".to_owned()),
    }
}

fn instant(moment: &Moment, subject: &Subject) -> Option<Value> {
    let incarnation = moment.incarnation;
    let (name, args) = match moment.event {
        Event::Aborted { tx, over } => {
            let at = over.and_then(|over| location(over.at, subject));
            let by = over.and_then(|Conflict { by, .. }| by);
            let args =
                json!({ "tx": tx, "incarnation": incarnation, "read": at, "written by": by });
            (format!("abort {tx}"), args)
        }
        Event::Blocked { tx, on } => {
            let args = json!({ "tx": tx, "incarnation": incarnation, "waits for": on });
            (format!("{tx} waits for {on}"), args)
        }
        Event::Committed { tx } => {
            (format!("final {tx}"), json!({ "tx": tx, "incarnation": incarnation }))
        }
        Event::Began(_) | Event::Resumed | Event::Published { .. } => return None,
    };
    Some(json!({
        "ph": "i", "s": "t", "pid": PROCESS, "tid": track(moment.thread), "cat": "moment", "name": name,
        "ts": microseconds(moment.at), "args": args,
    }))
}

fn location(location: Location, subject: &Subject) -> Option<String> {
    let place = Place::of(Spot::Field(location), &subject.names)?;
    Some(place::short(&place, subject.chain_id))
}

fn arrow(id: usize, flow: &Flow) -> [Value; 2] {
    let name = match flow.effect {
        Effect::Aborts => "aborts",
        Effect::Releases => "releases",
    };
    let end = |phase: &str, point: &Point| {
        json!({
            "ph": phase, "id": id, "pid": PROCESS, "tid": track(point.thread), "cat": "flow",
            "name": name, "ts": microseconds(point.at), "bp": "e",
        })
    };
    [end("s", &flow.from), end("f", &flow.to)]
}

/// Shares of the threads' time and the times at which results became final, as text.
pub fn summary(trace: &Trace) -> Vec<String> {
    let all = trace.total.saturating_mul(u32::try_from(trace.threads.len()).unwrap_or(u32::MAX));
    let mut lines = vec![format!(
        "{} on {}, of which:",
        units::duration(trace.total),
        super::counted(trace.threads.len(), "thread")
    )];
    let parts = trace.spent().parts().into_iter().filter(|(_, time)| !time.is_zero());
    lines.extend(parts.map(|(what, time)| part(what, time, all)));
    let Counts { aborts, waits } = Counts::of(trace);
    lines.push(format!("aborts: {aborts}; incarnations blocked on a dependency: {waits}"));
    lines.extend(trace.latency().map(|latency| {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        format!(
            "results final, as a share of the block's time: first {}, p50 {}, p90 {}, p99 {}",
            percent(latency.first),
            percent(latency.p50),
            percent(latency.p90),
            percent(latency.p99)
        )
    }));
    lines
}

/// Counts of events.
struct Counts {
    aborts: usize,
    /// Incarnations that were blocked on a dependency.
    waits: usize,
}

impl Counts {
    fn of(trace: &Trace) -> Self {
        let count = |wanted: fn(&Event) -> bool| {
            trace.moments.iter().filter(|moment| wanted(&moment.event)).count()
        };
        Self {
            aborts: count(|event| matches!(event, Event::Aborted { .. })),
            waits: count(|event| matches!(event, Event::Blocked { .. })),
        }
    }
}

fn part(what: &str, time: Duration, all: Duration) -> String {
    let share = if all.is_zero() { 0.0 } else { time.div_duration_f64(all) * 100.0 };
    format!("  {share:5.1} %  {what}")
}

#[cfg(test)]
mod format;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::observe::Activity::{Absent, Check, Execute, Search};
    use alloy_primitives::{Address, B256};

    fn at(nanos: u64) -> Duration {
        Duration::from_nanos(nanos)
    }

    fn span(activity: Activity, from: u64, to: u64) -> Span {
        Span { activity, incarnation: 0, from: at(from), to: at(to) }
    }

    fn moment(thread: usize, nanos: u64, event: Event) -> Moment {
        Moment { thread, at: at(nanos), incarnation: 0, event }
    }

    /// Transaction 1 reads a value before transaction 0 writes it.
    fn trace() -> Trace {
        let over = Some(Conflict { at: Location::Balance(0), by: Some(0) });
        Trace {
            total: at(10_000),
            threads: vec![
                vec![span(Execute { tx: 0 }, 0, 6_000), span(Absent, 6_000, 10_000)],
                vec![
                    span(Execute { tx: 1 }, 0, 4_001),
                    span(Search, 4_001, 7_000),
                    span(Check { tx: 1 }, 7_000, 10_000),
                ],
            ],
            moments: vec![
                moment(1, 4_000, Event::Published { tx: 1 }),
                moment(0, 5_000, Event::Published { tx: 0 }),
                moment(0, 5_500, Event::Committed { tx: 0 }),
                moment(1, 8_000, Event::Aborted { tx: 1, over }),
            ],
        }
    }

    fn written() -> Vec<Value> {
        let title = "block 1".to_owned();
        let hash = B256::repeat_byte(7);
        let transactions = [Target::Contract, Target::Created].map(|target| TracedTx {
            hash,
            gas: 21_000,
            to: Address::ZERO,
            target,
        });
        let (names, transactions) = (Names::default(), transactions.to_vec());
        let subject = Subject { chain_id: 1, title, names, transactions };
        let mut out = Vec::new();
        write(&trace(), &subject, &mut out).expect("writing to memory does not fail");
        let document: Value = serde_json::from_slice(&out).expect("the output is JSON");
        document["traceEvents"].as_array().expect("traceEvents is a list").clone()
    }

    fn of_phase(phase: &str) -> Vec<Value> {
        written().into_iter().filter(|event| event["ph"] == phase).collect()
    }

    #[test]
    fn every_span_is_a_slice_with_nanosecond_precision() {
        let slices = of_phase("X");
        assert_eq!(slices.len(), 5);
        let execution = &slices[2];
        assert_eq!((&execution["name"], &execution["tid"]), (&json!("execute 1"), &json!(2)));
        assert_eq!((&execution["ts"], &execution["dur"]), (&json!(0.0), &json!(4.001)));
        let hash = B256::repeat_byte(7);
        let expected = json!({
            "tx": 1, "incarnation": 0, "hash": hash, "gas": 21_000, "creates": Address::ZERO,
            "aborted because": "transaction 0 wrote a value after it was read",
        });
        assert_eq!(execution["args"], expected);
        let first = json!({
            "tx": 0, "incarnation": 0, "hash": hash, "gas": 21_000, "contract": Address::ZERO,
        });
        assert_eq!(slices[0]["args"], first);
    }

    #[test]
    fn start_plus_duration_does_not_exceed_the_start_of_the_next_slice() {
        for nanos in 0..100_000 {
            let (from, to) = (at(nanos * 977), at(nanos * 977 + nanos % 1_013));
            let span = Span { activity: Activity::Search, incarnation: 0, from, to };
            let end = microseconds(from) + length(&span);
            assert!(end <= microseconds(to) && microseconds(to) - end < 1e-6, "{nanos}");
        }
    }

    #[test]
    fn truncated_and_rounded_times_are_the_same_nanoseconds() {
        for nanos in (0..100_000).chain(123_456_789..123_556_789) {
            let scaled = microseconds(at(nanos)) * 1e3;
            assert_eq!((scaled as u64, scaled.round() as u64), (nanos, nanos));
        }
    }

    #[test]
    fn an_abort_names_the_writer_and_is_the_end_of_a_flow() {
        let instants = of_phase("i");
        let names: Vec<_> = instants.iter().map(|event| event["name"].as_str()).collect();
        assert_eq!(names, [Some("final 0"), Some("abort 1")]);
        assert_eq!(instants[1]["args"]["written by"], 0);
        let (starts, ends) = (of_phase("s"), of_phase("f"));
        assert_eq!((&starts[0]["ts"], &starts[0]["tid"]), (&json!(5.0), &json!(1)));
        assert_eq!((&ends[0]["ts"], &ends[0]["tid"]), (&json!(8.0), &json!(2)));
        assert_eq!(starts[0]["id"], ends[0]["id"]);
    }

    #[test]
    fn the_shares_of_the_summary_add_up_to_all_time() {
        let lines = summary(&trace());
        assert_eq!(lines[0], "10.000 µs on 2 threads, of which:");
        assert!(lines.contains(&"   50.0 %  useful execution".to_owned()), "{lines:?}");
        let percent = |line: &String| -> Option<f64> {
            line.split_once('%').and_then(|(part, _)| part.trim().parse().ok())
        };
        let sum: f64 = lines.iter().filter(|line| line.starts_with("  ")).filter_map(percent).sum();
        assert!((sum - 100.0).abs() < 0.5, "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("first 55.0 %")), "{lines:?}");
    }
}
