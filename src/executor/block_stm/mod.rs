//! Optimistic parallel execution with multi-version memory, after Block-STM (Gelashvili et al.,
//! "Block-STM: Scaling Blockchain Execution by Turning Ordering Curse to a Performance Blessing",
//! PPoPP 2023), with one change of order: a transaction commits as soon as all before it have.
//!
//! # The algorithm
//!
//! Transactions of a block have a fixed order, and the outcome must be what that order gives. Workers
//! nevertheless execute them ahead of their turn, lowest first, each *incarnation* of a transaction
//! reading what lower transactions have written so far ([`memory`], through a [`view`]) or else the
//! state before the block. What it read goes into its *read set*, with the values; what it wrote is
//! published for higher transactions to read.
//!
//! The lowest transaction that is not committed stands at the *frontier*. Everything below it is final,
//! so when its incarnation is done, its read set is read once more: equal values mean that the
//! incarnation did what block order would have done, and it *commits*. If a value differs, it is
//! executed again on the spot, now against final state only, and that incarnation cannot fail.
//!
//! So one rule decides correctness: *nothing commits that was not compared with, or executed on, final
//! state* (C1 in [`scheduler`]). All else serves speed:
//!
//! - A publication that changes something makes executed transactions above it suspect. Idle workers
//!   check suspects early, and one that read an outdated value is *aborted* and executed again, long
//!   before the frontier reaches it.
//! - What an aborted incarnation had written stays in memory as *estimates*. Whoever reads one stops,
//!   and is executed again once the writer is done, rather than on a value that will probably change.
//! - Payments are written as additions, the beneficiary's fee included. Additions of several
//!   transactions do not conflict; only a transaction that asks for a balance depends on those before
//!   it, and one that pays depends on there being enough (`demands`).
//! - A sender's nonce is known from the block itself, so that a sender's transactions do not wait for
//!   each other; it is compared like everything else.
//!
//! Conflicts are found per balance, nonce, code and storage slot ([`memory::Location`]).
//!
//! # Where to find it
//!
//! [`scheduler`] knows indices and statuses, [`memory`] locations and values, [`engine`] joins the two
//! with threads and a [`engine::Machine`]. None of them knows the EVM: [`machine`] is the one that
//! does, and tests drive the engine with a toy. [`committer`] puts committed transactions in order.

pub mod engine;
pub mod memory;
pub mod scheduler;
pub mod view;

mod committer;
mod demands;
mod fees;
mod instructions;
mod machine;
mod record;
mod worker_state;
mod writes;

#[cfg(test)]
mod tests;

use super::{
    ExecuteError, Execution, ExecutionMode, ExecutionStats, Executor, ExecutorKind, WorkerPool,
    observe::{Activity, Event, Nobody, Observer, Record},
};
use crate::{
    block::ReplayJob,
    state::{BlockState, PreState},
};
use alloy_evm::Evm as _;
use committer::Committer;
use machine::{EvmMachine, Shared};
use memory::Memory;
use writes::system_writes;

pub(super) use record::record;

/// Optimistic execution with multi-version memory.
#[derive(Clone, Copy, Debug)]
pub struct BlockStm;

impl Executor for BlockStm {
    fn kind(&self) -> ExecutorKind {
        ExecutorKind::BlockStm
    }

    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        execute(job, pool, &Nobody)
    }

    fn execute_observed(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        record: &Record<'_>,
    ) -> Result<Execution, ExecuteError> {
        execute(job, pool, record)
    }
}

fn execute(
    job: &ReplayJob,
    pool: &WorkerPool,
    observer: &impl Observer,
) -> Result<Execution, ExecuteError> {
    observer.tell(Event::Began(Activity::Before));
    let state = before_transactions(job)?;
    let memory = Memory::new(job.numbered_state.account_count(), job.numbered_state.slot_count());
    memory.publish_before_all(&system_writes(&state.post_state()?, &job.numbered_state)?);
    let shared = Shared::new(job);
    let mut committer = Committer::new(job, state);
    let run = engine::run(
        pool,
        job.transactions.len(),
        &memory,
        observer,
        || EvmMachine::new(&shared, &memory),
        |tx, output| committer.commit(tx, output),
    );
    observer.tell(Event::Began(Activity::After));
    let incarnations = run.ok_or(ExecuteError::Engine { executor: ExecutorKind::BlockStm })?;
    let wasted_gas = incarnations.cost.saturating_sub(committer.gas_executed());
    let outcome = committer.finish()?;
    let stats = ExecutionStats { incarnations: incarnations.count, wasted_gas };
    observer.tell(Event::Began(Activity::Absent));
    Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel })
}

/// The state that the first transaction sees: the pre-state and what the block's system calls wrote.
fn before_transactions(job: &ReplayJob) -> Result<BlockState<&PreState>, ExecuteError> {
    let context = job.context();
    let mut run = context.over(BlockState::new(&job.pre_state), 0);
    context.begin(&mut run).map_err(ExecuteError::outside)?;
    Ok(run.evm.finish().0)
}
