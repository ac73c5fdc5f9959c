//! Main loop of a Block-STM worker. It joins the scheduler, the multi-version memory and a [`Vm`].
//!
//! This module knows no EVM. A [`Vm`] executes transactions, one machine per worker. A closure receives
//! the output of each committed transaction, in block order. The caller brings the threads and runs one
//! [`Worker`] on each.

use crate::{
    location::{TxIndex, WriteSet},
    memory::{Blocked, Memory},
    observe::{Activity, Event, Observer},
    read_set::ReadSet,
    running::Running,
    scheduler::{ExecutionPoint, Scheduler, Speculation, Steps, Task, Validation},
    sync::{AtomicU64, Mutex, Ordering},
    view::IncarnationView,
};
use std::{fmt, ops::ControlFlow};

/// Outputs that a worker hands to the commit closure after each execution, so that it soon takes its next
/// task. One would be enough to keep up.
const PER_EXECUTION: usize = 2;

/// Executes transactions for one worker, one at a time.
pub trait Vm<'m> {
    /// Result of a committed transaction, besides its writes.
    type Output: Send;

    /// The view through which the machine reads. The engine begins the view before each execution and takes the
    /// read set after it.
    fn view(&mut self) -> &mut IncarnationView<'m>;

    /// Executes one incarnation of the view's transaction. Equal reads must give an equal result. After a read
    /// returned [`Blocked`], the engine drops the result.
    fn execute(&mut self) -> Executed<Self::Output>;
}

/// Result of one incarnation.
#[derive(Debug)]
pub struct Executed<O> {
    /// Write set in any order. Each location occurs at most once.
    pub writes: WriteSet,
    /// Output that the incarnation returns if it commits.
    pub output: O,
    /// Transactions that the machine executed. A batch has several.
    pub steps: u64,
    /// Cost in the machine's unit. The EVM's machine counts gas.
    pub cost: u64,
}

/// Work done on a block, aborted incarnations included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incarnations {
    /// Number of incarnations.
    pub count: u64,
    /// Sum of their costs. Incarnations that aborted before their end are not included.
    pub cost: u64,
}

/// Newest incarnation of one transaction that ran to its end.
struct Record<O> {
    reads: ReadSet,
    writes: WriteSet,
    /// Taken when the output is handed to the commit closure.
    output: Option<O>,
}

impl<O> Default for Record<O> {
    fn default() -> Self {
        Self { reads: ReadSet::default(), writes: WriteSet::new(), output: None }
    }
}

/// State of a block's transactions. All workers share it.
pub struct TxTable<O> {
    scheduler: Scheduler,
    /// Each lock guards one transaction's record. Only the worker that has the transaction in the status
    /// `Executing` replaces it. Lock order: a worker holds one of these locks at a time, and takes it after
    /// `handed_on`.
    records: Box<[Mutex<Record<O>>]>,
    /// Guards the number of outputs that were handed to the commit closure. It is `usize::MAX` if the run ended
    /// early. The lock is held while the closure runs. A worker that finds it taken does not wait. Committed
    /// transactions beyond this number are left to the next worker that takes the lock.
    handed_on: Mutex<TxIndex>,
    /// Both counters are statistics. No other access depends on their order, so both are relaxed.
    count: AtomicU64,
    cost: AtomicU64,
}

impl<O> fmt::Debug for TxTable<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxTable").field("scheduler", &self.scheduler).finish_non_exhaustive()
    }
}

impl<O> TxTable<O> {
    /// Creates a table in which no transaction has been executed.
    pub fn new(steps: Steps<'_>) -> Self {
        Self {
            scheduler: Scheduler::new(steps),
            records: (0..steps.count).map(|_| Mutex::default()).collect(),
            handed_on: Mutex::new(0),
            count: AtomicU64::new(0),
            cost: AtomicU64::new(0),
        }
    }

    /// Marks the locations in `writes`, sorted by location, as estimates of `tx`. Readers wait for the transaction, as
    /// after an aborted incarnation. It must be called before the workers start. A wrong hint costs time, and changes
    /// no outcome.
    pub fn hint(&self, memory: &Memory, tx: TxIndex, writes: WriteSet) {
        memory.mark_estimates(tx, &writes);
        self.records[tx].lock().writes = writes;
    }

    /// Returns the work done. It must be called after all workers have ended. Returns `None` if some output was
    /// not handed on.
    pub fn incarnations(&self) -> Option<Incarnations> {
        let handed_on_all = *self.handed_on.lock() == self.records.len();
        handed_on_all.then(|| Incarnations {
            count: self.count.load(Ordering::Relaxed),
            cost: self.cost.load(Ordering::Relaxed),
        })
    }
}

/// Shared context of a worker. Workers differ only in their machines.
#[derive(Debug)]
pub struct Worker<'a, O, C, I, W> {
    /// Scheduler and records of the block.
    pub table: &'a TxTable<O>,
    /// Multi-version memory.
    pub memory: &'a Memory,
    /// Transactions that are being executed.
    pub running: &'a Running<'a>,
    /// Called for each committed transaction in block order, never by two workers at a time. It can end the run
    /// early.
    pub commit: C,
    /// Called with the commit index while there is no task. It does a small piece of other work, and returns `false` if
    /// there is none. Reads below the commit index return final values. See [`no_other_work`].
    pub idle: I,
    /// Receives the events of the run.
    pub observer: &'a W,
}

/// Stops all workers if this one panics. A panicking worker leaves its transaction unfinished, and the others
/// would wait for it forever.
struct StopOnPanic<'a>(&'a Scheduler, &'a Running<'a>);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
            self.1.stop();
        }
    }
}

