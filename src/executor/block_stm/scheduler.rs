//! Hands out work, lowest transaction first: committing, checking suspects, executing. Of what waits to be
//! executed, some may be wanted early, so that what takes long does not start last, and some late, as it would only
//! be executed twice (`choice`).
//!
//! Knows transaction indices, statuses and kinds, nothing else: no EVM, no state, no threads. Callers bring
//! the threads; each loops on [`Scheduler::next_task`] until it returns `None`, and reports what came
//! of every task.
//!
//! ```text
//!            execute            executed                  committed
//!   Ready ───────────▶ Executing ───────▶ Executed ──────────────────▶ Committed
//!     ▲                 │   ▲                │  ▲ passed
//!     │ writer is done  │   └── aborted ─────┘  └─ check
//!     └── Waiting ◀─────┘ met an estimate
//! ```
//!
//! A poor schedule costs re-executions, lost work costs a hang, a skipped comparison a wrong answer.
//! The invariants, by the labels that tests and comments use:
//!
//! - **C1** A transaction commits only if all before it have, and its incarnation was compared with
//!   memory, or started, after the newest publication of any of them. One that assumed something was compared.
//! - **C2** At most one worker is committing.
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
    kinds::Kinds,
    memory::{Publication, TxIndex},
};
use crate::executor::sync::{AtomicU32, Condvar, Looks, Mutex, MutexGuard, Ordering};
use state::State;

/// What is to be executed, and what is known of it beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps<'a> {
    /// Transactions from 0 up to this one.
    pub count: usize,
    /// Those of them that are started as soon as nothing holds up the others, the first one first.
    pub early: &'a [TxIndex],
    /// Of each; none of those beyond.
    pub kinds: &'a [Kinds],
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
        start: Start,
    },
    /// Compare a suspect's read set with memory; report [`Scheduler::checked`].
    Check {
        /// Which.
        tx: TxIndex,
        /// The incarnation that is suspect.
        incarnation: Incarnation,
        /// What memory has at least when the comparison starts.
        epoch: u64,
    },
    /// Compare if need be, then commit; report [`Scheduler::committed`] or
    /// [`Scheduler::failed_at_frontier`].
    Commit {
        /// Which.
        tx: TxIndex,
        /// Whether it has to be compared first.
        comparison: Comparison,
    },
}

/// When an incarnation starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Ahead of its turn: it will be compared.
    Ahead,
    /// When all before it are committed: what it reads is final, so nothing is compared, and it must
    /// not act on anything but what it reads.
    AtFrontier,
}

/// Whether an incarnation at the frontier has to be compared with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Something was published since it was last.
    Needed,
    /// It was compared, or started, when everything before it was already published.
    Done,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// All as read.
    Current,
    /// Something was published since.
    Outdated,
    /// What was assumed is not there, or hidden by an estimate. Before the incarnation's turn it may still come.
    Missing,
}

/// What an incarnation is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Only on what it read.
    Read,
    /// On what it was sure to find later, and has not found.
    Assumed,
}

/// Whether a worker without a task goes on looking for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Awake,
    Spent,
}

/// How often a worker without a task looks whether something was reported before it sleeps: some
/// microseconds, about what waking a thread costs.
const LOOKS: Looks = Looks { most: 200, in_haste: 150 };

/// Statuses of a block's transactions.
#[derive(Debug)]
pub struct Scheduler {
    state: Mutex<State>,
    /// Counts reports. A hint for workers without a task, who take the lock before they act on it, so
    /// that all accesses are relaxed.
    reports: AtomicU32,
    /// Signalled whenever a task may have appeared, or the last one is done.
    work: Condvar,
}

impl Scheduler {
    /// All steps are ready.
    pub fn new(steps: Steps<'_>) -> Self {
        Self {
            state: Mutex::new(State::new(steps)),
            reports: AtomicU32::new(0),
            work: Condvar::new(),
        }
    }

    /// The next task for this worker; sleeps until there is one. `None` when all transactions are
    /// committed, or somebody called [`Scheduler::stop`].
    pub fn next_task(&self) -> Option<Task> {
        let mut patience = Patience::Awake;
        loop {
            let mut state = self.state.lock();
            if state.is_over() {
                self.work.notify_all();
                return None;
            }
            if let Some(task) = state.take_task() {
                self.wake_another(&state);
                return Some(task);
            }
            if patience == Patience::Spent {
                // S3: the lock is held from the search above to the wait, so no report falls between.
                state.sleeping += 1;
                self.work.wait(&mut state);
                state.sleeping -= 1;
                patience = Patience::Awake;
            } else {
                let seen = self.reports.load(Ordering::Relaxed);
                drop(state);
                patience = self.watch(seen);
            }
        }
    }

    /// Looks out for a report, for a while.
    fn watch(&self, seen: u32) -> Patience {
        let news = || self.reports.load(Ordering::Relaxed) != seen;
        if LOOKS.until(news) { Patience::Awake } else { Patience::Spent }
    }

    /// An incarnation is done and published. Like all reports, returns what the worker should do next
    /// if there is something at once, which spares taking the lock again.
    pub fn executed(&self, tx: TxIndex, publication: Publication, basis: Basis) -> Option<Task> {
        self.report(|state| state.executed(tx, publication, basis))
    }

    /// An incarnation met an estimate of `on`, and gave up without publishing.
    pub fn blocked(&self, tx: TxIndex, on: TxIndex) -> Option<Task> {
        self.report(|state| state.blocked(tx, on))
    }

    /// A check is done. If the incarnation is hereby aborted, the caller marks its estimates and
    /// executes the next one, with the start that is returned.
    pub fn checked(
        &self,
        tx: TxIndex,
        incarnation: Incarnation,
        epoch: u64,
        found: Found,
    ) -> Option<Start> {
        self.state.lock().checked(tx, incarnation, epoch, found)
    }

    /// The transaction at the frontier is committed.
    pub fn committed(&self, tx: TxIndex) -> Option<Task> {
        self.report(|state| state.committed(tx))
    }

    /// The transaction at the frontier read something outdated: the caller marks its estimates and
    /// executes it again, [`Start::AtFrontier`].
    pub fn failed_at_frontier(&self, tx: TxIndex) {
        let mut state = self.state.lock();
        state.committing = false;
        state.restart(tx);
    }

    /// Whether every transaction is final.
    pub fn has_committed_all(&self) -> bool {
        self.state.lock().has_committed_all()
    }

    /// Ends all work: the block is invalid, or a worker is lost.
    pub fn stop(&self) {
        self.report(|state| state.stopped = true);
        self.work.notify_all();
    }

    fn report(&self, change: impl FnOnce(&mut State)) -> Option<Task> {
        let mut state = self.state.lock();
        change(&mut state);
        self.reports.fetch_add(1, Ordering::Relaxed);
        let next = if state.is_over() { None } else { state.take_task() };
        self.wake_another(&state);
        next
    }

    /// S3: every report and every task taken wakes one sleeper, who looks for a task and, finding one,
    /// wakes the next.
    fn wake_another(&self, state: &MutexGuard<'_, State>) {
        if state.sleeping > 0 {
            self.work.notify_one();
        }
    }
}
