//! Joins scheduler, memory and machines: the loop that every worker runs.
//!
//! Knows no EVM. What executes a transaction is a [`Machine`], one per worker; what becomes of a
//! committed one is a closure, called in block order.

use super::{
    memory::{Blocked, Memory, TxIndex, WriteSet},
    running::Running,
    scheduler::{Comparison, Found, Scheduler, Start, Task},
    view::{ReadSet, View, compare, conflict},
};
use crate::executor::{
    WorkerPool,
    observe::{Activity, Event, Observer},
};
use parking_lot::Mutex;
use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

/// Executes transactions, one at a time, for one worker.
pub trait Machine<'m> {
    /// What a committed transaction leaves, besides its writes.
    type Output: Send;

    /// Where it reads. The engine begins the view before each execution and takes its reads after.
    fn view(&mut self) -> &mut View<'m>;

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

/// Work done by [`run`], thrown-away work included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incarnations {
    /// How many.
    pub count: u64,
    /// Their summed cost, but for those that met an estimate.
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
        Self { reads: ReadSet::new(), writes: WriteSet::new(), output: None }
    }
}

/// What all workers share.
struct Engine<'a, O, C, W> {
    memory: &'a Memory,
    running: &'a Running<'a>,
    observer: &'a W,
    scheduler: &'a Scheduler,
    /// Each lock guards one transaction's record. Only the worker that has the transaction in the
    /// status `Executing` replaces it; lock order: never two at a time, never while holding
    /// `commit`.
    records: &'a [Mutex<Record<O>>],
    /// Guards whatever the closure writes to. Never contended: at most one worker commits (C2).
    commit: &'a Mutex<C>,
    /// Statistics only: no other access depends on their order, so both are relaxed.
    count: &'a AtomicU64,
    cost: &'a AtomicU64,
}

/// What is to be executed.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a> {
    /// Transactions from 0 up to this one.
    pub count: usize,
    /// Those of them that are started as soon as nothing holds up the others, the first one first.
    pub early: &'a [TxIndex],
}

/// Executes transactions on all threads of the pool, each worker with a machine of its own, and calls
/// `commit` for each in block order. `commit` may end the run early.
///
/// Returns what was executed, or `None` if a worker panicked.
pub fn run<'m, M: Machine<'m>>(
    pool: &WorkerPool,
    steps: Steps<'_>,
    memory: &'m Memory,
    running: &'m Running<'m>,
    observer: &impl Observer,
    machine: impl Fn() -> M + Sync,
    commit: impl FnMut(TxIndex, M::Output) -> ControlFlow<()> + Send,
) -> Option<Incarnations> {
    let scheduler = Scheduler::new(steps.count, steps.early);
    let records: Vec<_> = (0..steps.count).map(|_| Mutex::default()).collect();
    let (commit, count, cost) = (Mutex::new(commit), AtomicU64::new(0), AtomicU64::new(0));
    let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pool.run_on_all(|| {
            let _guard = StopOnPanic(&scheduler, running);
            let engine = Engine {
                memory,
                running,
                observer,
                scheduler: &scheduler,
                records: &records,
                commit: &commit,
                count: &count,
                cost: &cost,
            };
            engine.work(&mut machine());
        });
    }));
    lost.is_ok().then(|| Incarnations {
        count: count.load(Ordering::Relaxed),
        cost: cost.load(Ordering::Relaxed),
    })
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

impl<O: Send, C: FnMut(TxIndex, O) -> ControlFlow<()>, W: Observer> Engine<'_, O, C, W> {
    fn work<'m>(&self, machine: &mut impl Machine<'m, Output = O>) {
        let mut next = None;
        while let Some(task) = next.or_else(|| self.search()) {
            next = self.perform(machine, task);
        }
        self.observer.tell(Event::Began(Activity::Absent));
    }

    fn search(&self) -> Option<Task> {
        self.observer.tell(Event::Began(Activity::Search));
        self.scheduler.next_task()
    }

    /// Does a task, and reports it. Returns the next one, if the scheduler has one at once.
    fn perform<'m>(&self, machine: &mut impl Machine<'m, Output = O>, task: Task) -> Option<Task> {
        match task {
            Task::Execute { tx, start } => self.execute(machine, tx, start),
            Task::Check { tx, incarnation, epoch } => {
                self.observer.tell(Event::Began(Activity::Check { tx }));
                let found = self.compare(tx);
                let start = self.scheduler.checked(tx, incarnation, epoch, found)?;
                self.execute_again(machine, tx, start)
            }
            Task::Commit { tx, comparison } => {
                self.observer.tell(Event::Began(Activity::Commit { tx }));
                if comparison == Comparison::Needed && self.compare(tx) != Found::Current {
                    self.scheduler.failed_at_frontier(tx);
                    return self.execute_again(machine, tx, Start::AtFrontier);
                }
                self.commit(tx)
            }
        }
    }

    fn compare(&self, tx: TxIndex) -> Found {
        compare(self.memory, tx, &self.records[tx].lock().reads)
    }

    fn execute_again<'m>(
        &self,
        machine: &mut impl Machine<'m, Output = O>,
        tx: TxIndex,
        start: Start,
    ) -> Option<Task> {
        if W::WATCHES {
            let over = conflict(self.memory, tx, &self.records[tx].lock().reads);
            self.observer.tell(Event::Aborted { tx, over });
        }
        self.memory.mark_estimates(tx, &self.records[tx].lock().writes);
        self.execute(machine, tx, start)
    }

    fn execute<'m>(
        &self,
        machine: &mut impl Machine<'m, Output = O>,
        tx: TxIndex,
        start: Start,
    ) -> Option<Task> {
        self.observer.tell(Event::Began(Activity::Execute { tx }));
        self.running.started(tx);
        machine.view().begin(tx, start);
        let mut executed = machine.execute();
        self.count.fetch_add(executed.steps, Ordering::Relaxed);
        if let Some(Blocked { on }) = machine.view().blocked() {
            self.running.ended(tx);
            self.observer.tell(Event::Blocked { tx, on });
            return self.scheduler.blocked(tx, on);
        }
        self.cost.fetch_add(executed.cost, Ordering::Relaxed);
        executed.writes.sort_unstable_by_key(|(location, _)| *location);
        let mut record = self.records[tx].lock();
        let publication = self.memory.publish(tx, &record.writes, &executed.writes);
        let basis = machine.view().basis();
        *record = Record {
            reads: machine.view().take_reads(),
            writes: executed.writes,
            output: Some(executed.output),
        };
        drop(record);
        self.observer.tell(Event::Published { tx });
        self.running.ended(tx);
        self.scheduler.executed(tx, publication, basis)
    }

    fn commit(&self, tx: TxIndex) -> Option<Task> {
        let output = self.records[tx].lock().output.take();
        let flow = output.map(|output| (self.commit.lock())(tx, output));
        match flow {
            Some(ControlFlow::Continue(())) => {
                self.observer.tell(Event::Committed { tx });
                self.scheduler.committed(tx)
            }
            Some(ControlFlow::Break(())) | None => {
                self.scheduler.stop();
                None
            }
        }
    }
}
