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
//!    by longest remaining path; Graham, "Bounds on Multiprocessing Timing Anomalies", 1969). A transaction
//!    that is done frees those that waited for it.
//! 3. All threads put the block together, each its part of the accounts. There is no validation pass:
//!    where the sets are exact, nothing can be outdated.
//!
//! # Invariants and failing assumptions
//!
//! Those of [`declared`](super::declared): an access beyond the declared sets is noticed, and then the block
//! is put together in order, by comparison.

mod schedule;

use super::{
    ExecuteError, Execution, ExecutionMode, ExecutorKind, Observable, WorkerPool,
    access::{self, TxIndex},
    codes::Codes,
    declared::{Declared, Published, Ran, Run},
    observe::{Activity, Event, Observer},
    tasks::run_on_all,
    worker::Worker,
};
use crate::block::ReplayJob;
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
        let graph = Graph::new(job, &declared, accesses);
        Self { declared, graph, codes: Codes::new(&job.pre_state, threads) }
    }
}

impl Observable for AccessList {
    fn kind(&self) -> ExecutorKind {
        ExecutorKind::AccessList
    }

    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::Before));
        let storage = job.storage();
        let run = Run::begin(job, &storage, &self.declared)?;
        let schedule = Schedule::new(&self.graph, pool.threads());
        // Only hands out numbers, so relaxed is enough.
        let workers = AtomicUsize::new(0);
        let done = run_on_all(pool, || {
            let _guard = schedule.stop_on_panic();
            observer.tell(Event::Began(Activity::Search));
            let codes = self.codes.of(workers.fetch_add(1, Ordering::Relaxed));
            let mut worker = Worker::speculative(job, Published::new(&run, codes));
            let mut batch = Vec::new();
            while schedule.next(&mut batch) {
                let execute = |tx: &TxIndex| run.execute(&mut worker, *tx, observer);
                if batch.iter().map(execute).any(|ran| ran == Ran::Otherwise) {
                    schedule.stop();
                }
                observer.tell(Event::Began(Activity::Search));
            }
            observer.tell(Event::Began(Activity::Absent));
        });
        done.ok_or(ExecuteError::Engine { executor: ExecutorKind::AccessList })?;
        let (outcome, stats) = run.finish(pool, observer)?;
        Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel })
    }
}

#[cfg(test)]
mod tests;
