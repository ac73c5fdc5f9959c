//! Declared reads and writes, scheduled along their dependencies.
//!
//! # What it models
//!
//! Solana's Sealevel (Yakovenko, "Sealevel: Parallel Processing Thousands of Smart Contracts", 2019), whose
//! transactions say beforehand which accounts they read and write, and Cardano's eUTXO model, where inputs
//! are named: conflicts are known, so they are avoided rather than found. Known beforehand: each
//! transaction's read and write sets, at the granularity of `block-stm`, which is finer than Sealevel's
//! accounts. Values are not known.
//!
//! # The algorithm
//!
//! 1. Untimed, from the sets: who reads what whom wrote ([`declared`](super::declared)), which gives a
//!    graph, and for each transaction how much depends on it ([`schedule`]). Only a read after a write is an
//!    edge: every transaction's writes stay where it left them, so that two writers of the same place need
//!    not wait for each other.
//! 2. Workers take whatever can run, first that with the longest path of others behind it (list scheduling
//!    by longest remaining path; Graham, "Bounds on Multiprocessing Timing Anomalies", 1969). Where nothing can run
//!    to its end, they start what only waits for transactions that are running, and wait where it reads
//!    from them.
//! 3. All threads put the block together, each its part of the accounts. There is no validation pass:
//!    where the sets are exact, nothing can be outdated.
//!
//! # Invariants and failing assumptions
//!
//! Those of [`declared`](super::declared): an access beyond the declared sets is noticed, and then the block
//! is executed again, in order.

mod schedule;

use super::{
    ExecuteError, Execution, Observable, WorkerPool,
    access::{self, TxIndex},
    codes::Codes,
    declared::{AccessListDb, Declared, Ran, Run},
    observe::{Activity, Event, Observer},
    tasks::run_on_all,
    worker::Worker,
};
use crate::block::ReplayJob;
use alloy_consensus::Transaction as _;
use schedule::{Graph, Schedule};
use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Execution by declared accesses, for the block that they were derived from.
#[derive(Debug)]
pub struct AccessList {
    declared: Declared,
    graph: Graph,
    codes: Codes,
}

impl AccessList {
    /// Derives the block's accesses from a sequential run.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks what it reads.
    pub fn prepare(job: &ReplayJob, threads: NonZeroUsize) -> Result<Self, ExecuteError> {
        Ok(Self::by(job, &access::record(job)?, threads))
    }

    /// The same with these accesses, right or wrong.
    fn by(job: &ReplayJob, accesses: &access::Accesses, threads: NonZeroUsize) -> Self {
        let declared = Declared::new(job, accesses);
        let gas = job.transactions.iter().map(|transaction| transaction.gas_limit());
        let graph = Graph::new(&declared.sources, gas.collect());
        Self { declared, graph, codes: Codes::new(&job.pre_state, threads) }
    }
}

impl Observable for AccessList {
    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::Before));
        let storage = job.storage();
        let run = Run::begin(job, &storage, &self.declared)?.seen_by(observer);
        let schedule = Schedule::new(&self.graph, pool.at_once());
        // Only hands out numbers, so relaxed is enough.
        let workers = AtomicUsize::new(0);
        let done = run_on_all(pool, || {
            let _guard = GiveUpOnPanic { schedule: &schedule, run: &run };
            observer.tell(Event::Began(Activity::Search));
            let make = || {
                let codes = self.codes.of(workers.fetch_add(1, Ordering::Relaxed));
                Worker::speculative(job, AccessListDb::new(&run, codes))
            };
            let (mut batch, mut worker) = (Vec::new(), None);
            while schedule.next(&mut batch) {
                let worker = worker.get_or_insert_with(make);
                let execute = |tx: &TxIndex| run.execute(worker, *tx, observer);
                if batch.iter().map(execute).any(|ran| ran == Ran::Otherwise) {
                    schedule.stop();
                    run.give_up();
                }
                observer.tell(Event::Began(Activity::Search));
            }
            observer.tell(Event::Began(Activity::Absent));
        });
        done.ok_or(ExecuteError::Engine { executor: "access-list" })?;
        run.finish(pool, observer)
    }
}

/// A worker that panics has transactions which nobody else will finish, so the others must not wait for them.
struct GiveUpOnPanic<'a> {
    schedule: &'a Schedule<'a>,
    run: &'a Run<'a>,
}

impl Drop for GiveUpOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.schedule.stop();
            self.run.give_up();
        }
    }
}

#[cfg(test)]
mod tests;
