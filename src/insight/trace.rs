//! Builds the activities of every thread during one run from the executor's events.
//!
//! The spans of a thread follow each other without gaps from the start to the end of the run. Their sum is the
//! block's time. A thread that has not joined yet, or has left, is [`Activity::Absent`]. [`Spent`] splits that
//! time by purpose.

use super::{latency::Latency, spent::Spent};
use crate::execution::{
    location::TxIndex,
    observe::{Activity, Conflict, Event, TimedEvent},
};
use std::{collections::HashMap, thread::ThreadId, time::Duration};

/// Distance of a point from the end of its span. The point must lie within the span, not in its neighbour.
const WITHIN: Duration = Duration::from_nanos(1);

/// A thread before its first event.
const ABSENT: Span =
    Span { activity: Activity::Absent, incarnation: 0, from: Duration::ZERO, to: Duration::ZERO };

/// A profiled run, thread by thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Duration of the run.
    pub total: Duration,
    /// Spans of each thread, without gaps. The threads are in the order of their first events.
    pub threads: Vec<Vec<Span>>,
    /// Events within the spans, by time.
    pub moments: Vec<Moment>,
}

/// An activity of a thread, with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The activity.
    pub activity: Activity,
    /// Incarnation of the transaction: the number of its earlier executions. Zero for activities without a
    /// transaction.
    pub incarnation: u32,
    /// Time since the start of the run.
    pub from: Duration,
    /// Time since the start of the run.
    pub to: Duration,
}

impl Span {
    /// Duration of the span.
    pub const fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// An event on a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Index into [`Trace::threads`].
    pub thread: usize,
    /// Time since the start of the run.
    pub at: Duration,
    /// Incarnation of the transaction: the number of its earlier executions.
    pub incarnation: u32,
    /// The event. Never [`Event::Began`] or [`Event::Resumed`].
    pub event: Event,
}

/// A point in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Index into [`Trace::threads`].
    pub thread: usize,
    /// Time since the start of the run.
    pub at: Duration,
}

/// The effect of a write on another transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The point at which the writer published.
    pub from: Point,
    /// The point at which the other transaction was affected. Never earlier than `from`.
    pub to: Point,
    /// The kind of effect.
    pub effect: Effect,
}

/// The effect of a write on another transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The write made a read of the other transaction stale.
    Aborts,
    /// The other transaction waited for the write, and continues.
    Releases,
}

impl Trace {
    /// Builds the trace of a run that took `total` on this number of threads. Threads without events were idle.
    pub(super) fn new(told: &[TimedEvent], total: Duration, threads: usize) -> Self {
        let mut making = Making::default();
        for told in told {
            making.add(told);
        }
        making.finish(total, threads)
    }

    /// The newest incarnation of each transaction, which is the committed one.
    pub(super) fn newest(&self) -> HashMap<TxIndex, u32> {
        let mut counts = HashMap::new();
        for (tx, span) in self.threads.iter().flatten().filter_map(execution) {
            let count = counts.entry(tx).or_default();
            *count = span.incarnation.max(*count);
        }
        counts
    }

    /// Whether the executor reported any event. Without events nothing is known of the threads' time.
    pub fn has_events(&self) -> bool {
        self.threads.iter().flatten().any(|span| span.activity != Activity::Absent)
    }

    /// Splits the threads' time by purpose.
    pub fn spent(&self) -> Spent {
        Spent::of(self)
    }

    /// Every execution of a transaction, or part of one between waits. Each has a mark for the committed
    /// incarnation.
    pub fn executions(&self) -> impl Iterator<Item = (usize, TxIndex, &Span, Counted)> {
        let newest = self.newest();
        let spans = self.threads.iter().enumerate();
        let spans = spans.flat_map(|(thread, spans)| spans.iter().map(move |span| (thread, span)));
        spans.filter_map(move |(thread, span)| {
            let (tx, span) = execution(span)?;
            let counted = newest.get(&tx) == Some(&span.incarnation);
            Some((thread, tx, span, if counted { Counted::Yes } else { Counted::No }))
        })
    }

