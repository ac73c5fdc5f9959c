//! Splits the threads' time of a profiled run into useful execution and losses.
//!
//! The parts of each thread add up to the block's time. All parts together are therefore threads times the
//! block's time. The executor records the activities ([`Activity`]).
//!
//! The position of idle time decides its cause. Before the first and after the last transaction, only one thread
//! has work. After the last work of a thread, no work was left for it: this is the idle tail. Between two pieces
//! of work, the thread was searching for work.

use super::trace::Trace;
use crate::execution::observe::Activity;
use std::{
    ops::{Add, Range},
    time::Duration,
};

/// Time of all threads by purpose. The sum is threads times the block's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Execution of committed incarnations.
    pub useful: Duration,
    /// Execution of aborted incarnations.
    pub wasted: Duration,
    /// Execution that only warmed up the state.
    pub warming: Duration,
    /// Validation.
    pub checking: Duration,
    /// Commit: making results final, in block order.
    pub committing: Duration,
    /// Waiting for a dependency during an execution, or at a rendezvous of shards.
    pub waiting: Duration,
    /// Searching and waiting for work while more is to come.
    pub searching: Duration,
    /// Idle after the thread's last work, while other threads still execute or commit.
    pub tail: Duration,
    /// Work before the first and after the last transaction.
    pub outside: Duration,
    /// Idle before the first and after the last transaction.
    pub idle_outside: Duration,
}

impl Spent {
    /// The parts with names for reports. Useful execution is the first.
    pub fn parts(&self) -> [(&'static str, Duration); 10] {
        [
            ("useful execution", self.useful),
            ("aborted incarnations", self.wasted),
            ("prefetching (warm-up of state)", self.warming),
            ("validation", self.checking),
            ("commit", self.committing),
            ("waiting for a dependency", self.waiting),
            ("idle time between transactions", self.searching),
            ("idle time at the end (tail)", self.tail),
            ("work before and after the transactions", self.outside),
            ("idle time before and after the transactions", self.idle_outside),
        ]
    }

    /// Sum of all parts: threads times the block's time.
    pub fn total(&self) -> Duration {
        self.parts().into_iter().map(|(_, time)| time).sum()
    }

    /// Splits the time of all threads of a trace.
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

    /// Adds the idle `time` of a thread. Its last work ended at `left`. Any thread worked on transactions
    /// during `busy`.
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

/// From the first to the last moment at which any thread works on a transaction.
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
