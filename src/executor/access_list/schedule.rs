//! Which transaction runs next.
//!
//! One whose sources (those it reads from) have all *ended* is ready, and of these that with the longest path behind
//! it runs first. Where none is ready, one starts whose sources were all *taken* by workers: it may get far before
//! it reads from them, and waits there.
//!
//! # Invariants
//!
//! - W1: *whatever a transaction reads from was taken before it.* Workers run what they took in the order in which they
//!   took it. So of all that were taken and have not ended, the one that was taken first is running, and waits for
//!   nobody: no circle of waits.
//! - W2: *while transactions are left, one can be taken*, as the lowest of them reads from lower ones only. So
//!   nobody waits for work.

use crate::executor::access::TxIndex;
use parking_lot::Mutex;
use std::{cmp::Reverse, collections::BinaryHeap, num::NonZeroUsize};

/// Most gas that several transactions which a worker takes at once may have as their limits. Taking one
/// costs about as much as a plain payment does.
const MOST_GAS_AT_ONCE: u64 = 200_000;

/// Who reads from whom.
#[derive(Debug)]
pub(super) struct Graph {
    /// From how many transactions each reads.
    sources: Vec<usize>,
    /// Those that read from it.
    read_by: Vec<Vec<TxIndex>>,
    /// Gas limits.
    gas: Vec<u64>,
    /// Gas limits along the longest path that begins with it, its own included. What a transaction will use
    /// is not declared.
    path: Vec<u64>,
}

impl Graph {
    /// By the sources and the gas limits of each transaction.
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

/// By transaction, the weight of the heaviest path that begins with it.
fn longest_paths(read_by: &[Vec<TxIndex>], weights: &[u64]) -> Vec<u64> {
    let mut path = weights.to_vec();
    for (tx, readers) in read_by.iter().enumerate().rev() {
        let longest = readers.iter().map(|reader| path[*reader]).max().unwrap_or_default();
        path[tx] = path[tx].saturating_add(longest);
    }
    path
}

/// Where one execution stands.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    graph: &'a Graph,
    /// How many can execute at the same time.
    threads: NonZeroUsize,
    /// Held while a worker reports and takes, never while it executes.
    queue: Mutex<Queue>,
}

/// The longest path comes first; of equal ones, the lowest transaction.
type Heap = BinaryHeap<(u64, Reverse<TxIndex>)>;

#[derive(Debug)]
struct Queue {
    /// Those not taken yet whose sources have all ended.
    ready: Heap,
    /// Those whose sources were all taken. Some have been taken themselves.
    startable: Heap,
    /// By transaction.
    missing: Vec<Missing>,
    stopped: bool,
}

/// What a transaction's sources still have to come to.
#[derive(Clone, Copy, Debug)]
struct Missing {
    taken: usize,
    ended: usize,
    /// Whether it was itself taken.
    is_taken: bool,
}

impl<'a> Schedule<'a> {
    /// Nothing is taken yet.
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

    /// Reports the transactions of the batch as ended, and puts the next ones in their place, in the order in
    /// which they have to run. `false` when there are no more.
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

    /// Takes the first of the ready transactions, and more of them if they are many and cheap.
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

    /// Ends the run: nobody gets anything to do any more.
    pub(super) fn stop(&self) {
        self.queue.lock().stopped = true;
    }
}

impl Queue {
    /// A worker will run the transaction, after what it has taken before.
    fn take(&mut self, tx: TxIndex, graph: &Graph) {
        self.missing[tx].is_taken = true;
        for reader in &graph.read_by[tx] {
            self.missing[*reader].taken -= 1;
            if self.missing[*reader].taken == 0 {
                self.startable.push(graph.ranked(*reader));
            }
        }
    }

    /// Takes the first of those whose sources were all taken, if there is any.
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
