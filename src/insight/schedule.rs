//! Schedules of a block on a number of threads, simulated from what each transaction takes.
//!
//! A transaction runs until it reads what another has still to write, waits there, and goes on when that
//! one has ended. Nothing else takes time: no scheduling, no validation, nothing twice.
//!
//! The best schedule is as hard to find as any in scheduling; the one that always runs what has the
//! longest way still to go is close to it, and never worse than twice (Graham, "Bounds on multiprocessing
//! timing anomalies", 1969).

use crate::executor::access::TxIndex;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    num::NonZeroUsize,
};

/// A transaction to schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// How long it runs, in any unit.
    pub weight: u64,
    /// What it cannot go on without, ascending.
    pub waits: Vec<Wait>,
}

/// A point in a transaction at which another has to have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// After it ran for so long; at most its weight.
    pub at: u64,
    /// Which; always a lower index.
    pub on: TxIndex,
}

/// Which transaction a free thread takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Of those that can run or go on, the one with the longest way to go, wherever in the block it is.
    LongestPathFirst,
    /// The next of the block, and stays with it until it has ended.
    BlockOrder,
}

/// The longest chain of transactions that waited for each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// When the last one ends if no thread is ever wanting.
    pub length: u64,
    /// The transactions in block order, with the part of the length that each accounts for.
    pub parts: Vec<(TxIndex, u64)>,
}

/// When each transaction ends, by transaction, on so many threads.
pub fn simulate(tasks: &[Task], threads: NonZeroUsize, order: Order) -> Vec<u64> {
    match order {
        Order::LongestPathFirst => {
            let (segments, last) = segments(tasks);
            let ends = LongestPathFirst::new(&segments).run(threads);
            last.into_iter().map(|last| ends[last]).collect()
        }
        Order::BlockOrder => in_block_order(tasks, threads),
    }
}

/// When the last transaction ends; `None` if nothing takes any time.
pub fn makespan(tasks: &[Task], threads: NonZeroUsize, order: Order) -> Option<u64> {
    simulate(tasks, threads, order).into_iter().max().filter(|last| *last > 0)
}

/// How many times faster than one after the other the schedule is; `None` if nothing takes any time.
pub fn speedup(tasks: &[Task], threads: NonZeroUsize, order: Order) -> Option<f64> {
    let makespan = makespan(tasks, threads, order)?;
    let total: u64 = tasks.iter().map(|task| task.weight).sum();
    Some(total as f64 / makespan as f64)
}

/// The chain that decides how long the block takes on any number of threads.
pub fn critical_path(tasks: &[Task]) -> Path {
    let mut ends: Vec<(u64, Option<TxIndex>)> = Vec::with_capacity(tasks.len());
    for task in tasks {
        let end_of = |on: TxIndex| ends[on].0;
        let end = end(task, 0, end_of);
        ends.push(end);
    }
    let last = (0..ends.len()).max_by_key(|tx| ends[*tx].0);
    let part = |tx: TxIndex| {
        let (end, waited_for) = ends[tx];
        (tx, end - waited_for.map_or(0, |on| ends[on].0))
    };
    let mut parts: Vec<_> = std::iter::successors(last, |tx| ends[*tx].1).map(part).collect();
    parts.reverse();
    Path { length: last.map_or(0, |tx| ends[tx].0), parts }
}

/// When a task ends that starts at `start` and never wants a thread, and whom it waited for last.
fn end(task: &Task, start: u64, end_of: impl Fn(TxIndex) -> u64) -> (u64, Option<TxIndex>) {
    // The time at which it would have started, had it never waited.
    let (mut start, mut waited_for) = (start, None);
    for wait in &task.waits {
        let ready = end_of(wait.on);
        if ready > start + wait.at {
            (start, waited_for) = (ready - wait.at, Some(wait.on));
        }
    }
    (start + task.weight, waited_for)
}

/// Each task goes to the thread that is free first, and keeps it while it waits. Lower tasks were given threads
/// before, so whatever is waited for ends.
fn in_block_order(tasks: &[Task], threads: NonZeroUsize) -> Vec<u64> {
    let mut free_at: BinaryHeap<_> = (0..threads.get()).map(|_| Reverse(0)).collect();
    let mut ends: Vec<u64> = Vec::with_capacity(tasks.len());
    for task in tasks {
        let Reverse(free) = free_at.pop().unwrap_or_default();
        let (end, _) = end(task, free, |on| ends[on]);
        ends.push(end);
        free_at.push(Reverse(end));
    }
    ends
}

