//! What every thread did during one run, put together from what the executor told.
//!
//! Every thread's spans follow each other without a gap from the beginning of the run to its end, so that
//! they add up to the block's time. A thread that is not there yet, or has left, is
//! [`Activity::Absent`].

use super::latency::Latency;
use crate::executor::{
    access::TxIndex,
    observe::{Activity, Conflict, Event, Told},
};
use std::{collections::HashMap, thread::ThreadId, time::Duration};

/// How far inside a span a point is that belongs to its end or beginning, and not to its neighbour.
const WITHIN: Duration = Duration::from_nanos(1);

/// One run, thread by thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How long it took.
    pub total: Duration,
    /// Of every thread that told anything, the calling one first: what it did, without gaps.
    pub threads: Vec<Vec<Span>>,
    /// What happened within, by time.
    pub moments: Vec<Moment>,
}

/// Something that a thread did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What.
    pub activity: Activity,
    /// How many times the transaction had been executed before, if it is about one.
    pub incarnation: u32,
    /// Since the beginning of the run.
    pub from: Duration,
    /// Since the beginning of the run.
    pub to: Duration,
}

impl Span {
    /// How long it took.
    pub const fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// Something that happened on a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which of [`Trace::threads`].
    pub thread: usize,
    /// Since the beginning of the run.
    pub at: Duration,
    /// How many times the transaction had been executed before.
    pub incarnation: u32,
    /// What; never [`Event::Began`].
    pub event: Event,
}

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Which of [`Trace::threads`].
    pub thread: usize,
    /// Since the beginning of the run.
    pub at: Duration,
}

/// From a write to whom it concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where the writer published.
    pub from: Point,
    /// Where the other noticed; never earlier.
    pub to: Point,
    /// How it was concerned.
    pub effect: Effect,
}

/// What a write did to another transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Made what it had read outdated.
    Aborts,
    /// Let it go on, having waited.
    Releases,
}

/// Time of all threads by what it went into, adding up to threads times the block's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Executing what counted in the end.
    pub useful: Duration,
    /// Executing what was thrown away.
    pub wasted: Duration,
    /// Comparing what was read ahead of the turn.
    pub checking: Duration,
    /// Making results final.
    pub committing: Duration,
    /// Looking for work, and waiting for it.
    pub searching: Duration,
    /// Before the first and after the last transaction, and whatever was not told in detail.
    pub outside: Duration,
    /// While a thread was not there.
    pub absent: Duration,
}

impl Trace {
    /// Puts together what was told of a run that took `total`.
    pub(super) fn new(told: &[Told], total: Duration) -> Self {
        let mut making = Making::default();
        for told in told {
            making.add(told);
        }
        making.finish(total)
    }

    /// How many times each transaction was executed, by transaction.
    fn incarnations(&self) -> HashMap<TxIndex, u32> {
        let mut counts = HashMap::new();
        for (tx, span) in self.threads.iter().flatten().filter_map(execution) {
            let count = counts.entry(tx).or_default();
            *count = span.incarnation.max(*count);
        }
        counts
    }

    /// Where the threads' time went.
    pub fn spent(&self) -> Spent {
        let (newest, mut spent) = (self.incarnations(), Spent::default());
        for span in self.threads.iter().flatten() {
            let into = match span.activity {
                Activity::Execute { tx } if newest.get(&tx) == Some(&span.incarnation) => {
                    &mut spent.useful
                }
                Activity::Execute { .. } => &mut spent.wasted,
                Activity::Check { .. } => &mut spent.checking,
                Activity::Commit { .. } => &mut spent.committing,
                Activity::Search => &mut spent.searching,
                Activity::Before | Activity::After | Activity::Whole => &mut spent.outside,
                Activity::Absent => &mut spent.absent,
            };
            *into += span.length();
        }
        spent
    }

    /// When results became final, as shares of the block's time; `None` if nobody told.
    pub fn latency(&self) -> Option<Latency> {
        let finals = self.moments.iter().filter_map(|moment| match moment.event {
            Event::Committed { .. } => Some(moment.at),
            _ => None,
        });
        Latency::of(finals.collect(), self.total)
    }

    /// From every write that outdated a read, or that somebody waited for, to whom it concerned.
    pub fn flows(&self) -> Vec<Flow> {
        self.moments.iter().filter_map(|moment| self.flow(moment)).collect()
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

    /// The end of the execution that read what was `written` meanwhile; where that was noticed, if the
    /// execution had ended before.
    fn outdated_read(&self, tx: TxIndex, written: Duration, noticed: &Moment) -> Point {
        let incarnation = noticed.incarnation;
        let execution = self.executions(tx).find(|(_, span)| span.incarnation == incarnation);
        match execution {
            Some((thread, span)) if span.to > written + WITHIN => {
                Point { thread, at: span.to - WITHIN }
            }
            _ => noticed.point(),
        }
    }

    fn next_execution(&self, tx: TxIndex, after: Duration) -> Option<Point> {
        let next = self.executions(tx).find(|(_, span)| span.from >= after);
        next.map(|(thread, span)| Point { thread, at: span.from + WITHIN })
    }

    /// Where and when a transaction was executed, by time.
    fn executions(&self, tx: TxIndex) -> impl Iterator<Item = (usize, &Span)> {
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

/// A trace in the making.
#[derive(Default)]
struct Making {
    trace: Trace,
    threads: HashMap<ThreadId, usize>,
    /// How many times each transaction was begun.
    begun: HashMap<TxIndex, u32>,
}

impl Making {
    fn add(&mut self, told: &Told) {
        let thread = self.thread(told.thread);
        if let Event::Began(activity) = told.event {
            if let Activity::Execute { tx } = activity {
                *self.begun.entry(tx).or_default() += 1;
            }
            let incarnation = self.incarnation(about(activity));
            self.begin(thread, Span { activity, incarnation, from: told.at, to: told.at });
        } else {
            let incarnation = self.incarnation(concerned(told.event));
            let moment = Moment { thread, at: told.at, incarnation, event: told.event };
            self.trace.moments.push(moment);
        }
    }

    /// The threads by their first event; until then they were absent.
    fn thread(&mut self, id: ThreadId) -> usize {
        let next = self.trace.threads.len();
        let thread = *self.threads.entry(id).or_insert(next);
        if thread == next {
            let (from, to) = (Duration::ZERO, Duration::ZERO);
            let absent = Span { activity: Activity::Absent, incarnation: 0, from, to };
            self.trace.threads.push(vec![absent]);
        }
        thread
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

    fn finish(mut self, total: Duration) -> Trace {
        for spans in &mut self.trace.threads {
            if let Some(last) = spans.last_mut() {
                last.to = total;
            }
            spans.retain(|span| !span.length().is_zero());
        }
        Trace { total, ..self.trace }
    }
}

/// The transaction that an activity is about.
const fn about(activity: Activity) -> Option<TxIndex> {
    match activity {
        Activity::Execute { tx } | Activity::Check { tx } | Activity::Commit { tx } => Some(tx),
        Activity::Before
        | Activity::Search
        | Activity::After
        | Activity::Whole
        | Activity::Absent => None,
    }
}

/// The transaction that an event is about.
const fn concerned(event: Event) -> Option<TxIndex> {
    match event {
        Event::Began(activity) => about(activity),
        Event::Published { tx }
        | Event::Aborted { tx, .. }
        | Event::Blocked { tx, .. }
        | Event::Committed { tx } => Some(tx),
    }
}

#[cfg(test)]
mod tests;
