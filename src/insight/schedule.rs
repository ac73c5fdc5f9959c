//! Schedules of a block on a number of threads, simulated from what each transaction takes.
//!
//! The best schedule is as hard to find as any in scheduling; the one that always starts the transaction
//! with the longest way still to go is close to it, and never worse than twice (Graham, "Bounds on
//! multiprocessing timing anomalies", 1969). A transaction starts when all that it depends on have
//! ended. Nothing else takes time: no scheduling, no validation, nothing twice.

use super::graph::Graph;
use crate::executor::access::TxIndex;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    num::NonZeroUsize,
};

/// Which transaction a free thread takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Of those that could start, the one with the longest way to go, wherever in the block it is.
    LongestPathFirst,
    /// The next of the block, and waits with it until it can start.
    BlockOrder,
}

/// When each transaction runs, in the unit of the weights, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// By transaction.
    pub ends: Vec<u64>,
}

impl Schedule {
    /// When the last one ends.
    pub fn makespan(&self) -> u64 {
        self.ends.iter().copied().max().unwrap_or_default()
    }
}

/// Runs the transactions, which take as long as their weights, on so many threads.
pub fn simulate(graph: &Graph, weights: &[u64], threads: NonZeroUsize, order: Order) -> Schedule {
    match order {
        Order::LongestPathFirst => LongestPathFirst::new(graph, weights).run(threads),
        Order::BlockOrder => in_block_order(graph, weights, threads),
    }
}

/// How many times faster than one after the other the schedule is; `None` if nothing takes any time.
pub fn speedup(graph: &Graph, weights: &[u64], threads: NonZeroUsize, order: Order) -> Option<f64> {
    let makespan = simulate(graph, weights, threads, order).makespan();
    let total: u64 = weights.iter().sum();
    (makespan > 0).then(|| total as f64 / makespan as f64)
}

fn in_block_order(graph: &Graph, weights: &[u64], threads: NonZeroUsize) -> Schedule {
    let mut free_at: BinaryHeap<_> = (0..threads.get()).map(|_| Reverse(0)).collect();
    let mut ends: Vec<u64> = Vec::with_capacity(weights.len());
    for (tx, weight) in weights.iter().enumerate() {
        let Reverse(free) = free_at.pop().unwrap_or_default();
        let ready = graph.before(tx).map(|on| ends[on]).max().unwrap_or_default();
        ends.push(free.max(ready) + weight);
        free_at.push(Reverse(ends[tx]));
    }
    Schedule { ends }
}

/// A schedule in the making.
struct LongestPathFirst<'a> {
    weights: &'a [u64],
    /// By transaction: those that depend on it.
    after: Vec<Vec<TxIndex>>,
    /// By transaction: how many it still waits for.
    missing: Vec<usize>,
    /// By transaction: the weight of the longest chain that it begins.
    ranks: Vec<u64>,
    /// Those that could start: longest way first, then in block order.
    ready: BinaryHeap<(u64, Reverse<TxIndex>)>,
    /// Those that run, by when they end.
    running: BTreeSet<(u64, TxIndex)>,
    ends: Vec<u64>,
}

impl<'a> LongestPathFirst<'a> {
    fn new(graph: &Graph, weights: &'a [u64]) -> Self {
        let mut after = vec![Vec::new(); graph.len()];
        for tx in 0..graph.len() {
            graph.before(tx).for_each(|on| after[on].push(tx));
        }
        let missing: Vec<_> = (0..graph.len()).map(|tx| graph.before(tx).count()).collect();
        let ranks = ranks(&after, weights);
        let ready = (0..graph.len()).filter(|tx| missing[*tx] == 0);
        let ready = ready.map(|tx| (ranks[tx], Reverse(tx))).collect();
        let (running, ends) = (BTreeSet::new(), vec![0; graph.len()]);
        Self { weights, after, missing, ranks, ready, running, ends }
    }

    fn run(mut self, threads: NonZeroUsize) -> Schedule {
        let mut now = 0;
        loop {
            while self.running.len() < threads.get()
                && let Some((_, Reverse(tx))) = self.ready.pop()
            {
                self.running.insert((now + self.weights[tx], tx));
            }
            let Some((end, tx)) = self.running.pop_first() else { break };
            now = end;
            self.end(tx, now);
        }
        Schedule { ends: self.ends }
    }

    fn end(&mut self, tx: TxIndex, now: u64) {
        self.ends[tx] = now;
        for next in &self.after[tx] {
            self.missing[*next] -= 1;
            if self.missing[*next] == 0 {
                self.ready.push((self.ranks[*next], Reverse(*next)));
            }
        }
    }
}

/// Transactions depend on lower ones only, so that from the last to the first all that follow are known.
fn ranks(after: &[Vec<TxIndex>], weights: &[u64]) -> Vec<u64> {
    let mut ranks = vec![0; weights.len()];
    for tx in (0..weights.len()).rev() {
        let longest = after[tx].iter().map(|next| ranks[*next]).max().unwrap_or_default();
        ranks[tx] = weights[tx] + longest;
    }
    ranks
}

#[cfg(test)]
mod tests;
