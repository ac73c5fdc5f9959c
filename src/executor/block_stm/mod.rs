//! Optimistic parallel execution with multi-version memory, after Block-STM (Gelashvili et al.,
//! "Block-STM: Scaling Blockchain Execution by Turning Ordering Curse to a Performance Blessing",
//! PPoPP 2023), with one change of order: a transaction commits as soon as all before it have.
//!
//! # The algorithm
//!
//! Transactions of a block have a fixed order, and the outcome must be what that order gives. Workers
//! nevertheless execute them ahead of their turn, mostly lowest first, each *incarnation* of a transaction
//! reading what lower transactions have written so far ([`memory`], through a [`view`]) or else the
//! state before the block. What it read goes into its *read set*, with the values ([`read_set`]); what
//! it wrote is published for higher transactions to read.
//!
//! Who reads ahead of its turn is noted at the location before it reads (`memory::readers`). So whoever publishes
//! something there later knows whom it concerns, and makes those above it *suspect*.
//!
//! The lowest transaction that is not committed stands at the *frontier*. Everything below it is final, so when its
//! incarnation is done and it is not suspect, it has read what block order would have given it, and it *commits*. If
//! it is suspect, or has assumed anything, its read set is read once more: equal values mean the same. If one differs, it is executed again on
//! the spot, now against final state only, and that incarnation cannot fail.
//!
//! So one rule decides correctness: *what commits was executed on final state, or compared with it, or nothing that it
//! read has been changed since it read it* (C1 in [`scheduler`]). All else serves speed:
//!
//! - Idle workers check suspects early, and one that read an outdated value is *aborted* and executed again, long
//!   before the frontier reaches it.
//! - What an aborted incarnation had written stays in memory as *estimates*. Whoever reads one waits for
//!   the writer if it is being executed, or else stops and is executed again once the writer is done,
//!   rather than on a value that will probably change.
//! - Who is being executed and may have read what somebody publishes is told, compares at its next read, and gives up
//!   if that is outdated ([`running`]).
//! - What has written a slot will write it again: who reads it waits for the closest lower transaction of the kind of
//!   those who wrote it (that calls the same function of the same contract) that is being executed and has read it
//!   ([`running`]), for a few times as long as it would take to start over.
//! - Neighbours and transactions of a kind mostly depend on each other. A worker leaves them to whoever executes the
//!   one before, and starts the next that is neither, if there is one close by ([`scheduler`], `choice`).
//! - Payments are written as additions, the beneficiary's fee included. Additions of several
//!   transactions do not conflict; only a transaction that asks for a balance depends on those before
//!   it, and one that pays depends on there being enough (`demands`). Nonces are depended on only where
//!   something asks for them.
//! - A sender's nonce is known from the block itself, so that a sender's transactions do not wait for
//!   each other. It is assumed, and compared like everything else.
//! - Cheap neighbours are executed, published and committed together (`batches`). To the engine such a
//!   batch is one transaction, and that is what its indices count.
//! - What may use a large part of the block's gas is started early, so that the others do not have to
//!   wait for it in the end (`batches`).
//! - What a precompiled contract computed is kept for the transaction's next incarnation, which mostly asks for the
//!   same again (`precompiles`).
//! - What a worker has hashed in this block it does not hash again (`hashes`), like the workers of all
//!   other parallel executors.
//! - Committing moves the frontier, and nothing else. Results are handed on in block order by whoever comes by and finds
//!   nobody at it, so that no worker waits for that ([`engine`]).
//! - Whoever has nothing to do looks at a place of its own, where each task is offered to one ([`scheduler`]): a line of
//!   the cache that all want takes a fifth of a microsecond to come, each time.
//! - In a race, threads beyond those that can run at the same time stay asleep, as they would only take processors
//!   from the others; so do those that a short block does not pay for, and one that will be over before two threads have
//!   shared it out is executed as the baseline does (`batches`).
//!
//! Conflicts are found per balance, nonce, code and storage slot ([`memory::Location`]).
//!
//! When all is committed, memory holds what the block wrote, and the changes are read from there
//! (`settled`), on all threads (`collection`). In order, only receipts are put together.
//!
//! # Where to find it
//!
//! [`scheduler`] knows indices and statuses, [`memory`] locations and values, [`engine`] joins the two
//! with threads and a [`engine::Vm`]. None of them knows the EVM: `vm` is the one that
//! does, and tests drive the engine with a toy. `lap` has the threads, and the phases before and after the
//! transactions; `committer` puts receipts in order.

pub mod engine;
pub mod kinds;
pub mod memory;
pub mod read_set;
pub mod running;
pub mod scheduler;
pub mod view;

mod accounts;
mod batches;
mod collection;
mod committer;
mod demands;
mod lap;
mod own;
mod precompiles;
mod record;
mod settled;
mod vm;
mod worker_state;
mod writes;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use super::{
    ExecuteError, Execution, Observable, Sequential, WorkerPool, observe::Observer,
    pool::WorkerLimit,
};
use crate::block::ReplayJob;
use batches::threads_that_pay;
use std::num::NonZeroUsize;

pub use batches::{Batch, Plan};
pub(super) use record::record;

const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// Optimistic execution with multi-version memory. Where it does not apply, the block is executed as the baseline
/// does, and the mode says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockStm {
    /// Of all blocks of several transactions and by all threads, as whoever tests it wants.
    Always,
    /// Of those that are not too small for threads to pay, and by no more threads than do, nor than can run at the same
    /// time, as whoever races it wants.
    WhereItPays,
}

impl BlockStm {
    /// Who works on the block; `None` where it is left to the baseline's code.
    fn crew(self, job: &ReplayJob, pool: &WorkerPool) -> Option<WorkerLimit> {
        let crew = match self {
            Self::Always => WorkerLimit::All,
            // On one thread, too, it is said whether two would pay, so that the mode is the same on all.
            Self::WhereItPays => {
                WorkerLimit::AtMost(threads_that_pay(job, pool.at_once().max(TWO)))
            }
        };
        let is_shared =
            job.transactions.len() > 1 && crew != WorkerLimit::AtMost(NonZeroUsize::MIN);
        is_shared.then_some(crew)
    }
}

impl Observable for BlockStm {
    fn has_work_for_others(&self, job: &ReplayJob, pool: &WorkerPool) -> bool {
        self.crew(job, pool).is_some()
    }

    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        let Some(crew) = self.crew(job, pool) else {
            return Sequential.run(job, pool, observer);
        };
        lap::execute(job, pool, crew, observer)
    }
}
