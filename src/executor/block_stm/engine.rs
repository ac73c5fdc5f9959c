//! Joins scheduler, memory and machines: the loop that every [`Worker`] runs.
//!
//! Knows no EVM. What executes a transaction is a [`Vm`], one per worker; what becomes of a
//! committed one is a closure, called in block order. Whoever has threads gives each a worker.

use super::{
    memory::{Blocked, Memory, TxIndex, WriteSet},
    read_set::ReadSet,
    running::Running,
    scheduler::{ExecutionPoint, Scheduler, Speculation, Steps, Task, Validation},
    view::IncarnationView,
};
use crate::executor::{
    observe::{Activity, Event, Observer},
    sync::{AtomicU64, Mutex, Ordering},
};
use std::{fmt, ops::ControlFlow};

/// How many outputs a worker hands on after each execution, before it does what may be waited for. One would do to
/// keep up.
const PER_EXECUTION: usize = 2;

/// Executes transactions, one at a time, for one worker.
pub trait Vm<'m> {
    /// What a committed transaction leaves, besides its writes.
    type Output: Send;

    /// Where it reads. The engine begins the view before each execution and takes its reads after.
    fn view(&mut self) -> &mut IncarnationView<'m>;

    /// Executes one incarnation of the view's transaction. It must do the same whenever it reads the
    /// same, and after a read of it was [`Blocked`] what it returns is dropped.
    fn execute(&mut self) -> Executed<Self::Output>;
}

/// What an incarnation did.
#[derive(Debug)]
pub struct Executed<O> {
    /// In any order; each location at most once.
    pub writes: WriteSet,
    /// What it leaves if it commits.
    pub output: O,
    /// How many transactions the machine executed.
    pub steps: u64,
    /// What it cost, in gas or whatever the machine counts.
    pub cost: u64,
}

/// Work done on a board, thrown-away work included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incarnations {
    /// How many.
    pub count: u64,
    /// Their summed cost, but for those that gave up midway.
    pub cost: u64,
}

/// The newest incarnation of one transaction that ran to its end.
struct Record<O> {
    reads: ReadSet,
    writes: WriteSet,
    /// Taken when it commits.
    output: Option<O>,
}

impl<O> Default for Record<O> {
    fn default() -> Self {
        Self { reads: ReadSet::default(), writes: WriteSet::new(), output: None }
    }
}

/// What became of a block's transactions so far. All workers share it.
pub struct TxTable<O> {
    scheduler: Scheduler,
    /// Each lock guards one transaction's record. Only the worker that has the transaction in the
    /// status `Executing` replaces it; lock order: never two at a time, and after `handed_on`.
    records: Box<[Mutex<Record<O>>]>,
    /// Guards how many outputs were handed on, `usize::MAX` once that has ended early, and is held while one is.
    /// Committed transactions beyond are left to whoever comes by, so that nobody waits for it.
    handed_on: Mutex<TxIndex>,
    /// Statistics only: no other access depends on their order, so both are relaxed.
    count: AtomicU64,
    cost: AtomicU64,
}

impl<O> fmt::Debug for TxTable<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("scheduler", &self.scheduler).finish_non_exhaustive()
    }
}

impl<O> TxTable<O> {
    /// Nothing is executed yet.
    pub fn new(steps: Steps<'_>) -> Self {
        Self {
            scheduler: Scheduler::new(steps),
            records: (0..steps.count).map(|_| Mutex::default()).collect(),
            handed_on: Mutex::new(0),
            count: AtomicU64::new(0),
            cost: AtomicU64::new(0),
        }
    }

    /// The work done, once all workers are; `None` if not everything was handed on.
    pub fn incarnations(&self) -> Option<Incarnations> {
        let handed_on_all = *self.handed_on.lock() == self.records.len();
        handed_on_all.then(|| Incarnations {
            count: self.count.load(Ordering::Relaxed),
            cost: self.cost.load(Ordering::Relaxed),
        })
    }
}

/// What a worker works with. All of them have the same, but for their machines.
#[derive(Debug)]
pub struct Worker<'a, O, C, W> {
    /// What is to be done, and what was.
    pub table: &'a TxTable<O>,
    /// What the transactions write.
    pub memory: &'a Memory,
    /// Who is being executed.
    pub running: &'a Running<'a>,
    /// Called for each committed transaction in block order, never by two workers at a time. It may end the run
    /// early.
    pub commit: C,
    /// Who is told.
    pub observer: &'a W,
}

/// A worker that panics holds a transaction that nobody else will finish, so the others must not wait.
struct StopOnPanic<'a>(&'a Scheduler, &'a Running<'a>);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
            self.1.stop();
        }
    }
}

impl<O: Send, C: Fn(TxIndex, O) -> ControlFlow<()>, W: Observer> Worker<'_, O, C, W> {
    /// Does tasks until all is committed, or the run was ended. Makes its machine once it has one to do.
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
        self.table.scheduler.next_task()
    }

    /// Does a task, and reports it. Returns the next one, if the scheduler has one at once.
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
                    Validation::Valid => scheduler.passed_at_frontier(),
                    Validation::Unresolved | Validation::Invalid => {
                        Some(scheduler.failed_at_frontier())
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

    /// Hands on the outputs of so many committed transactions at most, unless somebody else is at it.
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
                // Nothing after it is handed on.
                *handed_on = usize::MAX;
                return self.table.scheduler.stop();
            }
            self.observer.tell(Event::Committed { tx });
            *handed_on += 1;
        }
    }
}