/// A part of a transaction that runs without waiting. A transaction that waits k times is k + 1 of them at most,
/// each of which comes after the one before it and after what is waited for there.
#[derive(Clone, Debug, Default)]
struct Segment {
    weight: u64,
    /// Segments that have to have ended.
    before: Vec<usize>,
}

/// Cuts tasks where they wait. Also returns the last segment of each.
fn segments(tasks: &[Task]) -> (Vec<Segment>, Vec<usize>) {
    let (mut segments, mut last): (Vec<Segment>, Vec<usize>) = (Vec::new(), Vec::new());
    for task in tasks {
        let (mut segment, mut from) = (Segment::default(), 0);
        for wait in &task.waits {
            if wait.at > from {
                segment.weight = wait.at - from;
                segments.push(segment);
                segment = Segment { weight: 0, before: vec![segments.len() - 1] };
                from = wait.at;
            }
            segment.before.push(last[wait.on]);
        }
        segment.weight = task.weight - from;
        segments.push(segment);
        last.push(segments.len() - 1);
    }
    (segments, last)
}

/// A schedule in the making.
struct LongestPathFirst<'a> {
    segments: &'a [Segment],
    /// By segment: those that wait for it.
    after: Vec<Vec<usize>>,
    /// By segment: how many it still waits for.
    missing: Vec<usize>,
    /// By segment: the weight of the longest chain that it begins.
    ranks: Vec<u64>,
    /// Those that could run: longest way first, then in block order.
    ready: BinaryHeap<(u64, Reverse<usize>)>,
    /// Those that run, by when they end.
    running: BTreeSet<(u64, usize)>,
    ends: Vec<u64>,
}

impl<'a> LongestPathFirst<'a> {
    /// Nothing runs yet.
    fn new(segments: &'a [Segment]) -> Self {
        let mut after = vec![Vec::new(); segments.len()];
        for (number, segment) in segments.iter().enumerate() {
            segment.before.iter().for_each(|before| after[*before].push(number));
        }
        let missing: Vec<_> = segments.iter().map(|segment| segment.before.len()).collect();
        let ranks = ranks(segments, &after);
        let ready = (0..segments.len()).filter(|number| missing[*number] == 0);
        let ready = ready.map(|number| (ranks[number], Reverse(number))).collect();
        let (running, ends) = (BTreeSet::new(), vec![0; segments.len()]);
        Self { segments, after, missing, ranks, ready, running, ends }
    }

    /// Goes from one end of a segment to the next, and fills the threads that are free then. A segment that
    /// waits gives its thread away, so that no thread is idle while something could run. Returns the ends by
    /// segment.
    fn run(mut self, threads: NonZeroUsize) -> Vec<u64> {
        let mut now = 0;
        loop {
            while self.running.len() < threads.get()
                && let Some((_, Reverse(number))) = self.ready.pop()
            {
                self.running.insert((now + self.segments[number].weight, number));
            }
            let Some((end, number)) = self.running.pop_first() else { break };
            now = end;
            self.end(number, now);
        }
        self.ends
    }

    /// A segment ends; those that waited for nothing else become ready.
    fn end(&mut self, number: usize, now: u64) {
        self.ends[number] = now;
        for next in &self.after[number] {
            self.missing[*next] -= 1;
            if self.missing[*next] == 0 {
                self.ready.push((self.ranks[*next], Reverse(*next)));
            }
        }
    }
}

/// By segment, the weight of the longest chain that it begins, its own included (its *upward rank*: Topcuoglu et
/// al., "Performance-Effective and Low-Complexity Task Scheduling", 2002). Segments wait for lower ones only, so that from the last to the first all that follow are known.
fn ranks(segments: &[Segment], after: &[Vec<usize>]) -> Vec<u64> {
    let mut ranks = vec![0; segments.len()];
    for (number, segment) in segments.iter().enumerate().rev() {
        let longest = after[number].iter().map(|next| ranks[*next]).max().unwrap_or_default();
        ranks[number] = segment.weight + longest;
    }
    ranks
}

#[cfg(test)]
mod tests;
