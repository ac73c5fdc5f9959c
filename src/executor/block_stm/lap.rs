//! One execution of a block on all threads, from the first system call to the outcome.
//!
//! The calling thread leads. It prepares the memory and runs the system calls before and after the
//! transactions. Meanwhile the other threads plan the batches, or collect the changes of the block.

use super::{
    batches::Plan,
    collection::Collection,
    committer::Committer,
    engine::{Board, Worker},
    machine::{BatchOutput, EvmMachine, Shared, Work},
    memory::WriteSet,
    running::Running,
    scheduler::Steps,
    settled::SettledState,
    writes::phase_writes,
};
use crate::{
    block::ReplayJob,
    evm::{BlockExecutionResult, BlockExecutor as _, BlockRun, Receipt},
    executor::{
        BlockOutcome, Crowding, ExecuteError, Execution, ExecutionMode, ExecutionStats,
        ExecutorKind, Leftovers, WorkerPool,
        handover::{ByFirst, Handover},
        observe::{Activity, Event, Observer},
        pool::Crew,
        tally::Tally,
    },
    state::{BlockState, PostState, Storage},
};
use alloy_evm::Evm as _;
use parking_lot::Mutex;
use std::num::NonZeroUsize;

/// State that all threads share.
struct Lap<'a, W> {
    job: &'a ReplayJob,
    storage: &'a Storage<'a>,
    /// Set by the leader before anything else.
    shared: Handover<Shared<'a>>,
    /// Created by the first thread that asks for it. That is mostly another thread, while the leader creates
    /// `shared` and runs the first system calls.
    planned: ByFirst<Planned<'a>>,
    at_once: NonZeroUsize,
    crowding: Crowding,
    /// Guards the committed results. One worker at a time hands outputs on, and the leader takes the lock when
    /// all are handed on. It is contended only if a worker panics. Lock order: after the board's locks.
    committer: Mutex<Committer<'a>>,
    /// Set when the plan exists and memory holds the writes of the first system calls. Transactions can then
    /// begin.
    begun: Handover<()>,
    collection: Collection,
    observer: &'a W,
}

/// Batches of the block, and the state of their execution.
struct Planned<'a> {
    work: Work<'a>,
    board: Board<BatchOutput>,
}

/// Error if a worker panicked and left its work unfinished.
const LOST: ExecuteError = ExecuteError::Engine { executor: ExecutorKind::BlockStm };

/// Result of the leading thread.
struct Led {
    result: BlockExecutionResult<Receipt>,
    /// Changes by the system calls and withdrawals after the transactions.
    changed_last: PostState,
    stats: ExecutionStats,
}

/// Executes the block.
pub(super) fn execute<W: Observer>(
    job: &ReplayJob,
    pool: &WorkerPool,
    crew: Crew,
    observer: &W,
) -> Result<Execution, ExecuteError> {
    let storage = job.storage();
    let make = || {
        observer.tell(Event::Began(Activity::Before));
        Lap {
            job,
            storage: &storage,
            shared: Handover::new(),
            planned: ByFirst::new(),
            at_once: pool.at_once().min(pool.size(crew)),
            crowding: pool.crowding(crew),
            committer: Mutex::new(Committer::new(job)),
            begun: Handover::new(),
            collection: Collection::default(),
            observer,
        }
    };
    let (lap, led) = pool.lead(crew, make, Lap::lead, Lap::follow);
    let Led { result, changed_last, stats } = led?;
    let Lap { shared, planned, collection, .. } = lap;
    let shared = shared.into_inner().ok_or(LOST)?;
    let post_state = collection.finish(shared.settled(), &changed_last)?;
    let outcome = BlockOutcome::new(result, post_state);
    let board = planned.into_inner().map(|planned| planned.board);
    let leftovers = Leftovers::new((shared.leave(), board));
    observer.tell(Event::Began(Activity::Absent));
    Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel, leftovers })
}

