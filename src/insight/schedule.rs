//! Simulates schedules of a block on a number of threads.
//!
//! A transaction runs until it reads a value that an earlier transaction has yet to write. It waits there until
//! that transaction ends. Nothing else takes time: no scheduling, no validation, no re-execution.
//!
//! Finding the best schedule is NP-hard. Running the transaction with the longest remaining path first is close
//! to it, and at most twice as long (Graham, "Bounds on multiprocessing timing anomalies", 1969).

use crate::execution::location::TxIndex;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    num::NonZeroUsize,
};

/// A transaction to schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Running time, in any unit.
    pub weight: u64,
    /// Dependencies, ascending by position.
    pub waits: Vec<Wait>,
}

/// A position in a transaction at which another transaction must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// Running time before the wait. At most the weight of the task.
    pub at: u64,
    /// Index of the other transaction. It is always lower.
    pub on: TxIndex,
}

/// Rule by which a free thread selects a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The runnable transaction with the longest remaining path, anywhere in the block. A waiting transaction
    /// releases its thread.
    LongestPathFirst,
    /// The next transaction of the block. The thread keeps it until it ends.
    BlockOrder,
}

/// The longest chain of transactions that wait for each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// End of the last transaction on an unlimited number of threads.
    pub length: u64,
    /// The transactions in block order, each with its part of the length.
    pub parts: Vec<(TxIndex, u64)>,
}

/// The end of each transaction on this number of threads.
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

/// The end of the last transaction; `None` if all weights are zero.
pub fn makespan(tasks: &[Task], threads: NonZeroUsize, order: Order) -> Option<u64> {
    simulate(tasks, threads, order).into_iter().max().filter(|last| *last > 0)
}

/// The speedup of the schedule over sequential execution; `None` if all weights are zero.
pub fn speedup(tasks: &[Task], threads: NonZeroUsize, order: Order) -> Option<f64> {
    let makespan = makespan(tasks, threads, order)?;
    let total: u64 = tasks.iter().map(|task| task.weight).sum();
    Some(total as f64 / makespan as f64)
}

/// The chain of transactions that limits the block's time on any number of threads.
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

/// The end of a task that starts at `start` and always has a thread, and the last transaction that it waited
/// for.
fn end(task: &Task, start: u64, end_of: impl Fn(TxIndex) -> u64) -> (u64, Option<TxIndex>) {
    // `start` is moved later by the waiting time.
    let (mut start, mut waited_for) = (start, None);
    for wait in &task.waits {
        let ready = end_of(wait.on);
        if ready > start + wait.at {
            (start, waited_for) = (ready - wait.at, Some(wait.on));
        }
    }
    (start + task.weight, waited_for)
}

/// Each task goes to the first free thread, and occupies it while it waits. Lower tasks got threads earlier, so
/// every wait ends.
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

/// A part of a transaction that runs without waiting. A transaction with k waits has at most k + 1 segments.
/// Each segment follows the previous one and the dependencies at its start.
#[derive(Clone, Debug, Default)]
struct Segment {
    weight: u64,
    /// Segments that must have ended before this one starts.
    before: Vec<usize>,
}

/// Cuts tasks into segments at their waits. Also returns the last segment of each task.
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

/// State of the simulation.
struct LongestPathFirst<'a> {
    segments: &'a [Segment],
    /// By segment: the segments that wait for it.
    after: Vec<Vec<usize>>,
    /// By segment: number of unfinished dependencies.
    missing: Vec<usize>,
    /// By segment: weight of the longest chain that starts with it.
    ranks: Vec<u64>,
    /// Runnable segments, by longest chain, then in block order.
    ready: BinaryHeap<(u64, Reverse<usize>)>,
    /// Running segments, by their end.
    running: BTreeSet<(u64, usize)>,
    ends: Vec<u64>,
}

impl<'a> LongestPathFirst<'a> {
    /// The state before the first segment starts.
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

    /// Advances from one end of a segment to the next, and fills the free threads. A waiting segment occupies
    /// no thread, so no thread is idle while a segment is runnable. Returns the end of each segment.
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

    /// Ends a segment. Segments without further dependencies become runnable.
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

/// By segment, the weight of the longest chain that starts with it, its own weight included. This is the
/// *upward rank* of Topcuoglu et al., "Performance-Effective and Low-Complexity Task Scheduling", 2002.
/// Segments wait only for lower ones. In descending order, all successors are therefore known.
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