/// For [`Worker::idle`]: there is no other work.
pub const fn no_other_work(_: TxIndex) -> bool {
    false
}

impl<O, C, I, W> Worker<'_, O, C, I, W>
where
    O: Send,
    C: Fn(TxIndex, O) -> ControlFlow<()>,
    I: Fn(TxIndex) -> bool,
    W: Observer,
{
    /// Performs tasks until all transactions are committed or the run has ended. The machine is created for the
    /// first task, so a worker without a task creates none.
    pub fn work<'m, M: Vm<'m, Output = O>>(&self, vm: impl FnOnce() -> M) {
        let _guard = StopOnPanic(&self.table.scheduler, self.running);
        if let Some(first) = self.search() {
            self.perform_all(&mut vm(), first);
        }
        self.hand_on(&mut self.table.handed_on.lock(), usize::MAX);
    }

    fn perform_all<'m>(&self, vm: &mut impl Vm<'m, Output = O>, first: Task) {
        let mut task = first;
        while let Some(next) = self.perform(vm, task).or_else(|| self.search()) {
            task = next;
        }
    }

    fn search(&self) -> Option<Task> {
        self.hand_on_if_free(usize::MAX);
        self.observer.tell(Event::Began(Activity::Search));
        self.table.scheduler.next_task(&self.idle)
    }

    /// Performs a task and reports its result. Returns the next task if the scheduler has one at once.
    fn perform<'m>(&self, vm: &mut impl Vm<'m, Output = O>, task: Task) -> Option<Task> {
        let scheduler = &self.table.scheduler;
        match task {
            Task::Execute { tx, start } => self.execute(vm, tx, start),
            Task::ExecuteAgain { tx, start } => self.execute_again(vm, tx, start),
            Task::Validate { tx, incarnation, epoch } => {
                self.observer.tell(Event::Began(Activity::Check { tx }));
                scheduler.validated(tx, incarnation, epoch, self.compare(tx))
            }
            Task::Commit { tx } => {
                self.observer.tell(Event::Began(Activity::Check { tx }));
                match self.compare(tx) {
                    Validation::Valid => scheduler.passed_at_commit(),
                    Validation::Unresolved | Validation::Invalid => {
                        Some(scheduler.failed_at_commit())
                    }
                }
            }
        }
    }

    fn compare(&self, tx: TxIndex) -> Validation {
        self.table.records[tx].lock().reads.compare(self.memory, tx)
    }

    fn execute_again<'m>(
        &self,
        vm: &mut impl Vm<'m, Output = O>,
        tx: TxIndex,
        start: ExecutionPoint,
    ) -> Option<Task> {
        if W::WATCHES {
            let over = self.table.records[tx].lock().reads.conflict(self.memory, tx);
            self.observer.tell(Event::Aborted { tx, over });
        }
        self.memory.mark_estimates(tx, &self.table.records[tx].lock().writes);
        self.execute(vm, tx, start)
    }

    fn execute<'m>(
        &self,
        vm: &mut impl Vm<'m, Output = O>,
        tx: TxIndex,
        start: ExecutionPoint,
    ) -> Option<Task> {
        self.observer.tell(Event::Began(Activity::Execute { tx }));
        self.running.started(tx);
        vm.view().begin(tx, start);
        let mut executed = vm.execute();
        self.table.count.fetch_add(executed.steps, Ordering::Relaxed);
        if let Some(Blocked { on }) = vm.view().blocked() {
            self.running.ended(tx);
            self.tell_given_up(vm.view(), on);
            return self.table.scheduler.blocked(tx, on);
        }
        self.table.cost.fetch_add(executed.cost, Ordering::Relaxed);
        executed.writes.sort_unstable_by_key(|(location, _)| *location);
        let mut record = self.table.records[tx].lock();
        let readers = self.memory.publish(tx, &record.writes, &executed.writes);
        let basis = vm.view().basis();
        *record = Record {
            reads: vm.view().take_reads(),
            writes: executed.writes,
            output: Some(executed.output),
        };
        drop(record);
        self.observer.tell(Event::Published { tx });
        self.running.ended(tx);
        self.running.outdate(tx, readers);
        let next = self.table.scheduler.executed(tx, readers, basis);
        self.hand_on_if_free(PER_EXECUTION);
        next
    }

    fn tell_given_up(&self, view: &IncarnationView<'_>, on: TxIndex) {
        if W::WATCHES {
            let tx = view.tx();
            self.observer.tell(match view.basis() {
                Speculation::Stale => Event::Aborted { tx, over: view.conflict() },
                Speculation::None | Speculation::Assumed => Event::Blocked { tx, on },
            });
        }
    }

    /// Hands at most `most` outputs to the commit closure. Does nothing if another worker is doing it.
    fn hand_on_if_free(&self, most: usize) {
        if let Some(mut handed_on) = self.table.handed_on.try_lock() {
            self.hand_on(&mut handed_on, most);
        }
    }

    fn hand_on(&self, handed_on: &mut TxIndex, most: usize) {
        let commit_index = self.table.scheduler.commit_index();
        let end = commit_index.min(handed_on.saturating_add(most));
        if *handed_on >= end {
            return;
        }
        self.memory.close(commit_index);
        while *handed_on < end {
            let tx = *handed_on;
            self.observer.tell(Event::Began(Activity::Commit { tx }));
            let output = self.table.records[tx].lock().output.take();
            let flow = output.map(|output| (self.commit)(tx, output));
            if flow != Some(ControlFlow::Continue(())) {
                // The run ended early, so no later output is handed on.
                *handed_on = usize::MAX;
                return self.table.scheduler.stop();
            }
            self.observer.tell(Event::Committed { tx });
            *handed_on += 1;
        }
    }
}