impl<'a, W: Observer> Lap<'a, W> {
    fn planned(&self) -> Option<&Planned<'a>> {
        self.planned.get_or_make(|| {
            let (job, threads) = (self.job, self.at_once);
            // A profiled run executes each transaction as its own batch, so that each event belongs to one
            // transaction.
            let Plan { batches, long, kinds } =
                if W::WATCHES { Plan::one_by_one(job, threads) } else { Plan::new(job, threads) };
            let board = Board::new(Steps { count: batches.len(), early: &long, kinds: &kinds });
            let running = Running::new(batches.len(), self.crowding).with_kinds(kinds);
            Planned { work: Work::new(job, batches, running.seen_by(self.observer)), board }
        })
    }

    fn lead(&self) -> Result<Led, ExecuteError> {
        let begun = self.begun.promise();
        let shared = self.shared.promise().give(Shared::new(self.job, self.storage));
        let settled = shared.settled();
        let (phases, before_all) = begin(shared)?;
        shared.memory.publish_before_all(&before_all);
        let planned = self.planned().ok_or(LOST)?;
        begun.give(());
        self.work(shared, planned, || EvmMachine::new(shared, &planned.work));
        // Comes before the committer's lock: a worker takes the committer's lock second.
        let done = planned.board.incarnations();
        let mut committer = self.committer.lock();
        let committed = committer.finish()?;
        let done = done.ok_or(LOST)?;
        let wasted_gas = done.cost.saturating_sub(committed.gas_used());
        let stats = ExecutionStats { incarnations: done.count, wasted_gas, cross_shard: None };
        let (result, changed_last) = finish(phases, committed, settled)?;
        settled.publish(planned.work.batches.len(), &changed_last)?;
        self.collection.collect(settled);
        Ok(Led { result, changed_last, stats })
    }

    fn follow(&self) {
        // If cores are scarce, a thread without a task must not take time from the others.
        let early = match self.crowding {
            Crowding::Roomy => self.planned().zip(self.shared.wait()),
            Crowding::Crowded => None,
        };
        let early = early.map(|(planned, shared)| EvmMachine::new(shared, &planned.work));
        if self.begun.wait().is_some()
            && let Some((planned, shared)) = self.planned().zip(self.shared.get())
        {
            let machine = || early.unwrap_or_else(|| EvmMachine::new(shared, &planned.work));
            self.work(shared, planned, machine);
            self.collection.collect(shared.settled());
            self.observer.tell(Event::Began(Activity::Absent));
        }
    }

    /// Executes transactions until all are committed or one makes the block invalid. The machine is created for
    /// the first task.
    fn work<'s>(
        &'s self,
        shared: &'s Shared<'a>,
        Planned { work, board }: &'s Planned<'a>,
        machine: impl FnOnce() -> EvmMachine<'s>,
    ) {
        let commit =
            |step: usize, output| self.committer.lock().commit(work.batches[step].clone(), output);
        let (memory, running) = (&shared.memory, &work.running);
        let worker = Worker { board, memory, running, commit, observer: self.observer };
        worker.work(machine);
        self.observer.tell(Event::Began(Activity::After));
    }
}

/// EVM for the phases before and after the transactions, over the state in memory.
type Phases<'a> = BlockRun<'a, BlockState<SettledState<'a>>>;

/// Runs the phase before the first transaction. Returns its EVM and its writes.
pub(super) fn begin<'a>(shared: &'a Shared<'a>) -> Result<(Phases<'a>, WriteSet), ExecuteError> {
    let (job, context) = (shared.job, shared.job.context());
    let mut phases = context.over(BlockState::new(shared.settled()), 0);
    context.begin(&mut phases).map_err(ExecuteError::outside)?;
    let changes = phases.evm().db().post_state()?;
    Ok((phases, phase_writes(0, &changes, &job.numbered_state)?))
}

/// Runs the phase after the last transaction. Returns the block's result and the changes of this phase.
fn finish<'a>(
    mut phases: Phases<'a>,
    committed: &mut Tally<'_>,
    settled: SettledState<'a>,
) -> Result<(BlockExecutionResult<Receipt>, PostState), ExecuteError> {
    // Memory already holds the changes of the first phase.
    *phases.evm_mut().db_mut() = BlockState::new(settled);
    committed.hand_over(&mut phases);
    let (evm, result) = phases.finish().map_err(ExecuteError::outside)?;
    Ok((result, evm.finish().0.post_state()?))
}
