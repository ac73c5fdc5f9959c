//! Which transaction can run next.
//!
//! A transaction is waiting, ready, running or done. It becomes ready when the last of those it reads from
//! is done, and of the ready ones that with the longest path behind it runs first.

use crate::{
    block::ReplayJob,
    executor::{
        access::{Accesses, TxIndex},
        declared::Declared,
    },
};
use alloy_consensus::Transaction as _;
use parking_lot::{Condvar, Mutex};
use std::{cmp::Reverse, collections::BinaryHeap, num::NonZeroUsize};

/// Most gas that several transactions which a worker takes at once may have as their limits. Taking one
/// costs about as much as a plain payment does.
const MOST_GAS_AT_ONCE: u64 = 200_000;

/// Who waits for whom.
#[derive(Debug)]
pub(super) struct Graph {
    /// How many transactions each waits for.
    waits_for: Vec<usize>,
    /// Those that wait for it.
    freed_by: Vec<Vec<TxIndex>>,
    /// Gas limits.
    gas: Vec<u64>,
    /// Gas limits along the longest path that begins with it, its own included. What a transaction will use
    /// is not declared.
    path: Vec<u64>,
}

impl Graph {
    pub(super) fn new(job: &ReplayJob, declared: &Declared, accesses: &Accesses) -> Self {
        let mut waits_for = Vec::with_capacity(accesses.transactions.len());
        let mut freed_by = vec![Vec::new(); accesses.transactions.len()];
        for (tx, access) in accesses.transactions.iter().enumerate() {
            let sources = declared.sources(tx, access);
            waits_for.push(sources.len());
            sources.into_iter().for_each(|source: TxIndex| freed_by[source].push(tx));
        }
        let gas: Vec<_> = job.transactions.iter().map(|tx| tx.gas_limit()).collect();
        let mut path = vec![0; freed_by.len()];
        for tx in (0..freed_by.len()).rev() {
            let behind = freed_by[tx].iter().map(|next| path[*next]).max().unwrap_or_default();
            path[tx] = behind + gas[tx];
        }
        Self { waits_for, freed_by, gas, path }
    }
}

/// Where one execution stands.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    graph: &'a Graph,
    threads: NonZeroUsize,
    /// Guards all that changes; held while a worker reports and takes, never while it executes.
    queue: Mutex<Queue>,
    /// Told when transactions become ready, and when there is nothing left to wait for.
    changed: Condvar,
}

#[derive(Debug)]
struct Queue {
    ready: BinaryHeap<(u64, Reverse<TxIndex>)>,
    waits_for: Vec<usize>,
    /// How many are not done.
    left: usize,
}

impl<'a> Schedule<'a> {
    /// Nothing is done yet.
    pub(super) fn new(graph: &'a Graph, threads: NonZeroUsize) -> Self {
        let waits_for = graph.waits_for.clone();
        let free = waits_for.iter().enumerate().filter(|(_, others)| **others == 0);
        let ready = free.map(|(tx, _)| (graph.path[tx], Reverse(tx))).collect();
        let queue = Mutex::new(Queue { ready, left: waits_for.len(), waits_for });
        Self { graph, threads, queue, changed: Condvar::new() }
    }

    /// Reports the transactions of the batch as done, and puts the next ones in their place, in the order in
    /// which they should run. Waits if there are none yet. `false` when there will be none.
    pub(super) fn next(&self, batch: &mut Vec<TxIndex>) -> bool {
        let mut queue = self.queue.lock();
        if queue.left > 0 {
            let done = batch.iter().flat_map(|tx| &self.graph.freed_by[*tx]);
            done.for_each(|waiting| queue.free(*waiting, self.graph));
            queue.left -= batch.len();
        }
        batch.clear();
        loop {
            if queue.left == 0 {
                self.changed.notify_all();
                return false;
            }
            if !queue.ready.is_empty() {
                break;
            }
            self.changed.wait(&mut queue);
        }
        self.take(&mut queue, batch);
        if !queue.ready.is_empty() {
            self.changed.notify_one();
        }
        true
    }

    /// Takes the first of the ready transactions, and more of them if they are many and cheap.
    fn take(&self, queue: &mut Queue, batch: &mut Vec<TxIndex>) {
        let most = 1 + queue.ready.len() / (4 * self.threads.get());
        let mut gas = 0;
        while let Some((_, Reverse(tx))) = queue.ready.peek().filter(|_| batch.len() < most) {
            gas += self.graph.gas[*tx];
            if gas > MOST_GAS_AT_ONCE && !batch.is_empty() {
                break;
            }
            batch.push(*tx);
            queue.ready.pop();
        }
    }

    /// Ends the run: nobody gets anything to do any more.
    pub(super) fn stop(&self) {
        let mut queue = self.queue.lock();
        queue.left = 0;
        self.changed.notify_all();
    }

    /// A worker that panics has transactions which nobody else will finish, so the others must not wait.
    pub(super) const fn stop_on_panic(&self) -> StopOnPanic<'_> {
        StopOnPanic(self)
    }
}

impl Queue {
    /// One of those that the transaction waits for is done.
    fn free(&mut self, waiting: TxIndex, graph: &Graph) {
        self.waits_for[waiting] -= 1;
        if self.waits_for[waiting] == 0 {
            self.ready.push((graph.path[waiting], Reverse(waiting)));
        }
    }
}

/// Stops the schedule when it is dropped in a panic.
pub(super) struct StopOnPanic<'a>(&'a Schedule<'a>);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}
