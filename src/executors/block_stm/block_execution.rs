//! One execution of a block on all threads, from the first system call to the outcome.
//!
//! The calling thread leads. It prepares the memory and runs the system calls before and after the
//! transactions. Meanwhile the other threads plan the batches, or collect the changes of the block.

use super::{
    batches::Plan,
    collection::Collection,
    committer::Committer,
    final_state::FinalState,
    hints::Hints,
    shared::Shared,
    vm::{BatchOutput, EthVm, Work},
    writes::phase_writes,
};
use crate::{
    block::ReplayJob,
    evm::{BlockExecutionResult, BlockExecutor as _, BlockRun, Receipt},
    execution::{
        BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats,
        location::{TxIndex, WriteSet},
        observe::{Activity, Event, Observer},
        receipts::ReceiptAccumulator,
    },
    state::{BlockState, PostState, Storage},
    threads::{
        DeferredDrop, WorkerLimit, WorkerPool,
        wait_cell::{LazyCell, WaitCell},
    },
};
use alloy_evm::Evm as _;
use blockrace_stm::{
    Oversubscribed,
    engine::{TxTable, Worker},
    running::Running,
    scheduler::Steps,
};
use parking_lot::Mutex;
use std::num::NonZeroUsize;

/// State that all threads share.
struct BlockExecution<'a, W> {
    job: &'a ReplayJob,
    hints: &'a Hints,
    storage: &'a Storage<'a>,
    /// Set by the leader before anything else.
    shared: WaitCell<Shared<'a>>,
    /// Created by the first thread that asks for it. That is mostly another thread, while the leader creates
    /// `shared` and runs the first system calls.
    planned: LazyCell<Schedule<'a>>,
    at_once: NonZeroUsize,
    oversubscribed: Oversubscribed,
    /// Guards the committed results. One worker at a time hands outputs on, and the leader takes the lock when
    /// all are handed on. It is contended only if a worker panics. Lock order: after the table's locks.
    committer: Mutex<Committer<'a>>,
    /// Set when the plan exists and memory holds the writes of the first system calls. Transactions can then
    /// begin.
    begun: WaitCell<()>,
    collection: Collection,
    /// Called by a thread without a task.
    help: &'a Help<'a>,
    observer: &'a W,
}

/// For [`execute`]: there is no other work.
pub(super) fn no_help(_: &Shared<'_>, _: TxIndex, _: usize) -> bool {
    false
}

/// Does a small piece of other work than executing, with the commit index and the number of steps. Returns `false` if there is none.
pub(super) type Help<'a> = dyn Fn(&Shared<'_>, TxIndex, usize) -> bool + Sync + 'a;

/// Batches of the block, and the state of their execution.
struct Schedule<'a> {
    work: Work<'a>,
    table: TxTable<BatchOutput>,
}

/// Error if a worker panicked and left its work unfinished.
const LOST: ExecuteError = ExecuteError::Engine { executor: "block-stm" };

/// Result of the leading thread.
struct LeaderResult {
    result: BlockExecutionResult<Receipt>,
    /// Changes by the system calls and withdrawals after the transactions.
    changed_last: PostState,
    stats: ExecutionStats,
}

/// Executes the block. Threads without a task call `help`.
pub(super) fn execute<W: Observer>(
    job: &ReplayJob,
    pool: &WorkerPool,
    limit: WorkerLimit,
    hints: &Hints,
    (observer, help): (&W, &Help<'_>),
) -> Result<Execution, ExecuteError> {
    let storage = job.storage();
    let make = || {
        observer.tell(Event::Began(Activity::Before));
        BlockExecution {
            job,
            hints,
            storage: &storage,
            shared: WaitCell::new(),
            planned: LazyCell::new(),
            at_once: pool.at_once().min(pool.size(limit)),
            oversubscribed: pool.oversubscribed(limit),
            committer: Mutex::new(Committer::new(job)),
            begun: WaitCell::new(),
            collection: Collection::default(),
            help,
            observer,
        }
    };
    let (execution, led) = pool.lead(limit, make, BlockExecution::lead, BlockExecution::follow);
    let LeaderResult { result, changed_last, stats } = led?;
    let BlockExecution { shared, planned, collection, .. } = execution;
    let shared = shared.into_inner().ok_or(LOST)?;
    let post_state = collection.finish(FinalState::new(&shared), &changed_last)?;
    let outcome = BlockOutcome::new(result, post_state);
    let table = planned.into_inner().map(|planned| planned.table);
    let leftovers = DeferredDrop::new((shared.leave(), table));
    observer.tell(Event::Began(Activity::Absent));
    Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel, leftovers })
}

