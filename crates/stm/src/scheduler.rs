//! Scheduler: chooses the next task for each worker and tracks the status of each transaction.
//!
//! A worker validates or executes the lowest transaction that needs it. Some transactions start earlier, so
//! that a long one does not start last. Some start later, since they would probably be executed twice
//! (`choice`).
//!
//! The scheduler knows transaction indices, statuses and call classes. It knows no EVM, no state and no
//! threads. Each worker loops on [`Scheduler::next_task`] until it returns `None`, and reports the result of
//! each task.
//!
//! ```text
//!            execute            executed      at the commit index, valid
//!   Ready ───────────▶ Executing ───────▶ Executed ──────────────────▶ Committed
//!     ▲                 │   ▲                │  ▲ valid
//!     │ writer is done  │   └── aborted ─────┘  └─ validate
//!     └── Waiting ◀─────┘ blocked
//! ```
//!
//! A poor schedule costs re-executions. A lost task causes a hang. A skipped validation gives a wrong result.
//! Tests and comments refer to these invariants by label:
//!
//! - **C1**: A transaction commits only after all lower transactions have committed. Its incarnation must have
//!   started, or have been validated, after the newest publication of a lower transaction that it may have
//!   missed. An incarnation that assumed a value must have been validated.
//! - **C2**: At most one worker validates at the commit index.
//! - **S1**: A transaction that becomes ready is handed out again.
//! - **S2**: A transaction that waits for a writer becomes ready when the writer publishes. It becomes ready at
//!   once if the writer has already published.
//! - **S3**: A worker sleeps only if there is no task for it. It is woken when there is one.
//!
//! One lock guards all of this. An operation is a few loads and stores and takes some dozens of nanoseconds. A
//! transaction takes tens of microseconds. With one lock, the invariants can be checked locally. A publication
//! *happens before* its report to the scheduler. A worker that sees the newer epoch under the lock therefore
//! also reads what was published.

mod state;
#[cfg(test)]
mod tests;

use crate::{
    budgets,
    call_classes::CallClasses,
    location::TxIndex,
    memory::ReaderSet,
    sync::{AtomicU32, Condvar, Mutex, MutexGuard, Ordering},
};
use state::State;

/// Transactions to execute, and hints on their order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps<'a> {
    /// Number of transactions. Their indices start at 0.
    pub count: usize,
    /// Transactions to start early, in this order. They wait while the transaction at the commit index is
    /// ready.
    pub early: &'a [TxIndex],
    /// Call classes of each transaction. Transactions beyond the end of the slice have none.
    pub kinds: &'a [CallClasses],
}

/// Number of a transaction's execution, from 0.
pub type Incarnation = u32;

/// Task for a worker. The worker reports its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Execute the transaction. The worker reports [`Scheduler::executed`] or [`Scheduler::blocked`].
    Execute {
        /// Transaction index.
        tx: TxIndex,
        /// Whether the execution is speculative.
        start: ExecutionPoint,
    },
    /// Abort the newest incarnation: turn its writes into estimates, then execute the next incarnation.
    ExecuteAgain {
        /// Transaction index.
        tx: TxIndex,
        /// Whether the execution is speculative.
        start: ExecutionPoint,
    },
    /// Validate a read set that may be stale. The worker reports [`Scheduler::validated`].
    Validate {
        /// Transaction index.
        tx: TxIndex,
        /// The incarnation to validate.
        incarnation: Incarnation,
        /// Memory is at least at this epoch when the validation starts.
        epoch: u64,
    },
    /// Validate the transaction at the commit index, so that it can commit. The worker reports
    /// [`Scheduler::passed_at_commit`] or [`Scheduler::failed_at_commit`].
    Commit {
        /// Transaction index.
        tx: TxIndex,
    },
}

/// Whether an incarnation starts speculatively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionPoint {
    /// Speculative: some lower transaction is uncommitted. The incarnation is validated if a value that it read
    /// may have changed.
    Speculative,
    /// At the commit index: all lower transactions are committed. Every value that the incarnation reads is
    /// final, so it needs no validation. It must act only on values that it reads.
    AtCommit,
}

/// Result of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Valid: every value is as it was read.
    Valid,
    /// Invalid: a value has changed.
    Invalid,
    /// Unresolved: an assumed value is not there, or an estimate hides it. Before its turn, the transaction may
    /// still turn out valid.
    Unresolved,
}

/// Values that an incarnation rests on, from the safest to the least safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speculation {
    /// Only values that it read.
    #[default]
    None,
    /// An assumed value that memory does not hold yet.
    Assumed,
    /// A value that changed after it was read.
    Stale,
}

/// Whether a worker without a task continues to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Awake,
    Spent,
}

/// Scheduler of a block.
#[derive(Debug)]
pub struct Scheduler {
    state: Mutex<State>,
    /// Signalled when there is a task and no idle worker polls for it, or when the block has ended.
    work: Condvar,
    offers: Offers,
}

/// Values that idle workers poll. They have their own cache lines, apart from the scheduler's lock.
#[derive(Debug)]
#[repr(align(128))]
struct Offers {
    /// Whether there is a task for an idle worker. It is written under the lock, and the worker that takes the
    /// offer resets it. It is a hint: a worker that acts on it takes the lock first. All accesses are therefore
    /// relaxed.
    newest: AtomicU32,
    /// Number of polling workers. Each of them takes the lock before it sleeps or takes a task. A worker that
    /// is still counted after its last poll therefore sees the task. All accesses are relaxed.
    looking: AtomicU32,
    /// The commit index. It is written (Release) under the lock, after the reports of the transactions below
    /// it.
    commit_index: AtomicU32,
}

impl Offers {
    const NOTHING: u32 = 0;
    const TASK: u32 = 1;
    const END: u32 = 2;

