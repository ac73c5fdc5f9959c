//! Where the time of a run's threads went: what was lost, and to what.
//!
//! Every thread's time is split into parts that add up to the block's time, so that all parts together are
//! threads times the block's time. What a thread does is what it told ([`Activity`]). Where it does nothing,
//! *when* decides what is to blame: while the others are before the first or after the last transaction,
//! that this is the work of one thread; after its own last piece of work, that there was nothing left for it
//! (the tail); between two, that it had to look for something to do.

use super::trace::Trace;
use crate::executor::observe::Activity;
use std::{
    ops::{Add, Range},
    time::Duration,
};

/// Time of all threads by what it went into, adding up to threads times the block's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Executing what counted in the end.
    pub useful: Duration,
    /// Executing what was thrown away.
    pub wasted: Duration,
    /// Executing what only warmed up the state.
    pub warming: Duration,
    /// Comparing what was read or written with what it should be.
    pub checking: Duration,
    /// Making results final, one after the other.
    pub committing: Duration,
    /// Waiting for another transaction in the middle of one's own, or where shards meet.
    pub waiting: Duration,
    /// Looking for work, and waiting for it, with more to come.
    pub searching: Duration,
    /// Idle after the thread's last work, while others still execute or commit.
    pub tail: Duration,
    /// At work before the first and after the last transaction.
    pub outside: Duration,
    /// Idle meanwhile.
    pub idle_outside: Duration,
}

impl Spent {
    /// The parts, with names for people, what counted first.
    pub fn parts(&self) -> [(&'static str, Duration); 10] {
        [
            ("executing what counted", self.useful),
            ("executing what was thrown away", self.wasted),
            ("warming up the state", self.warming),
            ("checking", self.checking),
            ("committing", self.committing),
            ("waiting for another transaction", self.waiting),
            ("looking for work", self.searching),
            ("nothing left to do (tail)", self.tail),
            ("before and after transactions", self.outside),
            ("idle meanwhile", self.idle_outside),
        ]
    }

    /// Of all parts: threads times the block's time.
    pub fn total(&self) -> Duration {
        self.parts().into_iter().map(|(_, time)| time).sum()
    }

    /// Splits the time of all of a trace's threads.
    pub(super) fn of(trace: &Trace) -> Self {
        let (newest, busy) = (trace.newest(), busy(trace));
        let mut spent = Self::default();
        for spans in &trace.threads {
            let works = |activity: &Activity| !is_idle(*activity) && !is_outside(*activity);
            let last = spans.iter().rev().find(|span| works(&span.activity));
            let left = last.map_or(busy.start, |span| span.to);
            for span in spans {
                let into = match span.activity {
                    Activity::Search | Activity::Absent => {
                        spent.add_idle(span.from..span.to, &busy, left);
                        continue;
                    }
                    Activity::Execute { tx } if newest.get(&tx) == Some(&span.incarnation) => {
                        &mut spent.useful
                    }
                    Activity::Execute { .. } => &mut spent.wasted,
                    Activity::WarmUp { .. } => &mut spent.warming,
                    Activity::Check { .. } => &mut spent.checking,
                    Activity::Commit { .. } => &mut spent.committing,
                    Activity::Wait { .. } => &mut spent.waiting,
                    Activity::Before | Activity::After => &mut spent.outside,
                };
                *into += span.length();
            }
        }
        spent
    }

    /// A thread did nothing in `time`, and nothing more from `left` on. Transactions were worked on while
    /// `busy`.
    fn add_idle(&mut self, time: Range<Duration>, busy: &Range<Duration>, left: Duration) {
        let within =
            |from: Duration, to: Duration| time.end.min(to).saturating_sub(time.start.max(from));
        let searching = within(busy.start, busy.end.min(left));
        let tail = within(busy.start.max(left), busy.end);
        self.searching += searching;
        self.tail += tail;
        self.idle_outside += (time.end - time.start).saturating_sub(searching + tail);
    }
}

const fn is_idle(activity: Activity) -> bool {
    matches!(activity, Activity::Search | Activity::Absent)
}

const fn is_outside(activity: Activity) -> bool {
    matches!(activity, Activity::Before | Activity::After)
}

/// From the first to the last moment at which anybody works on a transaction.
fn busy(trace: &Trace) -> Range<Duration> {
    let spans = || {
        let all = trace.threads.iter().flatten();
        all.filter(|span| !is_idle(span.activity) && !is_outside(span.activity))
    };
    let from = spans().map(|span| span.from).min().unwrap_or_default();
    let to = spans().map(|span| span.to).max().unwrap_or_default();
    from..to
}

impl Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            useful: self.useful + other.useful,
            wasted: self.wasted + other.wasted,
            warming: self.warming + other.warming,
            checking: self.checking + other.checking,
            committing: self.committing + other.committing,
            waiting: self.waiting + other.waiting,
            searching: self.searching + other.searching,
            tail: self.tail + other.tail,
            outside: self.outside + other.outside,
            idle_outside: self.idle_outside + other.idle_outside,
        }
    }
}
