//! Schedules transactions by their declared reads and writes.
//!
//! # What it models
//!
//! Solana's Sealevel (Yakovenko, "Sealevel: Parallel Processing Thousands of Smart Contracts",
//! 2019), in which transactions declare the accounts that they read and write. It also models
//! Cardano's eUTXO model, in which transactions name their inputs. Conflicts are known in advance,
//! so they are avoided and not detected. The oracle knowledge is each transaction's read set and
//! write set, at the granularity of `block-stm`, which is finer than accounts. Values are not
//! known.
//!
//! # The algorithm
//!
//! 1. Before the timer, the access sets give a dependency graph ([`access_sets`](crate::execution::access_sets)),
//!    and the weight of the longest path from each transaction ([`schedule`]). Only a read after a
//!    write is an edge. Each transaction keeps its own writes, so two writers of one location may
//!    run in any order.
//! 2. Workers take ready transactions, longest remaining path first (list scheduling; Graham,
//!    "Bounds on Multiprocessing Timing Anomalies", 1969). If none is ready, a worker starts a
//!    transaction that only waits for running ones. It then waits at its read.
//! 3. All threads compute the account diff, each for a part of the accounts. There is no validation
//!    of single transactions: with exact access sets no read can be outdated.
//!
//! # Invariants and failing assumptions
//!
//! They are those of [`access_sets`](crate::execution::access_sets). An undeclared access is detected, and the block
//! is executed again in order.

mod schedule;

use crate::{
    block::ReplayJob,
    execution::{
        ExecuteError, Execution, Observable,
        access::Accesses,
        access_sets::{AccessListDb, Declared, Ran, Run},
        codes::Codes,
        location::TxIndex,
        observe::{Activity, Event, Observer},
        worker::Worker,
    },
    executors::record_accesses,
    threads::{WorkerPool, tasks::run_on_all},
};
use alloy_consensus::Transaction as _;
use schedule::{Graph, Schedule};
use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Execution by declared accesses, for one block.
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
    /// The block is invalid, or the pre-state lacks a value that the block reads.
    pub fn prepare(job: &ReplayJob, threads: NonZeroUsize) -> Result<Self, ExecuteError> {
        Ok(Self::by(job, &record_accesses(job)?, threads))
    }

    /// As [`AccessList::prepare`], with these accesses, which may be wrong.
    fn by(job: &ReplayJob, accesses: &Accesses, threads: NonZeroUsize) -> Self {
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
        // It only distributes numbers, so relaxed is enough.
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

/// Stops the run when a worker panics. Its transactions never finish, so other workers must not
/// wait for them.
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