    /// Shares of the block's time after which results were final; `None` without commit events.
    pub fn latency(&self) -> Option<Latency> {
        let finals = self.moments.iter().filter_map(|moment| match moment.event {
            Event::Committed { .. } => Some(moment.at),
            _ => None,
        });
        Latency::of(finals.collect(), self.total)
    }

    /// All effects of writes: on stale reads, and on waiting transactions.
    pub fn flows(&self) -> Vec<Flow> {
        let told = self.moments.iter().filter_map(|moment| self.flow(moment));
        told.chain(self.ends_of_waits()).collect()
    }

    /// Effects on transactions that waited in the middle of an execution.
    fn ends_of_waits(&self) -> impl Iterator<Item = Flow> {
        let threads = self.threads.iter().enumerate();
        let spans =
            threads.flat_map(|(thread, spans)| spans.iter().map(move |span| (thread, span)));
        spans.filter_map(|(thread, span)| {
            let Activity::Wait { on } = span.activity else { return None };
            let meanwhile =
                |other: &&Moment| (span.from..=span.to).contains(&other.at) && span.to < self.total;
            let mut moments = self.moments.iter().filter(meanwhile);
            let from = moments.find(|other| other.event == Event::Published { tx: on })?;
            let to = Point { thread, at: span.to + WITHIN };
            Some(Flow { from: from.point(), to, effect: Effect::Releases })
        })
    }

    fn flow(&self, moment: &Moment) -> Option<Flow> {
        match moment.event {
            Event::Aborted { tx, over: Some(Conflict { by: Some(by), .. }) } => {
                let earlier = self.moments.iter().filter(|other| other.at <= moment.at);
                let from =
                    earlier.rev().find(|other| other.event == Event::Published { tx: by })?;
                Some(Flow {
                    from: from.point(),
                    to: self.outdated_read(tx, from.at, moment),
                    effect: Effect::Aborts,
                })
            }
            Event::Blocked { tx, on } => {
                let mut later = self.moments.iter().filter(|other| other.at >= moment.at);
                let from = later.find(|other| other.event == Event::Published { tx: on })?;
                let to = self.next_execution(tx, from.at)?;
                Some(Flow { from: from.point(), to, effect: Effect::Releases })
            }
            _ => None,
        }
    }

    /// The end of the execution with the stale read. If it ended before the write, the point at which
    /// validation failed.
    fn outdated_read(&self, tx: TxIndex, written: Duration, noticed: &Moment) -> Point {
        let incarnation = noticed.incarnation;
        let mut parts = self.executions_of(tx).filter(|(_, span)| span.incarnation == incarnation);
        match parts.next_back() {
            Some((thread, span)) if span.to > written + WITHIN => {
                Point { thread, at: span.to - WITHIN }
            }
            _ => noticed.point(),
        }
    }

    fn next_execution(&self, tx: TxIndex, after: Duration) -> Option<Point> {
        let next = self.executions_of(tx).find(|(_, span)| span.from >= after);
        next.map(|(thread, span)| Point { thread, at: span.from + WITHIN })
    }

    /// All executions of a transaction with their threads, by time.
    fn executions_of(&self, tx: TxIndex) -> impl DoubleEndedIterator<Item = (usize, &Span)> {
        let spans = self
            .threads
            .iter()
            .enumerate()
            .flat_map(|(thread, spans)| spans.iter().map(move |span| (thread, span)));
        let of_tx = spans.filter(|(_, span)| span.activity == Activity::Execute { tx });
        let mut executions: Vec<_> = of_tx.collect();
        executions.sort_by_key(|(_, span)| span.from);
        executions.into_iter()
    }
}

impl Moment {
    const fn point(&self) -> Point {
        Point { thread: self.thread, at: self.at }
    }
}

fn execution(span: &Span) -> Option<(TxIndex, &Span)> {
    match span.activity {
        Activity::Execute { tx } => Some((tx, span)),
        _ => None,
    }
}

