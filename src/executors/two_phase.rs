//! Executes all transactions in parallel on the state before them, then validates them in block
//! order.
//!
//! # What it models
//!
//! Hyperledger Fabric's *execute, order, validate* (Androulaki et al., "Hyperledger Fabric: A
//! Distributed Operating System for Permissioned Blockchains", EuroSys 2018). There, transactions
//! are simulated on one state, and validated in order by the versions that they read. It also
//! models the two phases of Saraph and Herlihy ("An Empirical Study of Speculative Concurrency in
//! Ethereum Smart Contracts", 2019). They execute a block's transactions in parallel, and the
//! conflicting ones again in sequence. No oracle knowledge is needed.
//!
//! # The algorithm
//!
//! 1. The block's system calls run. The state after them is an immutable snapshot.
//! 2. All threads execute the transactions on the snapshot. They take them by an index.
//! 3. One thread validates each attempt in block order against the state after the earlier
//!    transactions ([`ordered_validator`](crate::execution::ordered_validator)). A valid attempt commits. An invalid one is
//!    discarded, and its transaction is executed again on that state at once.
//!
//! Fabric drops invalid transactions. Here the outcome must be that of block order, so they are
//! executed again. For the same reason validation is by value: a read value that was changed and
//! restored is valid.
//!
//! # Invariants
//!
//! Workers of the second phase share no written data. A transaction commits only after it was
//! validated against, or executed on, the state of block order.
//!
//! # When its assumption fails
//!
//! It assumes that few transactions of a block conflict. If many do, the third phase executes most
//! of the block again, on one thread.

use crate::{
    block::ReplayJob,
    execution::{
        ExecuteError, Execution, ExecutionMode, Observable,
        committer::before_transactions,
        observe::{Activity, Event, Observer},
        ordered_validator::OrderedValidator,
        speculative_db::SpeculativeDb,
        worker::Worker,
    },
    threads::{
        WorkerPool,
        tasks::{Tasks, run_each},
    },
};

/// Executes in parallel, validates in order.
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
