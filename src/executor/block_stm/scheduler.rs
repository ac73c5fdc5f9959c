//! Hands out work, lowest transaction first: committing, checking suspects, executing. Of what waits to be
//! executed, some may be wanted early, so that what takes long does not start last, and some late, as it would only
//! be executed twice (`choice`).
//!
//! Knows transaction indices, statuses and kinds, nothing else: no EVM, no state, no threads. Callers bring
//! the threads; each loops on [`Scheduler::next_task`] until it returns `None`, and reports what came
//! of every task.
//!
//! ```text
//!            execute            executed         at the frontier and current
//!   Ready ───────────▶ Executing ───────▶ Executed ──────────────────▶ Committed
//!     ▲                 │   ▲                │  ▲ passed
//!     │ writer is done  │   └── aborted ─────┘  └─ check
//!     └── Waiting ◀─────┘ gave up
//! ```
//!
//! A poor schedule costs re-executions, lost work costs a hang, a skipped comparison a wrong answer.
//! The invariants, by the labels that tests and comments use:
//!
//! - **C1** A transaction commits only if all before it have, and its incarnation was compared with
//!   memory, or started, after the newest publication of any of them that it may have noticed. One that assumed
//!   something was compared.
//! - **C2** At most one worker compares at the frontier.
//! - **S1** A transaction that becomes ready is handed out again.
//! - **S2** Whoever waits for a transaction is made ready when that transaction publishes, or at once
//!   if it has already.
//! - **S3** A worker without a task sleeps only if no task is left, and is woken when there is one.
//!
//! One lock guards all of it. Every operation is a few loads and stores, some dozens of nanoseconds
//! against the tens of microseconds of a transaction, and one lock makes the invariants local
//! reasoning. Publications *happen before* they are reported here, so whoever is told of a newer
//! epoch under the lock also reads what was published.

mod state;
#[cfg(test)]
mod tests;

use super::{
    kinds::CallClasses,
    memory::{ReaderSet, TxIndex},
};
use crate::executor::sync::{AtomicU32, Backoff, Condvar, Mutex, MutexGuard, Ordering};
use state::State;

/// What is to be executed, and what is known of it beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps<'a> {
    /// Transactions from 0 up to this one.
    pub count: usize,
    /// Those of them that are started as soon as nothing holds up the others, the first one first.
    pub early: &'a [TxIndex],
    /// Of each; none of those beyond.
    pub kinds: &'a [CallClasses],
}

/// How many times a transaction was executed before, from 0.
pub type Incarnation = u32;

/// Something to do, and to report back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Execute; report [`Scheduler::executed`] or [`Scheduler::blocked`].
    Execute {
        /// Which.
        tx: TxIndex,
        /// Whether it is its turn.
        start: ExecutionPoint,
    },
    /// The newest incarnation is aborted: mark its estimates, and execute the next one.
    ExecuteAgain {
        /// Which.
        tx: TxIndex,
        /// Whether it is its turn.
        start: ExecutionPoint,
    },
    /// Compare a suspect's read set with memory; report [`Scheduler::validated`].
    Validate {
        /// Which.
        tx: TxIndex,
        /// The incarnation that is suspect.
        incarnation: Incarnation,
        /// What memory has at least when the comparison starts.
        epoch: u64,
    },
    /// Compare the frontier, so that it can commit; report [`Scheduler::passed_at_frontier`] or
    /// [`Scheduler::failed_at_frontier`].
    Commit {
        /// Which.
        tx: TxIndex,
    },
}

/// When an incarnation starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionPoint {
    /// Ahead of its turn: it will be compared if anything may have changed that it read.
    Speculative,
    /// When all before it are committed: what it reads is final, so nothing is compared, and it must
    /// not act on anything but what it reads.
    AtCommit,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// All as read.
    Valid,
    /// Something was published since.
    Invalid,
    /// What was assumed is not there, or hidden by an estimate. Before the incarnation's turn it may still come.
    Unresolved,
}