impl<'a, W: Observer> BlockExecution<'a, W> {
    fn planned(&self) -> Option<&Schedule<'a>> {
        self.planned.get_or_make(|| {
            let (job, threads) = (self.job, self.at_once);
            // A profiled run executes each transaction as its own batch, so that each event belongs to one
            // transaction.
            let Plan { batches, long, kinds } =
                if W::WATCHES { Plan::one_by_one(job, threads) } else { Plan::new(job, threads) };
            let table = TxTable::new(Steps { count: batches.len(), early: &long, kinds: &kinds });
            let running = Running::new(batches.len(), self.oversubscribed).with_kinds(kinds);
            Schedule { work: Work::new(job, batches, running.seen_by(self.observer)), table }
        })
    }

    fn lead(&self) -> Result<LeaderResult, ExecuteError> {
        let begun = self.begun.promise();
        let shared = self.shared.promise().give(Shared::new(self.job, self.storage));
        let settled = FinalState::new(shared);
        let (phases, before_all) = begin(shared)?;
        shared.memory.publish_before_all(&before_all);
        let planned = self.planned().ok_or(LOST)?;
        for (step, writes) in self.hints.of_batches(&planned.work.batches) {
            planned.table.hint(&shared.memory, step, writes);
        }
        begun.give(());
        self.work(shared, planned, || EthVm::new(shared, &planned.work));
        // Comes before the committer's lock: a worker takes the committer's lock second.
        let done = planned.table.incarnations();
        let mut committer = self.committer.lock();
        let committed = committer.finish()?;
        let done = done.ok_or(LOST)?;
        let wasted_gas = done.cost.saturating_sub(committed.gas_used());
        let stats = ExecutionStats { incarnations: done.count, wasted_gas, ..Default::default() };
        let (result, changed_last) = finish(phases, committed, settled)?;
        settled.publish(planned.work.batches.len(), &changed_last)?;
        self.collection.collect(settled);
        Ok(LeaderResult { result, changed_last, stats })
    }

    fn follow(&self) {
        // If cores are scarce, a thread without a task must not take time from the others.
        let early = match self.oversubscribed {
            Oversubscribed::No => self.planned().zip(self.shared.wait()),
            Oversubscribed::Yes => None,
        };
        let early = early.map(|(planned, shared)| EthVm::new(shared, &planned.work));
        if self.begun.wait().is_some()
            && let Some((planned, shared)) = self.planned().zip(self.shared.get())
        {
            let vm = || early.unwrap_or_else(|| EthVm::new(shared, &planned.work));
            self.work(shared, planned, vm);
            self.collection.collect(FinalState::new(shared));
            self.observer.tell(Event::Began(Activity::Absent));
        }
    }

    /// Executes transactions until all are committed or one makes the block invalid. The machine is created for
    /// the first task.
    fn work<'s>(
        &'s self,
        shared: &'s Shared<'a>,
        Schedule { work, table }: &'s Schedule<'a>,
        vm: impl FnOnce() -> EthVm<'s>,
    ) {
        let commit = |_step: usize, output| self.committer.lock().commit(output);
        let (memory, running) = (&shared.memory, &work.running);
        let steps = work.batches.len();
        let idle = |commit_index| (self.help)(shared, commit_index, steps);
        let worker = Worker { table, memory, running, commit, idle, observer: self.observer };
        worker.work(vm);
        self.observer.tell(Event::Began(Activity::After));
    }
}

/// EVM for the phases before and after the transactions, over the state in memory.
type Phases<'a> = BlockRun<'a, BlockState<FinalState<'a>>>;

/// Runs the phase before the first transaction. Returns its EVM and its writes.
pub(super) fn begin<'a>(shared: &'a Shared<'a>) -> Result<(Phases<'a>, WriteSet), ExecuteError> {
    let (job, context) = (shared.job, shared.job.context());
    let mut phases = context.over(BlockState::new(FinalState::new(shared)), 0);
    context.begin(&mut phases).map_err(ExecuteError::outside)?;
    let changes = phases.evm().db().post_state()?;
    Ok((phases, phase_writes(0, &changes, &job.indexed_state)?))
}

/// Runs the phase after the last transaction. Returns the block's result and the changes of this phase.
fn finish<'a>(
    mut phases: Phases<'a>,
    committed: &mut ReceiptAccumulator<'_>,
    settled: FinalState<'a>,
) -> Result<(BlockExecutionResult<Receipt>, PostState), ExecuteError> {
    // Memory already holds the changes of the first phase.
    *phases.evm_mut().db_mut() = BlockState::new(settled);
    let (result, state) = committed.end(phases)?;
    Ok((result, state.post_state()?))
}