    fn new(newest: u32) -> Self {
        let (newest, none) = (AtomicU32::new(newest), || AtomicU32::new(0));
        Self { newest, looking: none(), commit_index: none() }
    }

    /// Polls for an offer until its budget is spent, and calls `idle` as long as there is neither an offer nor an end of
    /// its work. A worker that does this work is not counted as polling, so that a sleeping one is woken instead.
    fn look(&self, idle: impl Fn(TxIndex) -> bool) -> Patience {
        while self.newest.load(Ordering::Relaxed) == Self::NOTHING && idle(self.commit_index()) {}
        self.poll()
    }

    /// The commit index. The load (Acquire) makes the reports of all lower transactions visible.
    fn commit_index(&self) -> TxIndex {
        self.commit_index.load(Ordering::Acquire) as TxIndex
    }

    /// Polls for an offer until its budget is spent. If several workers see the same offer, one of them takes
    /// it.
    fn poll(&self) -> Patience {
        self.looking.fetch_add(1, Ordering::Relaxed);
        let found = budgets::IDLE.until(|| match self.newest.load(Ordering::Relaxed) {
            Self::NOTHING => false,
            Self::TASK => self.take_back(),
            _ => true,
        });
        self.looking.fetch_sub(1, Ordering::Relaxed);
        if found { Patience::Awake } else { Patience::Spent }
    }

    fn take_back(&self) -> bool {
        let (task, nothing, relaxed) = (Self::TASK, Self::NOTHING, Ordering::Relaxed);
        self.newest.compare_exchange(task, nothing, relaxed, relaxed).is_ok()
    }
}

impl Scheduler {
    /// Creates a scheduler in which all transactions are ready.
    pub fn new(steps: Steps<'_>) -> Self {
        let mut state = State::new(steps);
        let offers = Offers::new(offer(&mut state));
        Self { state: Mutex::new(state), work: Condvar::new(), offers }
    }

    /// Returns the next task for this worker. Sleeps until there is one. Returns `None` when all transactions
    /// are committed, or after [`Scheduler::stop`].
    ///
    /// `idle` is called with the commit index while there is no task. It does a small piece of other work, and returns
    /// `false` if there is none. All lower transactions are committed and have published.
    pub fn next_task(&self, idle: impl Fn(TxIndex) -> bool) -> Option<Task> {
        let mut patience = self.offers.look(&idle);
        loop {
            let mut state = self.state.lock();
            if let Some(task) = self.take_task(&mut state) {
                return Some(task);
            }
            if state.is_over() {
                return None;
            }
            if patience == Patience::Spent {
                // S3: the lock is held from the failed search to the wait. No report can fall between them.
                state.sleeping += 1;
                self.work.wait(&mut state);
                state.sleeping -= 1;
                patience = Patience::Awake;
            } else {
                drop(state);
                patience = self.offers.look(&idle);
            }
        }
    }

    /// Reports that an incarnation has ended and published. Like all reports, it returns the next task if there
    /// is one. The worker then does not take the lock again.
    pub fn executed(&self, tx: TxIndex, readers: ReaderSet, basis: Speculation) -> Option<Task> {
        self.report(|state| state.executed(tx, readers, basis))
    }

    /// Reports that an incarnation aborted without publishing. It read an estimate of `on`, or `on` made a
    /// value of its read set stale.
    pub fn blocked(&self, tx: TxIndex, on: TxIndex) -> Option<Task> {
        self.report(|state| state.blocked(tx, on))
    }

    /// Reports the result of a validation.
    pub fn validated(
        &self,
        tx: TxIndex,
        incarnation: Incarnation,
        epoch: u64,
        found: Validation,
    ) -> Option<Task> {
        let mut state = self.state.lock();
        let again = state.validated(tx, incarnation, epoch, found);
        again.or_else(|| self.take_task(&mut state))
    }

    /// Reports that the transaction at the commit index is valid.
    pub fn passed_at_commit(&self) -> Option<Task> {
        self.report(State::passed_at_commit)
    }

    /// Reports that the transaction at the commit index is invalid.
    pub fn failed_at_commit(&self) -> Task {
        self.state.lock().failed_at_commit()
    }

    /// Returns the commit index: the lowest uncommitted transaction. The load (Acquire) makes the reports of
    /// all lower transactions visible.
    pub fn commit_index(&self) -> TxIndex {
        self.offers.commit_index()
    }

    /// Ends all work, because the block is invalid or a worker has panicked.
    pub fn stop(&self) {
        self.report(|state| state.stopped = true);
    }

    fn report(&self, change: impl FnOnce(&mut State)) -> Option<Task> {
        let mut state = self.state.lock();
        change(&mut state);
        self.take_task(&mut state)
    }

    /// Takes a task and offers the next one.
    ///
    /// S3: if there is a next task, an idle worker polls for it or is woken, and takes a task in the same way.
    fn take_task(&self, state: &mut MutexGuard<'_, State>) -> Option<Task> {
        let task = if state.is_over() { None } else { state.take_task() };
        let offer = offer(state);
        self.offers.newest.store(offer, Ordering::Relaxed);
        self.offers.commit_index.store(state.commit_index as u32, Ordering::Release);
        if state.sleeping > 0 {
            match offer {
                Offers::TASK if self.offers.looking.load(Ordering::Relaxed) == 0 => {
                    self.work.notify_one();
                }
                Offers::END => {
                    self.work.notify_all();
                }
                _ => {}
            }
        }
        task
    }
}

/// Returns the offer for idle workers.
fn offer(state: &mut State) -> u32 {
    if state.is_over() {
        Offers::END
    } else if state.has_task() {
        Offers::TASK
    } else {
        Offers::NOTHING
    }
}