/// Whether an execution is the committed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Its result was committed.
    Yes,
    /// Its result was thrown away.
    No,
}

/// A trace under construction.
#[derive(Default)]
struct Making {
    trace: Trace,
    /// By row: the thread that currently uses it.
    holders: Vec<Option<ThreadId>>,
    /// Number of executions of each transaction so far.
    begun: HashMap<TxIndex, u32>,
}

impl Making {
    fn add(&mut self, told: &TimedEvent) {
        let (thread, at) = (self.row(told.thread), told.at);
        match told.event {
            Event::Began(activity) => {
                if let Activity::Execute { tx } = activity {
                    *self.begun.entry(tx).or_default() += 1;
                }
                let incarnation = self.incarnation(about(activity));
                self.begin(thread, Span { activity, incarnation, from: at, to: at });
                if activity == Activity::Absent {
                    self.leave(thread);
                }
            }
            Event::Resumed => {
                let interrupted = self.interrupted(thread);
                self.begin(thread, Span { from: at, to: at, ..interrupted });
            }
            event => {
                let incarnation = self.incarnation(concerned(event));
                self.trace.moments.push(Moment { thread, at, incarnation, event });
            }
        }
    }

    /// The activity of the thread before it began to wait.
    fn interrupted(&self, thread: usize) -> Span {
        let waits = |span: &&Span| matches!(span.activity, Activity::Wait { .. });
        let before = self.trace.threads[thread].iter().rev().find(|span| !waits(span));
        before.copied().unwrap_or(ABSENT)
    }

    /// The row of a thread. The first event comes from the caller, so it has the first row. The row of a worker
    /// that has left is reused. There are therefore at most as many rows as concurrent threads.
    fn row(&mut self, thread: ThreadId) -> usize {
        let is_own = |holder: &Option<ThreadId>| *holder == Some(thread);
        if let Some(row) = self.holders.iter().position(is_own) {
            return row;
        }
        let row = self.holders.iter().position(Option::is_none).unwrap_or(self.holders.len());
        if row == self.holders.len() {
            self.holders.push(None);
            self.trace.threads.push(vec![ABSENT]);
        }
        self.holders[row] = Some(thread);
        row
    }

    /// Releases the row of a thread that has left. The caller keeps its row.
    fn leave(&mut self, row: usize) {
        const CALLER: usize = 0;
        if row != CALLER {
            self.holders[row] = None;
        }
    }

    fn incarnation(&self, tx: Option<TxIndex>) -> u32 {
        let begun = tx.and_then(|tx| self.begun.get(&tx)).copied();
        begun.unwrap_or_default().saturating_sub(1)
    }

    fn begin(&mut self, thread: usize, span: Span) {
        let spans = &mut self.trace.threads[thread];
        if let Some(last) = spans.last_mut() {
            last.to = span.from;
        }
        spans.push(span);
    }

    fn finish(mut self, total: Duration, threads: usize) -> Trace {
        let told = self.trace.threads.len();
        self.trace.threads.resize_with(told.max(threads), || vec![ABSENT]);
        for spans in &mut self.trace.threads {
            if let Some(last) = spans.last_mut() {
                last.to = total;
            }
            spans.retain(|span| !span.length().is_zero());
        }
        Trace { total, ..self.trace }
    }
}

/// The transaction of an activity.
const fn about(activity: Activity) -> Option<TxIndex> {
    match activity {
        Activity::Execute { tx } | Activity::Check { tx } | Activity::Commit { tx } => Some(tx),
        Activity::Before
        | Activity::Wait { .. }
        | Activity::WarmUp { .. }
        | Activity::Search
        | Activity::After
        | Activity::Absent => None,
    }
}

/// The transaction of an event.
const fn concerned(event: Event) -> Option<TxIndex> {
    match event {
        Event::Began(activity) => about(activity),
        Event::Resumed => None,
        Event::Published { tx }
        | Event::Aborted { tx, .. }
        | Event::Blocked { tx, .. }
        | Event::Committed { tx } => Some(tx),
    }
}

#[cfg(test)]
mod tests;
