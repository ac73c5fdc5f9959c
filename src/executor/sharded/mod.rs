//! Accounts split over shards, a thread for each.
//!
//! # What it models
//!
//! Sharding by address, as in Elastico (Luu et al., CCS 2016), OmniLedger (Kokoris-Kogias et al., S&P 2018)
//! and NEAR: each account lives in one shard, transactions within a shard run one after the other, and those
//! that need accounts of several synchronise them. Known beforehand: what each transaction reads and writes, as for
//! `access-list`, of which the accounts decide where it runs. Accounts that the block does not write belong to nobody, as
//! every shard can have a copy.
//!
//! # The algorithm
//!
//! 1. Untimed: a [`partition`] of the written accounts over as many shards as threads, by hash of the
//!    address or along the block's own access graph; and for each shard, in block order, the transactions
//!    that access its accounts.
//! 2. Every shard's thread goes through its transactions. One that is only there runs. One that is in several
//!    is a rendezvous: whoever comes first waits, and whose shard completes it runs it.
//! 3. All threads put the block together, as `access-list` does.
//!
//! Reports hold the share of transactions that crossed shards.
//!
//! # Invariants
//!
//! Each shard's transactions run in block order, and two transactions that conflict share a shard. So
//! whatever a transaction reads is done ([`declared`](super::declared)). No thread waits for a transaction
//! that is later in the block than the one it is at, so they cannot wait for each other in a circle.
//!
//! # When its assumption fails
//!
//! An access outside the shards of a transaction finds a writer that is not done, or makes one that nobody
//! declared. Both are noticed, and the block is executed again, in order.

mod partition;

use super::{
    ExecuteError, Execution, ExecutionStats, Observable, WorkerPool, access,
    codes::Codes,
    declared::{AccessListDb, Declared, Ran, Run},
    observe::{Activity, Event, Observer},
    tasks::run_on_all,
    worker::Worker,
};
use crate::block::ReplayJob;
use parking_lot::{Condvar, Mutex};
pub use partition::Partition;
use partition::{AccountAccess, Plan};
use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Execution by shards, for the block that it was made for.
#[derive(Debug)]
pub struct Sharded {
    partition: Partition,
    declared: Declared,
    traffic: AccountAccess,
    plan: Plan,
    codes: Codes,
}

impl Sharded {
    /// Derives the block's accesses from a sequential run, and splits its accounts over so many shards.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks what it reads.
    pub fn prepare(
        job: &ReplayJob,
        partition: Partition,
        threads: NonZeroUsize,
    ) -> Result<Self, ExecuteError> {
        let accesses = access::record(job)?;
        let traffic = AccountAccess::new(job, &accesses);
        let plan = Plan::new(job, &traffic, partition, threads);
        let declared = Declared::new(job, &accesses);
        let codes = Codes::new(&job.pre_state, threads);
        Ok(Self { partition, declared, traffic, plan, codes })
    }
}

/// Where the shards stand.
struct Rendezvous<'a> {
    plan: &'a Plan,
    /// Held for a moment by whoever comes to a rendezvous or has run its transaction.
    arrivals: Mutex<Arrivals>,
    /// Told when a transaction of several shards is done, and when all is over.
    changed: Condvar,
}

struct Arrivals {
    /// For each transaction, how many shards are still to come; of one that is done, none.
    missing: Vec<usize>,
    done: Vec<bool>,
    stopped: bool,
}

/// What a shard does with its next transaction.
enum Turn {
    Run,
    /// Another shard ran it.
    WasRun,
    Stop,
}

impl<'a> Rendezvous<'a> {
    fn new(plan: &'a Plan) -> Self {
        let missing: Vec<_> = plan.shards_of.iter().map(Vec::len).collect();
        let arrivals = Arrivals { done: vec![false; missing.len()], missing, stopped: false };
        Self { plan, arrivals: Mutex::new(arrivals), changed: Condvar::new() }
    }

    /// A shard comes to its next transaction, and waits for the others where they run it.
    fn arrive(&self, tx: usize, observer: &impl Observer) -> Turn {
        if self.plan.shards_of[tx].len() == 1 {
            return Turn::Run;
        }
        let mut arrivals = self.arrivals.lock();
        arrivals.missing[tx] -= 1;
        if arrivals.missing[tx] == 0 && !arrivals.stopped {
            return Turn::Run;
        }
        observer.tell(Event::Began(Activity::Wait { on: tx }));
        let turn = loop {
            match (arrivals.stopped, arrivals.done[tx]) {
                (true, _) => break Turn::Stop,
                (_, true) => break Turn::WasRun,
                _ => self.changed.wait(&mut arrivals),
            }
        };
        // What it had run before is done.
        observer.tell(Event::Began(Activity::Search));
        turn
    }

    /// A transaction is done.
    fn done(&self, tx: usize) {
        if self.plan.shards_of[tx].len() > 1 {
            self.arrivals.lock().done[tx] = true;
            self.changed.notify_all();
        }
    }

    fn stop(&self) {
        self.arrivals.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// How everything ends where a shard finds something wrong, or panics.
struct AbortOnPanic<'a> {
    meeting: &'a Rendezvous<'a>,
    run: &'a Run<'a>,
}

impl AbortOnPanic<'_> {
    /// This shard will not come to its other meetings, nor run what others read from, so they must not wait.
    fn end(&self) {
        self.meeting.stop();
        self.run.give_up();
    }
}

impl Drop for AbortOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.end();
        }
    }
}

impl Observable for Sharded {
    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        if self.plan.queues.len() == pool.threads().get() {
            return self.execute_by(&self.plan, job, pool, observer);
        }
        // Shards are threads. Whoever plans for other threads than it runs on pays for it here.
        let plan = Plan::new(job, &self.traffic, self.partition, pool.threads());
        self.execute_by(&plan, job, pool, observer)
    }
}

impl Sharded {
    fn execute_by(
        &self,
        plan: &Plan,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::Before));
        let storage = job.storage();
        let run = Run::begin(job, &storage, &self.declared)?;
        let meeting = Rendezvous::new(plan);
        // Only hands out numbers, so relaxed is enough.
        let shards = AtomicUsize::new(0);
        let done = run_on_all(pool, || {
            let ending = AbortOnPanic { meeting: &meeting, run: &run };
            observer.tell(Event::Began(Activity::Search));
            let shard = shards.fetch_add(1, Ordering::Relaxed);
            let codes = self.codes.of(shard);
            let mut worker = Worker::speculative(job, AccessListDb::new(&run, codes));
            for tx in &plan.queues[shard] {
                match meeting.arrive(*tx, observer) {
                    Turn::Run => match run.execute(&mut worker, *tx, observer) {
                        Ran::AsDeclared => meeting.done(*tx),
                        Ran::Otherwise => {
                            ending.end();
                            break;
                        }
                    },
                    Turn::WasRun => {}
                    Turn::Stop => break,
                }
            }
            observer.tell(Event::Began(Activity::Absent));
        });
        done.ok_or(ExecuteError::Engine { executor: "sharded" })?;
        let execution = run.finish(pool, observer)?;
        let stats = ExecutionStats { cross_shard: Some(plan.crossing()), ..execution.stats };
        Ok(Execution { stats, ..execution })
    }
}

#[cfg(test)]
mod tests;
