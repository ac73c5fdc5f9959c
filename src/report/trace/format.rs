//! Traces of every executor against the rules of the Trace Event Format, as Perfetto's importer takes them:
//! it rounds times to nanoseconds, has slices of a thread nest and never overlap, drops a flow whose end
//! is in no slice, and takes thread 0 for Linux's idle task.

use super::*;
use crate::{
    block::prepare,
    cache::sample,
    executor::{ExecutorKind, WorkerPool},
    insight::timeline::watch,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    ops::Range,
};

/// Whole nanoseconds; the file has microseconds.
fn nanoseconds(value: &Value) -> u64 {
    let micros = value.as_f64().expect("a time is a number");
    assert!(micros >= 0.0, "no time is before the beginning");
    (micros * 1e3).round() as u64
}

/// The events of one run.
fn written(kind: ExecutorKind, threads: usize, block: usize) -> Vec<Value> {
    let blocks = sample().expect("the file that is built in is whole");
    let block = blocks.into_iter().nth(block).expect("there are several");
    let job = prepare(block, |_| ()).expect("it proves itself");
    let threads = NonZeroUsize::new(threads).expect("not zero");
    let pool = WorkerPool::new(threads).expect("the system has threads");
    let executor = kind.prepare(&job, threads).expect("the block is valid");
    let (_, trace) = watch(&*executor, &job, &pool).expect("the block is valid");
    let title = format!("{kind} on {threads} threads");
    let subject = Subject { chain_id: 1, title, names: job.numbered_state.names() };
    let mut out = Vec::new();
    write(&trace, &subject, &mut out).expect("writing to memory does not fail");
    let document: Value = serde_json::from_slice(&out).expect("it is JSON");
    document["traceEvents"].as_array().expect("it is a list").clone()
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

/// Which phases may come, and which members each must have.
fn check_members(event: &Value) {
    let members: &[&str] = match event["ph"].as_str().expect("every event has a phase") {
        "M" => &["pid", "name", "args"],
        "X" => &["pid", "tid", "name", "cat", "ts", "dur", "args"],
        "i" => &["pid", "tid", "name", "cat", "ts", "s"],
        "s" | "f" => &["pid", "tid", "name", "cat", "ts", "id"],
        other => panic!("phase {other}"),
    };
    for member in members {
        assert!(!event[*member].is_null(), "{member} of {event}");
    }
    assert!(event["name"].as_str().is_some_and(|name| !name.is_empty()), "{event}");
}

/// Starts and ends come in pairs of the same name and category, the start no later, both in a slice.
fn check_flows(events: &[Value], slices: &BTreeMap<u64, Vec<Range<u64>>>) {
    let mut started = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "s" || event["ph"] == "f") {
        let at = nanoseconds(&event["ts"]);
        let own = &slices[&event["tid"].as_u64().expect("a thread is a number")];
        assert!(own.iter().any(|slice| (slice.start..=slice.end).contains(&at)), "{event}");
        let id = event["id"].as_u64().expect("an id is a number");
        if event["ph"] == "s" {
            assert!(started.insert(id, event).is_none(), "an id is of one flow");
        } else {
            let start = started.remove(&id).expect("it was started before");
            assert_eq!((&start["name"], &start["cat"]), (&event["name"], &event["cat"]));
            assert!(nanoseconds(&start["ts"]) <= at);
            assert_eq!(event["bp"], "e", "it ends in the slice around it");
        }
    }
    assert!(started.is_empty(), "every flow ends");
}

#[test]
fn traces_of_all_executors_obey_the_trace_event_format() {
    for (kind, threads) in ExecutorKind::ALL.into_iter().flat_map(|kind| [(kind, 1), (kind, 3)]) {
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
                assert_eq!(own[0].start, 0, "{kind}: each thread begins with the block");
                assert!(own.windows(2).all(|pair| pair[0].end == pair[1].start), "{kind}");
                ends.extend(own.last().map(|last| last.end));
            }
            assert_eq!(ends.len(), 1, "{kind}: all threads end with the block");
            check_flows(&events, &slices);
        }
    }
}