/// What an incarnation is built on, the firmest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speculation {
    /// Only on what it read.
    #[default]
    None,
    /// On what it was sure to find later, and has not found.
    Assumed,
    /// On something that was another by the time it was depended on.
    Stale,
}

/// Whether a worker without a task goes on looking for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Awake,
    Spent,
}

/// How often a worker without a task looks for an offer before it sleeps: about as long as it takes to be woken. More
/// would take from those that work, where two threads share a core.
const BACKOFF: Backoff = Backoff { most: 250, in_haste: 150 };

/// Statuses of a block's transactions.
#[derive(Debug)]
pub struct Scheduler {
    state: Mutex<State>,
    /// Signalled when there is a task and nobody awake without one, or when all are done.
    work: Condvar,
    offers: Offers,
}

/// What workers without a task look at, apart from what the others write.
#[derive(Debug)]
#[repr(align(128))]
struct Offers {
    /// Written under the lock, with what became of it; taken back by the one who then takes the lock. A hint: whoever
    /// acts on it takes the lock before, so that all accesses are relaxed.
    newest: AtomicU32,
    /// How many look. Each of them takes the lock before it sleeps or acts, so that one who is counted for too long
    /// sees the task, and all accesses are relaxed.
    looking: AtomicU32,
    /// Written under the lock (Release), after what was reported of those below it.
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

    /// Looks out for one, for a while. Of several who see the same task, one is to take it.
    fn look(&self) -> Patience {
        self.looking.fetch_add(1, Ordering::Relaxed);
        let found = BACKOFF.until(|| match self.newest.load(Ordering::Relaxed) {
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
    /// All steps are ready.
    pub fn new(steps: Steps<'_>) -> Self {
        let mut state = State::new(steps);
        let offers = Offers::new(offer(&mut state));
        Self { state: Mutex::new(state), work: Condvar::new(), offers }
    }

    /// The next task for this worker; sleeps until there is one. `None` when all transactions are
    /// committed, or somebody called [`Scheduler::stop`].
    pub fn next_task(&self) -> Option<Task> {
        let mut patience = self.offers.look();
        loop {
            let mut state = self.state.lock();
            if let Some(task) = self.take_task(&mut state) {
                return Some(task);
            }
            if state.is_over() {
                return None;
            }
            if patience == Patience::Spent {
                // S3: the lock is held from the search above to the wait, so no report falls between.
                state.sleeping += 1;
                self.work.wait(&mut state);
                state.sleeping -= 1;
                patience = Patience::Awake;
            } else {
                drop(state);
                patience = self.offers.look();
            }
        }
    }

    /// An incarnation is done and published. Like all reports, returns what the worker should do next
    /// if there is something at once, which spares taking the lock again.
    pub fn executed(&self, tx: TxIndex, readers: ReaderSet, basis: Speculation) -> Option<Task> {
        self.report(|state| state.executed(tx, readers, basis))
    }

    /// An incarnation met an estimate of `on`, or learned that `on` has outdated it, and gave up without publishing.
    pub fn blocked(&self, tx: TxIndex, on: TxIndex) -> Option<Task> {
        self.report(|state| state.blocked(tx, on))
    }

    /// A check is done.
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

    /// The transaction at the frontier was compared, and has read what is there.
    pub fn passed_at_frontier(&self) -> Option<Task> {
        self.report(State::passed_at_frontier)
    }

    /// The transaction at the frontier has read something outdated.
    pub fn failed_at_frontier(&self) -> Task {
        self.state.lock().failed_at_frontier()
    }

    /// The lowest transaction that is not committed. Whoever sees it may rely on what was reported of those below.
    pub fn commit_index(&self) -> TxIndex {
        self.offers.commit_index.load(Ordering::Acquire) as TxIndex
    }

    /// Ends all work: the block is invalid, or a worker is lost.
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
    /// S3: where there is one, somebody looks for it or is woken, and does the same.
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

/// What there is for workers without a task.
fn offer(state: &mut State) -> u32 {
    if state.is_over() {
        Offers::END
    } else if state.has_task() {
        Offers::TASK
    } else {
        Offers::NOTHING
    }
}
