//! Tests traces of every executor against the rules of the Trace Event Format, as Perfetto's importer reads it.
//!
//! The importer rounds times to nanoseconds. Slices of a thread must nest and must not overlap. The importer
//! drops a flow that ends in no slice. Thread 0 is the idle task of Linux.

use super::*;
use crate::{
    block::prepare, cache::sample, executors::ExecutorKind, insight::timeline::watch,
    threads::WorkerPool,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    ops::Range,
};

/// Converts the microseconds of the file to whole nanoseconds.
fn nanoseconds(value: &Value) -> u64 {
    let micros = value.as_f64().expect("a time is a number");
    assert!(micros >= 0.0, "a time is not negative");
    (micros * 1e3).round() as u64
}

/// The events of one run.
fn written(kind: ExecutorKind, threads: usize, block: usize) -> Vec<Value> {
    let blocks = sample().expect("the built-in sample is readable");
    let block = blocks.into_iter().nth(block).expect("the sample has enough blocks");
    let job = prepare(block, |_| ()).expect("the witness of the block is complete");
    let threads = NonZeroUsize::new(threads).expect("the count is not zero");
    let pool = WorkerPool::new(threads).expect("the threads start");
    let executor = kind.prepare(&job, threads).expect("the block is valid");
    let (execution, trace) = watch(kind, &*executor, &job, &pool).expect("the block is valid");
    let title = format!("{kind} on {threads} threads");
    let transactions = transactions(&job, &execution.outcome);
    let subject = Subject { chain_id: 1, title, names: job.indexed_state.names(), transactions };
    let mut out = Vec::new();
    write(&trace, &subject, &mut out).expect("writing to memory does not fail");
    let document: Value = serde_json::from_slice(&out).expect("the output is JSON");
    document["traceEvents"].as_array().expect("traceEvents is a list").clone()
}

/// The slices of each thread, in the order of the file.
fn slices(events: &[Value]) -> BTreeMap<u64, Vec<Range<u64>>> {
    let mut slices: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let from = nanoseconds(&event["ts"]);
        let thread = event["tid"].as_u64().expect("a thread is a number");
        slices.entry(thread).or_default().push(from..from + nanoseconds(&event["dur"]));
    }
    slices
}

/// Asserts that the phase is known and that the event has all members of its phase.
fn check_members(event: &Value) {
    let members: &[&str] = match event["ph"].as_str().expect("every event has a phase") {
        "M" => &["pid", "name", "args"],
        "X" => &["pid", "tid", "name", "cat", "ts", "dur", "args"],
        "i" => &["pid", "tid", "name", "cat", "ts", "s"],
        "s" | "f" => &["pid", "tid", "name", "cat", "ts", "id"],
        other => panic!("unknown phase {other}"),
    };
    for member in members {
        assert!(!event[*member].is_null(), "{member} is missing in {event}");
    }
    assert!(event["name"].as_str().is_some_and(|name| !name.is_empty()), "{event}");
}

/// Asserts that flow starts and ends form pairs of the same name and category. Both lie in a slice, and the
/// start is not later than the end.
fn check_flows(events: &[Value], slices: &BTreeMap<u64, Vec<Range<u64>>>) {
    let mut started = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "s" || event["ph"] == "f") {
        let at = nanoseconds(&event["ts"]);
        let own = &slices[&event["tid"].as_u64().expect("a thread is a number")];
        assert!(own.iter().any(|slice| (slice.start..=slice.end).contains(&at)), "{event}");
        let id = event["id"].as_u64().expect("an id is a number");
        if event["ph"] == "s" {
            assert!(started.insert(id, event).is_none(), "each flow has its own id");
        } else {
            let start = started.remove(&id).expect("the flow has a start");
            assert_eq!((&start["name"], &start["cat"]), (&event["name"], &event["cat"]));
            assert!(nanoseconds(&start["ts"]) <= at);
            assert_eq!(event["bp"], "e", "the flow ends in the enclosing slice");
        }
    }
    assert!(started.is_empty(), "every flow ends");
}

#[test]
fn traces_of_all_executors_conform_to_the_trace_event_format() {
    for (kind, threads) in
        ExecutorKind::BUILT_IN.into_iter().flat_map(|kind| [(kind, 1), (kind, 3)])
    {
        for block in 0..3 {
            let events = written(kind, threads, block);
            events.iter().for_each(check_members);
            let named = events.iter().filter(|event| event["name"] == "thread_name");
            let named: BTreeSet<_> = named.map(|event| event["tid"].as_u64()).collect();
            let slices = slices(&events);
            assert!(slices.keys().all(|thread| named.contains(&Some(*thread))), "{kind}");
            assert!(slices.keys().all(|thread| *thread > 0), "{kind}: 0 is the idle task");
            let mut ends = BTreeSet::new();
            for own in slices.values() {
                assert_eq!(own[0].start, 0, "{kind}: each thread starts with the block");
                assert!(own.windows(2).all(|pair| pair[0].end == pair[1].start), "{kind}");
                ends.extend(own.last().map(|last| last.end));
            }
            assert_eq!(ends.len(), 1, "{kind}: all threads end with the block");
            check_flows(&events, &slices);
        }
    }
}
