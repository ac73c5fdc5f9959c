//! One execution of a block, on all threads, from its first phase to its outcome.
//!
//! One thread leads: it makes what all share while the others wake up, and runs the phases beside the
//! transactions while the others get ready or collect what the block changed.

use super::{
    batches::Plan,
    collection::Collection,
    committer::Committer,
    engine::{Board, Worker},
    machine::{BatchOutput, EvmMachine, Shared},
    memory::{Memory, WriteSet},
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
        ExecutorKind, WorkerPool,
        handover::Handover,
        observe::{Activity, Event, Observer},
        tally::Tally,
    },
    state::{BlockState, PostState},
};
use alloy_evm::Evm as _;
use parking_lot::Mutex;

/// What all threads share.
struct Lap<'a, W> {
    shared: Shared<'a>,
    memory: Memory,
    running: Running<'a>,
    board: Board<BatchOutput>,
    /// Guards what is committed. Never contended: at most one worker commits (C2), and the leader takes it
    /// when all have.
    committer: Mutex<Committer<'a>>,
    /// Given when memory holds what the first phase wrote, so that transactions may begin.
    begun: Handover<()>,
    collection: Collection,
    observer: &'a W,
}

/// What the leader brings home.
struct Led {
    result: BlockExecutionResult<Receipt>,
    /// What the phases after the transactions changed.
    changed_last: PostState,
    stats: ExecutionStats,
}

/// Executes the block.
pub(super) fn execute<W: Observer>(
    job: &ReplayJob,
    pool: &WorkerPool,
    observer: &W,
) -> Result<Execution, ExecuteError> {
    let storage = job.storage();
    let make = || {
        observer.tell(Event::Began(Activity::Before));
        // One by one where somebody watches, so that what is told of a step is told of a transaction.
        let plan =
            if W::WATCHES { Plan::one_by_one(job) } else { Plan::new(job, pool.at_once().get()) };
        Lap::new(Shared::new(job, &storage, plan), pool, observer)
    };
    let (lap, led) = pool.lead(make, Lap::lead, Lap::follow);
    let Led { result, changed_last, stats } = led?;
    let settled = SettledState::new(&lap.shared, &lap.memory);
    let post_state = lap.collection.finish(settled, &changed_last)?;
    let outcome = BlockOutcome {
        receipts: result.receipts,
        gas_used: result.gas_used,
        blob_gas_used: result.blob_gas_used,
        requests: result.requests,
        post_state,
    };
    observer.tell(Event::Began(Activity::Absent));
    Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel })
}

impl<'a, W: Observer> Lap<'a, W> {
    fn new(shared: Shared<'a>, pool: &WorkerPool, observer: &'a W) -> Self {
        let (base, plan) = (&shared.job.numbered_state, &shared.plan);
        let steps = plan.batches.len();
        Self {
            memory: Memory::new(base.accounts().len(), base.slots().len()),
            running: Running::new(steps, pool.crowding())
                .with_kinds(plan.kinds.clone())
                .seen_by(observer),
            board: Board::new(Steps { count: steps, early: &plan.long, kinds: &plan.kinds }),
            committer: Mutex::new(Committer::new(shared.job)),
            begun: Handover::new(),
            collection: Collection::default(),
            observer,
            shared,
        }
    }

    const fn settled(&self) -> SettledState<'_> {
        SettledState::new(&self.shared, &self.memory)
    }

    fn machine(&self) -> EvmMachine<'_, '_> {
        EvmMachine::new(&self.shared, &self.memory, &self.running)
    }

    fn lead(&self) -> Result<Led, ExecuteError> {
        let settled = self.settled();
        let begun = self.begun.promise();
        let (phases, before_all) = begin(self.shared.job, settled)?;
        self.memory.publish_before_all(&before_all);
        begun.give(());
        self.work(|| self.machine());
        let mut committer = self.committer.lock();
        let committed = committer.finish()?;
        let executor = ExecutorKind::BlockStm;
        let done = self.board.incarnations().ok_or(ExecuteError::Engine { executor })?;
        let wasted_gas = done.cost.saturating_sub(committed.gas_used());
        let stats = ExecutionStats { incarnations: done.count, wasted_gas, cross_shard: None };
        let (result, changed_last) = finish(phases, committed, settled)?;
        settled.publish(self.shared.plan.batches.len(), &changed_last)?;
        self.collection.collect(settled);
        Ok(Led { result, changed_last, stats })
    }

    fn follow(&self) {
        // Where processors are scarce, whoever gets nothing to do had better not take them from the others.
        let early = (self.running.crowding() == Crowding::Roomy).then(|| self.machine());
        if self.begun.wait().is_some() {
            self.work(|| early.unwrap_or_else(|| self.machine()));
            self.collection.collect(self.settled());
            self.observer.tell(Event::Began(Activity::Absent));
        }
    }

    /// Executes transactions until all are committed, or one makes the block invalid. The machine is made for the
    /// first.
    fn work<'s>(&'s self, machine: impl FnOnce() -> EvmMachine<'s, 's>) {
        let commit = |step: usize, output| {
            self.committer.lock().commit(self.shared.plan.batches[step].clone(), output)
        };
        let (board, memory, running) = (&self.board, &self.memory, &self.running);
        let worker = Worker { board, memory, running, commit, observer: self.observer };
        worker.work(machine);
        self.observer.tell(Event::Began(Activity::After));
    }
}

/// What runs before the transactions and after them, on what memory holds then.
type Phases<'a> = BlockRun<'a, BlockState<SettledState<'a>>>;

/// Runs what comes before the first transaction, and says what it writes.
pub(super) fn begin<'a>(
    job: &'a ReplayJob,
    settled: SettledState<'a>,
) -> Result<(Phases<'a>, WriteSet), ExecuteError> {
    let context = job.context();
    let mut phases = context.over(BlockState::new(settled), 0);
    context.begin(&mut phases).map_err(ExecuteError::outside)?;
    let changes = phases.evm().db().post_state()?;
    Ok((phases, phase_writes(0, &changes, &job.numbered_state)?))
}

/// Runs what comes after the last transaction, and says what it changes.
fn finish<'a>(
    mut phases: Phases<'a>,
    committed: &mut Tally<'_>,
    settled: SettledState<'a>,
) -> Result<(BlockExecutionResult<Receipt>, PostState), ExecuteError> {
    // What the first phase changed is in memory by now.
    *phases.evm_mut().db_mut() = BlockState::new(settled);
    committed.hand_over(&mut phases);
    let (evm, result) = phases.finish().map_err(ExecuteError::outside)?;
    Ok((result, evm.finish().0.post_state()?))
}
