//! What every thread did during one run, put together from what the executor told.
//!
//! Every thread's spans follow each other without a gap from the beginning of the run to its end, so that
//! they add up to the block's time. A thread that is not there yet, or has left, is
//! [`Activity::Absent`]. Where all that time went is [`Spent`]'s to say.

use super::{latency::Latency, spent::Spent};
use crate::executor::{
    access::TxIndex,
    observe::{Activity, Conflict, Event, Told},
};
use std::{collections::HashMap, thread::ThreadId, time::Duration};

/// How far inside a span a point is that belongs to its end or beginning, and not to its neighbour.
const WITHIN: Duration = Duration::from_nanos(1);

/// A thread before it told anything.
const ABSENT: Span =
    Span { activity: Activity::Absent, incarnation: 0, from: Duration::ZERO, to: Duration::ZERO };

/// One run, thread by thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How long it took.
    pub total: Duration,
    /// Of every thread: what it did, without gaps. The one that told something first comes first.
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
    /// What; neither [`Event::Began`] nor [`Event::Resumed`].
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

impl Trace {
    /// Puts together what was told of a run that took `total` on so many threads. Those that told nothing
    /// had nothing to do.
    pub(super) fn new(told: &[Told], total: Duration, threads: usize) -> Self {
        let mut making = Making::default();
        for told in told {
            making.add(told);
        }
        making.finish(total, threads)
    }

    /// The newest incarnation of each transaction, which is the one that counted.
    pub(super) fn newest(&self) -> HashMap<TxIndex, u32> {
        let mut counts = HashMap::new();
        for (tx, span) in self.threads.iter().flatten().filter_map(execution) {
            let count = counts.entry(tx).or_default();
            *count = span.incarnation.max(*count);
        }
        counts
    }

    /// Where the threads' time went.
    pub fn spent(&self) -> Spent {
        Spent::of(self)
    }

    /// Every execution of a transaction, or part of one between waits, with whether it counted in the end.
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
        let told = self.moments.iter().filter_map(|moment| self.flow(moment));
        told.chain(self.ends_of_waits()).collect()
    }

    /// From what was waited for in the middle of something to where that went on.
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

    /// The end of the execution that read what was `written` meanwhile; where that was noticed, if the
    /// execution had ended before.
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

    /// Where and when a transaction was executed, by time.
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

/// Whether an execution is the one whose result the block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is.
    Yes,
    /// It was thrown away.
    No,
}

/// A trace in the making.
#[derive(Default)]
struct Making {
    trace: Trace,
    /// Who has which row, where anybody has it now.
    holders: Vec<Option<ThreadId>>,
    /// How many times each transaction was begun.
    begun: HashMap<TxIndex, u32>,
}

impl Making {
    fn add(&mut self, told: &Told) {
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

    /// What the thread did before it began to wait.
    fn interrupted(&self, thread: usize) -> Span {
        let waits = |span: &&Span| matches!(span.activity, Activity::Wait { .. });
        let before = self.trace.threads[thread].iter().rev().find(|span| !waits(span));
        before.copied().unwrap_or(ABSENT)
    }

    /// The row of a thread. The first to tell anything is the caller, whose row is its own. Workers come and
    /// go, and another may come in the place of one that has left, so that there are no more rows than threads
    /// at a time.
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

    /// The thread has left, for now.
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

/// The transaction that an activity is about.
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

/// The transaction that an event is about.
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
