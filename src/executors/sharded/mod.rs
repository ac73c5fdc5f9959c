//! Assigns accounts to shards. One thread executes each shard.
//!
//! # What it models
//!
//! Sharding by address, as in Elastico (Luu et al., CCS 2016), OmniLedger (Kokoris-Kogias et al.,
//! S&P 2018) and NEAR. Each account belongs to one shard. The transactions of a shard run in
//! sequence. A transaction that accesses several shards synchronises them. The oracle knowledge is
//! each transaction's read set and write set, as for `access-list`. Accounts that the block does
//! not write belong to no shard, because each shard can have a copy.
//!
//! # The algorithm
//!
//! 1. Before the timer, a [`partition`] assigns the written accounts to as many shards as threads.
//!    It uses a hash of the address or the block's own access graph. Each shard gets, in block
//!    order, the transactions that access its accounts.
//! 2. Each thread goes through the transactions of its shard. A transaction of one shard is
//!    executed at once. A transaction of several shards is a rendezvous: the threads wait until all
//!    have arrived, and the last one executes it.
//! 3. All threads compute the account diff, as for `access-list`.
//!
//! Reports show the share of transactions that access several shards.
//!
//! # Invariants
//!
//! The transactions of a shard run in block order, and two conflicting transactions have a common
//! shard. So the sources of a transaction are done when it runs ([`access_sets`](crate::execution::access_sets)). A
//! thread never waits for a transaction that is later in the block than its current one. So threads
//! cannot wait for each other in a cycle.
//!
//! # When its assumption fails
//!
//! An access outside the shards of a transaction finds a writer that is not done, or is an
//! undeclared write. Both are detected, and the block is executed again in order.

mod partition;

use crate::{
    block::ReplayJob,
    execution::{
        ExecuteError, Execution, ExecutionStats, Observable,
        access_sets::{AccessListDb, Declared, Ran, Run},
        codes::Codes,
        observe::{Activity, Event, Observer},
        worker::Worker,
    },
    executors::record_accesses,
    threads::{WorkerPool, tasks::run_on_all},
};
use parking_lot::{Condvar, Mutex};
pub use partition::Partition;
use partition::{AccountAccess, Plan};
use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Execution by shards, for one block.
#[derive(Debug)]
pub struct Sharded {
    partition: Partition,
    declared: Declared,
    traffic: AccountAccess,
    plan: Plan,
    codes: Codes,
}

impl Sharded {
    /// Derives the block's accesses from a sequential run, and assigns its accounts to one shard
    /// per thread.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks a value that the block reads.
    pub fn prepare(
        job: &ReplayJob,
        partition: Partition,
        threads: NonZeroUsize,
    ) -> Result<Self, ExecuteError> {
        let accesses = record_accesses(job)?;
        let traffic = AccountAccess::new(job, &accesses);
        let plan = Plan::new(job, &traffic, partition, threads);
        let declared = Declared::new(job, &accesses);
        let codes = Codes::new(&job.pre_state, threads);
        Ok(Self { partition, declared, traffic, plan, codes })
    }
}

/// Synchronises the threads at transactions of several shards.
struct Rendezvous<'a> {
    plan: &'a Plan,
    /// Guards the arrivals. A thread holds it briefly when it arrives at a rendezvous or has
    /// executed its transaction.
    arrivals: Mutex<Arrivals>,
    /// Signalled when a transaction of several shards is done, and when the run stops.
    changed: Condvar,
}

struct Arrivals {
    /// For each transaction, the number of shards that have not arrived.
    missing: Vec<usize>,
    done: Vec<bool>,
    stopped: bool,
}

/// Action of a thread at its next transaction.
enum Turn {
    Run,
    /// Another shard has executed it.
    WasRun,
    Stop,
}

impl<'a> Rendezvous<'a> {
    fn new(plan: &'a Plan) -> Self {
        let missing: Vec<_> = plan.shards_of.iter().map(Vec::len).collect();
        let arrivals = Arrivals { done: vec![false; missing.len()], missing, stopped: false };
        Self { plan, arrivals: Mutex::new(arrivals), changed: Condvar::new() }
    }

    /// A thread arrives at its next transaction. If another thread executes it, this one waits
    /// until it is done.
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
        // The transactions that the thread executed before are done.
        observer.tell(Event::Began(Activity::Search));
        turn
    }

    /// Marks a transaction as done.
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

/// Stops the run when a shard finds a wrong declaration, or panics.
struct AbortOnPanic<'a> {
    meeting: &'a Rendezvous<'a>,
    run: &'a Run<'a>,
}

impl AbortOnPanic<'_> {
    /// Releases all waiting threads. This shard will not arrive at other rendezvous, and will not
    /// execute sources of other transactions.
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
        // The number of shards is the number of threads. With another number of threads than
        // prepared, the plan is made here, inside the timed run.
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
        // It only distributes numbers, so relaxed is enough.
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
