//! All transactions at once on the state before them, then one validation pass in order.
//!
//! # What it models
//!
//! Hyperledger Fabric's *execute, order, validate* (Androulaki et al., "Hyperledger Fabric: A Distributed
//! Operating System for Permissioned Blockchains", EuroSys 2018), where transactions are simulated on one
//! state and validated in order by the versions they read; and the two phases of Saraph and Herlihy ("An
//! Empirical Study of Speculative Concurrency in Ethereum Smart Contracts", 2019), who run a block's
//! transactions at once and those that conflict again, one after the other. Nothing is known beforehand.
//!
//! # The algorithm
//!
//! 1. The block's system calls run. Their result is a snapshot that does not change any more.
//! 2. Every transaction runs on the snapshot, on all threads, taken by an index.
//! 3. In block order, on one thread, each attempt is compared with the state that the transactions before
//!    it left ([`in_order`](super::in_order)). What it read is unchanged: it commits. If not, it loses, and is executed again
//!    on that state at once.
//!
//! Fabric throws losers away; here the block's outcome must be that of its order, so they run again. For
//! the same reason validation is by value: a transaction that read what somebody wrote back is no loser.
//!
//! # Invariants
//!
//! Nothing of the second phase writes what another worker reads. Nothing commits that was not compared with,
//! or executed on, the state of block order.
//!
//! # When its assumption fails
//!
//! It assumes that few transactions of a block conflict. Where many do, the third phase is the whole block
//! again, on one thread.

use super::{
    ExecuteError, Execution, ExecutionMode, Observable, WorkerPool,
    committer::before_transactions,
    in_order::OrderedValidator,
    observe::{Activity, Event, Observer},
    snapshot::SpeculativeDb,
    tasks::{Tasks, run_each},
    worker::Worker,
};
use crate::block::ReplayJob;

/// Execute at once, validate in order.
#[derive(Clone, Copy, Debug)]
pub struct TwoPhase;

impl Observable for TwoPhase {
    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::Before));
        let storage = job.storage();
        let snapshot = before_transactions(job, &storage)?;
        let tasks = Tasks {
            count: job.transactions.len(),
            worker: |_| {
                Worker::speculative(job, SpeculativeDb::new(&snapshot, job.env.cfg_env.spec))
            },
            task: |worker: &mut Worker<_>, tx| {
                observer.tell(Event::Began(Activity::Execute { tx }));
                worker.attempt(job, tx)
            },
            leave: |_| observer.tell(Event::Began(Activity::Absent)),
        };
        let attempts = run_each(pool, &tasks);
        let attempts = attempts.ok_or(ExecuteError::Engine { executor: "two-phase" })?.results;
        let mut in_order = OrderedValidator::new(job, &storage, snapshot, observer);
        for (tx, attempt) in attempts.into_iter().enumerate() {
            if in_order.commit(tx, attempt)?.is_break() {
                break;
            }
        }
        in_order.finish(ExecutionMode::Parallel)
    }
}
