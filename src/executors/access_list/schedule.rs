//! Order in which workers take transactions.
//!
//! The sources of a transaction are those that it reads from. A transaction is ready when all its
//! sources have *ended*. The ready transaction with the longest remaining path runs first. If none
//! is ready, a worker takes a transaction with sources that have all been *taken* by workers. It
//! can execute up to its first read from them, and waits there.
//!
//! # Invariants
//!
//! - W1: *the sources of a transaction are taken before it.* A worker runs its transactions in the
//!   order in which it took them. Consider the transactions that were taken and have not ended: the
//!   one taken first is running and waits for none. So there is no cycle of waits.
//! - W2: *while transactions remain, one can be taken*, because the lowest of them reads from lower
//!   ones only. So no worker waits for work.

use crate::execution::location::TxIndex;
use parking_lot::Mutex;
use std::{cmp::Reverse, collections::BinaryHeap, num::NonZeroUsize};

/// Limit on the sum of gas limits that a worker takes at once. Taking a transaction costs about as
/// much as executing a plain payment.
const MOST_GAS_AT_ONCE: u64 = 200_000;

/// Dependency graph of a block.
#[derive(Debug)]
pub(super) struct Graph {
    /// Number of sources of each transaction.
    sources: Vec<usize>,
    /// Readers of each transaction.
    read_by: Vec<Vec<TxIndex>>,
    /// Gas limits.
    gas: Vec<u64>,
    /// Sum of gas limits along the longest path from each transaction, its own included. The gas
    /// that it will use is not declared.
    path: Vec<u64>,
}

impl Graph {
    /// A graph from the sources and the gas limits of each transaction.
    pub(super) fn new(sources: &[Vec<TxIndex>], gas: Vec<u64>) -> Self {
        let mut read_by = vec![Vec::new(); sources.len()];
        for (tx, sources) in sources.iter().enumerate() {
            sources.iter().for_each(|source| read_by[*source].push(tx));
        }
        let path = longest_paths(&read_by, &gas);
        Self { sources: sources.iter().map(Vec::len).collect(), read_by, gas, path }
    }

    fn ranked(&self, tx: TxIndex) -> (u64, Reverse<TxIndex>) {
        (self.path[tx], Reverse(tx))
    }
}

/// For each transaction, the weight of the heaviest path that starts with it.
fn longest_paths(read_by: &[Vec<TxIndex>], weights: &[u64]) -> Vec<u64> {
    let mut path = weights.to_vec();
    for (tx, readers) in read_by.iter().enumerate().rev() {
        let longest = readers.iter().map(|reader| path[*reader]).max().unwrap_or_default();
        path[tx] = path[tx].saturating_add(longest);
    }
    path
}

/// State of the schedule in one execution.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    graph: &'a Graph,
    /// Number of transactions that can execute in parallel.
    threads: NonZeroUsize,
    /// Guards the queue. A worker holds it while it reports and takes, and never while it executes.
    queue: Mutex<Queue>,
}

/// The longest path comes first, and of equal paths the lowest transaction.
type Heap = BinaryHeap<(u64, Reverse<TxIndex>)>;

#[derive(Debug)]
struct Queue {
    /// Transactions that have not been taken and have only ended sources.
    ready: Heap,
    /// Transactions with sources that have all been taken. Some of them have been taken themselves.
    startable: Heap,
    /// By transaction.
    missing: Vec<Missing>,
    stopped: bool,
}

/// Sources that a transaction still waits for.
#[derive(Clone, Copy, Debug)]
struct Missing {
    taken: usize,
    ended: usize,
    /// Whether the transaction itself was taken.
    is_taken: bool,
}

impl<'a> Schedule<'a> {
    /// Starts with no transaction taken.
    pub(super) fn new(graph: &'a Graph, threads: NonZeroUsize) -> Self {
        let missing = graph.sources.iter().map(|sources| Missing {
            taken: *sources,
            ended: *sources,
            is_taken: false,
        });
        let free = graph.sources.iter().enumerate().filter(|(_, sources)| **sources == 0);
        let ready = free.map(|(tx, _)| graph.ranked(tx)).collect();
        let startable = Heap::new();
        let queue = Queue { ready, startable, missing: missing.collect(), stopped: false };
        Self { graph, threads, queue: Mutex::new(queue) }
    }

    /// Reports the transactions of the batch as ended, and fills the batch with the next ones, in
    /// the order in which they have to run. Returns `false` when none remain.
    pub(super) fn next(&self, batch: &mut Vec<TxIndex>) -> bool {
        let mut queue = self.queue.lock();
        batch.drain(..).for_each(|tx| queue.end(tx, self.graph));
        if queue.stopped {
            return false;
        }
        self.take_ready(&mut queue, batch);
        if batch.is_empty() {
            batch.extend(queue.take_startable(self.graph));
        }
        !batch.is_empty()
    }

    /// Takes the first ready transaction. Takes more of them if they are many and cheap.
    fn take_ready(&self, queue: &mut Queue, batch: &mut Vec<TxIndex>) {
        let most = 1 + queue.ready.len() / (4 * self.threads.get());
        let mut gas = 0;
        while let Some((_, Reverse(tx))) = queue.ready.peek().filter(|_| batch.len() < most) {
            let tx = *tx;
            gas += self.graph.gas[tx];
            if gas > MOST_GAS_AT_ONCE && !batch.is_empty() {
                break;
            }
            queue.ready.pop();
            queue.take(tx, self.graph);
            batch.push(tx);
        }
    }

    /// Ends the run: workers get no more transactions.
    pub(super) fn stop(&self) {
        self.queue.lock().stopped = true;
    }
}

impl Queue {
    /// A worker takes the transaction, and will run it after its earlier ones.
    fn take(&mut self, tx: TxIndex, graph: &Graph) {
        self.missing[tx].is_taken = true;
        for reader in &graph.read_by[tx] {
            self.missing[*reader].taken -= 1;
            if self.missing[*reader].taken == 0 {
                self.startable.push(graph.ranked(*reader));
            }
        }
    }

    /// Takes the first transaction with only taken sources, if there is one.
    fn take_startable(&mut self, graph: &Graph) -> Option<TxIndex> {
        while let Some((_, Reverse(tx))) = self.startable.pop() {
            if !self.missing[tx].is_taken {
                self.take(tx, graph);
                return Some(tx);
            }
        }
        None
    }

    fn end(&mut self, tx: TxIndex, graph: &Graph) {
        for reader in &graph.read_by[tx] {
            let missing = &mut self.missing[*reader];
            missing.ended -= 1;
            if missing.ended == 0 && !missing.is_taken {
                self.ready.push(graph.ranked(*reader));
            }
        }
    }
}

#[cfg(test)]
mod tests;
