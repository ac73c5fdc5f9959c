//! Tests with a constructed run, and with real runs over the built-in sample.

use super::*;
use crate::{
    block::{ReplayJob, prepare},
    cache::sample,
    execution::location::Location,
    executors::ExecutorKind,
    insight::timeline::watch,
    threads::WorkerPool,
};
use std::{collections::BTreeSet, num::NonZeroUsize, thread};

fn at(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// The ids of two other threads. The threads themselves do nothing.
fn two_threads() -> [ThreadId; 2] {
    [(), ()].map(|()| {
        let thread = thread::spawn(|| thread::current().id());
        thread.join().expect("the thread only returns its id")
    })
}

/// Transaction 1 reads a value that transaction 0 writes later. It is executed again.
fn conflict() -> Trace {
    let [caller, other] = two_threads();
    let over = Some(Conflict { at: Location::Balance(7), by: Some(0) });
    let told = [
        (1, caller, Event::Began(Activity::Execute { tx: 0 })),
        (2, other, Event::Began(Activity::Execute { tx: 1 })),
        (3, other, Event::Published { tx: 1 }),
        (4, other, Event::Began(Activity::Search)),
        (5, caller, Event::Published { tx: 0 }),
        (6, caller, Event::Committed { tx: 0 }),
        (6, other, Event::Began(Activity::Check { tx: 1 })),
        (7, other, Event::Aborted { tx: 1, over }),
        (7, other, Event::Began(Activity::Execute { tx: 1 })),
        (8, caller, Event::Began(Activity::Absent)),
        (9, other, Event::Committed { tx: 1 }),
    ];
    let told = told.map(|(micros, thread, event)| TimedEvent { at: at(micros), thread, event });
    Trace::new(&told, at(10), 3)
}

#[test]
fn spans_cover_the_run_without_gaps() {
    let trace = conflict();
    let spans = |thread: usize| -> Vec<_> {
        let spans = trace.threads[thread].iter();
        spans.map(|span| (span.activity, span.incarnation, span.from, span.to)).collect()
    };
    let (absent, first, second) =
        (Activity::Absent, Activity::Execute { tx: 0 }, Activity::Execute { tx: 1 });
    assert_eq!(
        spans(0),
        [(absent, 0, at(0), at(1)), (first, 0, at(1), at(8)), (absent, 0, at(8), at(10))]
    );
    assert_eq!(
        spans(1),
        [
            (absent, 0, at(0), at(2)),
            (second, 0, at(2), at(4)),
            (Activity::Search, 0, at(4), at(6)),
            (Activity::Check { tx: 1 }, 0, at(6), at(7)),
            (second, 1, at(7), at(10)),
        ]
    );
}

#[test]
fn the_time_of_threads_is_split_by_purpose() {
    let spent = conflict().spent();
    let expected = Spent {
        useful: at(10),
        wasted: at(2),
        checking: at(1),
        // Thread 1 before its first work, and between two executions.
        searching: at(1 + 2),
        // Thread 0 after its last work, and the third thread, which had no work.
        tail: at(2 + 9),
        idle_outside: at(1 + 1 + 1),
        ..Spent::default()
    };
    assert_eq!(spent, expected);
}

#[test]
fn an_abort_leads_from_the_write_to_the_failed_validation() {
    let flow = Flow {
        from: Point { thread: 0, at: at(5) },
        to: Point { thread: 1, at: at(7) },
        effect: Effect::Aborts,
    };
    assert_eq!(conflict().flows(), [flow]);
}

#[test]
fn a_blocked_transaction_is_released_by_its_dependency() {
    let [caller, other] = two_threads();
    let told = [
        (1, caller, Event::Began(Activity::Execute { tx: 0 })),
        (2, other, Event::Began(Activity::Execute { tx: 1 })),
        (3, other, Event::Blocked { tx: 1, on: 0 }),
        (3, other, Event::Began(Activity::Search)),
        (5, caller, Event::Published { tx: 0 }),
        (6, other, Event::Began(Activity::Execute { tx: 1 })),
    ];
    let told = told.map(|(micros, thread, event)| TimedEvent { at: at(micros), thread, event });
    let flow = Flow {
        from: Point { thread: 0, at: at(5) },
        to: Point { thread: 1, at: at(6) + WITHIN },
        effect: Effect::Releases,
    };
    assert_eq!(Trace::new(&told, at(9), 2).flows(), [flow]);
}

#[test]
fn an_execution_that_waits_stays_the_same_incarnation() {
    let [caller, other] = two_threads();
    let told = [
        (0, caller, Event::Began(Activity::Execute { tx: 0 })),
        (0, other, Event::Began(Activity::Execute { tx: 1 })),
        (2, other, Event::Began(Activity::Wait { on: 0 })),
        (5, caller, Event::Published { tx: 0 }),
        (5, caller, Event::Began(Activity::Absent)),
        (6, other, Event::Resumed),
        (8, other, Event::Published { tx: 1 }),
    ];
    let told = told.map(|(micros, thread, event)| TimedEvent { at: at(micros), thread, event });
    let trace = Trace::new(&told, at(9), 2);
    let executed: Vec<_> = trace.executions().filter(|(_, tx, ..)| *tx == 1).collect();
    assert!(
        executed
            .iter()
            .all(|(.., span, counted)| { span.incarnation == 0 && *counted == Counted::Yes })
    );
    assert_eq!(
        executed.iter().map(|(.., span, _)| span.length()).collect::<Vec<_>>(),
        [at(2), at(3)]
    );
    assert_eq!(trace.spent().waiting, at(4));
    let flow = Flow {
        from: Point { thread: 0, at: at(5) },
        to: Point { thread: 1, at: at(6) + WITHIN },
        effect: Effect::Releases,
    };
    assert_eq!(trace.flows(), [flow]);
}

fn jobs() -> impl Iterator<Item = ReplayJob> {
    let blocks = sample().expect("the built-in sample is complete");
    blocks.into_iter().take(3).map(|block| prepare(block, |_| ()).expect("the block proves itself"))
}

/// The trace of every executor for some blocks, on several threads.
fn real_traces() -> impl Iterator<Item = (ExecutorKind, usize, Trace)> {
    jobs().flat_map(|job| {
        let all =
            ExecutorKind::BUILT_IN.into_iter().flat_map(|kind| [1, 2, 4].map(|on| (kind, on)));
        let traces: Vec<_> = all
            .map(|(kind, threads)| {
                let threads = NonZeroUsize::new(threads).expect("not zero");
                let pool = WorkerPool::new(threads).expect("the system has threads");
                let executor = kind.prepare(&job, threads).expect("the block is valid");
                let (_, trace) = watch(kind, &*executor, &job, &pool).expect("the block is valid");
                let expected = if kind.is_parallel() { threads.get() } else { 1 };
                assert_eq!(trace.threads.len(), expected);
                (kind, job.transactions.len(), trace)
            })
            .collect();
        traces
    })
}

#[test]
fn real_spans_add_up_to_the_time_of_the_block_on_each_thread() {
    for (kind, _, trace) in real_traces() {
        for spans in &trace.threads {
            assert!(spans.windows(2).all(|pair| pair[0].to == pair[1].from), "{kind}: no gaps");
            assert_eq!(spans.iter().map(Span::length).sum::<Duration>(), trace.total, "{kind}");
        }
        let threads = u32::try_from(trace.threads.len()).expect("they are few");
        assert_eq!(trace.spent().total(), trace.total * threads, "{kind}");
    }
}

#[test]
fn every_executor_reports_executions_and_commits() {
    for (kind, transactions, trace) in real_traces() {
        let finals = trace.moments.iter().filter_map(|moment| match moment.event {
            Event::Committed { tx } => Some(tx),
            _ => None,
        });
        assert!(
            finals.eq(0..transactions),
            "{kind}: each transaction commits once, in block order"
        );
        let counted = trace.executions().filter(|(.., counted)| *counted == Counted::Yes);
        let counted: BTreeSet<_> = counted.map(|(_, tx, ..)| tx).collect();
        assert!(counted.into_iter().eq(0..transactions), "{kind}: every transaction was executed");
        assert!(trace.flows().iter().all(|flow| flow.from.at <= flow.to.at), "{kind}");
        assert!(trace.spent().outside > Duration::ZERO, "{kind}");
    }
}
