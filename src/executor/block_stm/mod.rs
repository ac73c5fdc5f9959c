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
//! - What an aborted incarnation had written stays in memory as *estimates*. Whoever reads one waits for
//!   the writer if it is being executed, or else stops and is executed again once the writer is done,
//!   rather than on a value that will probably change.
//! - Where most readers of a slot have written it, too, a reader waits for the closest lower one that is
//!   being executed ([`running`]), for about as long as it would take to start over.
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
//!
//! Conflicts are found per balance, nonce, code and storage slot ([`memory::Location`]).
//!
//! When all is committed, memory holds what the block wrote, and the changes are read from there
//! (`settled`), on all threads if there are many. In order, only receipts are put together.
//!
//! # Where to find it
//!
//! [`scheduler`] knows indices and statuses, [`memory`] locations and values, [`engine`] joins the two
//! with threads and a [`engine::Machine`]. None of them knows the EVM: [`machine`] is the one that
//! does, and tests drive the engine with a toy. `committer` puts receipts in order.

pub mod engine;
pub mod memory;
pub mod running;
pub mod scheduler;
pub mod view;

mod accounts;
mod batches;
mod committer;
mod demands;
mod machine;
mod own;
mod record;
mod settled;
mod worker_state;
mod writes;

#[cfg(test)]
mod tests;

use super::{
    BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats, Executor, ExecutorKind,
    WorkerPool,
    observe::{Activity, Event, Nobody, Observer, Record},
    tally::Tally,
};
use crate::{
    block::ReplayJob,
    evm::{BlockExecutor as _, BlockRun},
    state::BlockState,
};
use alloy_evm::Evm as _;
use batches::Plan;
use committer::Committer;
use engine::Steps;
use machine::{EvmMachine, Shared};
use memory::{Memory, WriteSet};
use running::Running;
use settled::SettledState;
use writes::phase_writes;

pub(super) use record::record;

/// Optimistic execution with multi-version memory.
#[derive(Clone, Copy, Debug)]
pub struct BlockStm;

impl Executor for BlockStm {
    fn kind(&self) -> ExecutorKind {
        ExecutorKind::BlockStm
    }

    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        execute(job, pool, Plan::new(job, pool.threads().get()), &Nobody)
    }

    /// Executes the transactions one by one, so that what is told of a step is told of a transaction.
    fn execute_observed(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        record: &Record<'_>,
    ) -> Result<Execution, ExecuteError> {
        execute(job, pool, Plan::one_by_one(job), record)
    }
}

fn execute(
    job: &ReplayJob,
    pool: &WorkerPool,
    plan: Plan,
    observer: &impl Observer,
) -> Result<Execution, ExecuteError> {
    observer.tell(Event::Began(Activity::Before));
    let (base, storage) = (&job.numbered_state, job.storage());
    let memory = Memory::new(base.accounts().len(), base.slots().len());
    let shared = Shared::new(job, &storage, plan);
    let settled = SettledState::new(&shared, &memory);
    let (phases, before_all) = begin(job, settled)?;
    memory.publish_before_all(&before_all);
    let Plan { batches, long } = &shared.plan;
    let running = Running::new(batches.len(), pool.crowding()).seen_by(observer);
    let mut committer = Committer::new(job);
    let run = engine::run(
        pool,
        Steps { count: batches.len(), early: long },
        &memory,
        &running,
        observer,
        || EvmMachine::new(&shared, &memory, &running),
        |step, output| committer.commit(batches[step].clone(), output),
    );
    observer.tell(Event::Began(Activity::After));
    let incarnations = run.ok_or(ExecuteError::Engine { executor: ExecutorKind::BlockStm })?;
    let committed = committer.finish()?;
    let wasted_gas = incarnations.cost.saturating_sub(committed.gas_used());
    let stats = ExecutionStats { incarnations: incarnations.count, wasted_gas, cross_shard: None };
    let outcome = finish(phases, committed, settled, pool, batches.len())?;
    observer.tell(Event::Began(Activity::Absent));
    Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel })
}

/// What runs before the transactions and after them, on what memory holds then.
type Phases<'a> = BlockRun<'a, BlockState<SettledState<'a>>>;

/// Runs what comes before the first transaction, and says what it writes.
fn begin<'a>(
    job: &'a ReplayJob,
    settled: SettledState<'a>,
) -> Result<(Phases<'a>, WriteSet), ExecuteError> {
    let context = job.context();
    let mut phases = context.over(BlockState::new(settled), 0);
    context.begin(&mut phases).map_err(ExecuteError::outside)?;
    let changes = phases.evm().db().post_state()?;
    Ok((phases, phase_writes(0, &changes, &job.numbered_state)?))
}

/// Runs what comes after the last transaction, and puts the outcome together.
fn finish(
    mut phases: Phases<'_>,
    committed: Tally<'_>,
    settled: SettledState<'_>,
    pool: &WorkerPool,
    steps: usize,
) -> Result<BlockOutcome, ExecuteError> {
    // What the first phase changed is in memory by now.
    *phases.evm_mut().db_mut() = BlockState::new(*phases.evm().db().base());
    committed.hand_over(&mut phases);
    let (evm, result) = phases.finish().map_err(ExecuteError::outside)?;
    settled.publish(steps, &evm.finish().0.post_state()?)?;
    Ok(BlockOutcome {
        receipts: result.receipts,
        gas_used: result.gas_used,
        blob_gas_used: result.blob_gas_used,
        requests: result.requests,
        post_state: settled.changes(pool),
    })
}
