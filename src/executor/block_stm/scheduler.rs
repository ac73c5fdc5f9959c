//! Hands out work, lowest transaction first: committing, checking suspects, executing.
//!
//! Knows transaction indices and statuses, nothing else: no EVM, no state, no threads. Callers bring
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
//!   memory, or started, after the newest publication of any of them.
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

use super::memory::{Publication, TxIndex};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many times a transaction was executed before, from 0.
pub type Incarnation = u32;

/// Counts publications that changed something; what was true at an epoch may be outdated at the next.
type Epoch = u64;

/// Compared with final state: nothing can outdate it.
const FINAL: Epoch = Epoch::MAX;

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
}

/// Whether a worker without a task goes on looking for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Awake,
    Spent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    Executing,
    /// For a lower transaction to publish.
    Waiting,
    Executed,
    Committed,
}

#[derive(Debug)]
struct Tx {
    status: Status,
    incarnation: Incarnation,
    /// Its reads are current as far as memory was at this epoch.
    current_at: Epoch,
    /// When it last published a change.
    published_at: Epoch,
    /// Who waits for its next publication.
    waiting: Vec<TxIndex>,
}

/// All of it is guarded by the scheduler's one lock.
#[derive(Debug)]
struct State {
    txs: Vec<Tx>,
    /// The lowest transaction that is not committed.
    frontier: TxIndex,
    /// No transaction below is ready.
    ready_from: TxIndex,
    /// No transaction below is suspect and unchecked.
    suspect_from: TxIndex,
    /// One past the highest transaction ever started.
    started: TxIndex,
    epoch: Epoch,
    /// The newest publication of a committed transaction.
    committed_epoch: Epoch,
    committing: bool,
    stopped: bool,
    sleeping: usize,
}

/// How often a worker without a task looks whether something was reported before it sleeps: some
/// microseconds, about what waking a thread costs.
const LOOKS: u32 = 200;

/// After so many looks without news it lets other threads run between two looks, since the one that
/// has the work may be waiting for this very processor.
const LOOKS_IN_HASTE: u32 = 150;

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
    /// All `transactions` are ready.
    pub fn new(transactions: usize) -> Self {
        let tx = || Tx {
            status: Status::Ready,
            incarnation: 0,
            current_at: 0,
            published_at: 0,
            waiting: Vec::new(),
        };
        let state = State {
            txs: (0..transactions).map(|_| tx()).collect(),
            frontier: 0,
            ready_from: 0,
            suspect_from: 0,
            started: 0,
            epoch: 0,
            committed_epoch: 0,
            committing: false,
            stopped: false,
            sleeping: 0,
        };
        Self { state: Mutex::new(state), reports: AtomicU32::new(0), work: Condvar::new() }
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
        for look in 0..LOOKS {
            if self.reports.load(Ordering::Relaxed) != seen {
                return Patience::Awake;
            }
            if look < LOOKS_IN_HASTE { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        Patience::Spent
    }

    /// An incarnation is done and published.
    pub fn executed(&self, tx: TxIndex, publication: Publication) {
        self.report(|state| state.executed(tx, publication));
    }

    /// An incarnation met an estimate of `on`, and gave up without publishing.
    pub fn blocked(&self, tx: TxIndex, on: TxIndex) {
        self.report(|state| state.blocked(tx, on));
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
    pub fn committed(&self, tx: TxIndex) {
        self.report(|state| state.committed(tx));
    }

    /// The transaction at the frontier read something outdated: the caller marks its estimates and
    /// executes it again, [`Start::AtFrontier`].
    pub fn failed_at_frontier(&self, tx: TxIndex) {
        self.report(|state| {
            state.committing = false;
            state.restart(tx);
        });
    }

    /// Ends all work: the block is invalid, or a worker is lost.
    pub fn stop(&self) {
        self.report(|state| state.stopped = true);
        self.work.notify_all();
    }

    fn report(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        self.reports.fetch_add(1, Ordering::Relaxed);
        self.wake_another(&state);
    }

    /// S3: every report and every task taken wakes one sleeper, who looks for a task and, finding one,
    /// wakes the next.
    fn wake_another(&self, state: &MutexGuard<'_, State>) {
        if state.sleeping > 0 {
            self.work.notify_one();
        }
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.stopped || self.frontier == self.txs.len()
    }

    fn take_task(&mut self) -> Option<Task> {
        if let Some(task) = self.take_commit() {
            return Some(task);
        }
        let suspect = self.next_suspect();
        let ready = self.next_ready();
        match (suspect, ready) {
            (Some(suspect), Some(ready)) if suspect < ready => Some(self.take_check(suspect)),
            (Some(suspect), None) => Some(self.take_check(suspect)),
            (_, Some(ready)) => Some(self.take_execution(ready)),
            (None, None) => None,
        }
    }

    fn take_commit(&mut self) -> Option<Task> {
        let tx = &self.txs[self.frontier];
        // C2: the flag is set under the lock, and only the committing worker clears it.
        if self.committing || tx.status != Status::Executed {
            return None;
        }
        self.committing = true;
        // C1: everything before is committed, and its newest publication is `committed_epoch`.
        let needed = tx.current_at < self.committed_epoch;
        let comparison = if needed { Comparison::Needed } else { Comparison::Done };
        Some(Task::Commit { tx: self.frontier, comparison })
    }

    fn take_check(&mut self, tx: TxIndex) -> Task {
        self.suspect_from = tx + 1;
        Task::Check { tx, incarnation: self.txs[tx].incarnation, epoch: self.epoch }
    }

    fn take_execution(&mut self, tx: TxIndex) -> Task {
        self.ready_from = tx + 1;
        self.started = self.started.max(tx + 1);
        Task::Execute { tx, start: self.start(tx) }
    }

    /// C1: what starts at the frontier reads final state only.
    fn start(&mut self, tx: TxIndex) -> Start {
        let start = if tx == self.frontier { Start::AtFrontier } else { Start::Ahead };
        let state = &mut self.txs[tx];
        state.status = Status::Executing;
        state.current_at = match start {
            Start::AtFrontier => FINAL,
            Start::Ahead => self.epoch,
        };
        start
    }

    fn restart(&mut self, tx: TxIndex) -> Start {
        self.txs[tx].incarnation += 1;
        self.start(tx)
    }

    fn next_ready(&mut self) -> Option<TxIndex> {
        let from = self.ready_from.max(self.frontier);
        let found = (from..self.txs.len()).find(|tx| self.txs[*tx].status == Status::Ready);
        self.ready_from = found.unwrap_or(self.txs.len());
        found
    }

    /// The frontier itself is left to whoever commits.
    fn next_suspect(&mut self) -> Option<TxIndex> {
        let from = self.suspect_from.max(self.frontier + 1);
        let is_suspect = |tx: &Tx| tx.status == Status::Executed && tx.current_at < self.epoch;
        let found = (from..self.started).find(|tx| is_suspect(&self.txs[*tx]));
        self.suspect_from = found.unwrap_or(self.started);
        found
    }

    fn executed(&mut self, tx: TxIndex, publication: Publication) {
        let missed_some = self.txs[tx].current_at < self.epoch;
        if publication == Publication::Changed {
            self.epoch += 1;
            self.txs[tx].published_at = self.epoch;
            self.suspect_from = self.suspect_from.min(tx + 1);
        }
        if missed_some {
            self.suspect_from = self.suspect_from.min(tx);
        }
        self.txs[tx].status = Status::Executed;
        // S2: whoever came before this point is in the list, whoever comes later sees `Executed`.
        for waiting in std::mem::take(&mut self.txs[tx].waiting) {
            self.make_ready(waiting);
        }
    }

    fn blocked(&mut self, tx: TxIndex, on: TxIndex) {
        self.txs[tx].incarnation += 1;
        match self.txs[on].status {
            // S2: it published between the read and this report.
            Status::Executed | Status::Committed => self.make_ready(tx),
            Status::Ready | Status::Executing | Status::Waiting => {
                self.txs[tx].status = Status::Waiting;
                self.txs[on].waiting.push(tx);
            }
        }
    }

    /// S1: the index falls to it, so that the next search finds it.
    fn make_ready(&mut self, tx: TxIndex) {
        self.txs[tx].status = Status::Ready;
        self.ready_from = self.ready_from.min(tx);
    }

    fn checked(
        &mut self,
        tx: TxIndex,
        incarnation: Incarnation,
        epoch: Epoch,
        found: Found,
    ) -> Option<Start> {
        let being_committed = tx < self.frontier || (tx == self.frontier && self.committing);
        let state = &mut self.txs[tx];
        let same = state.status == Status::Executed && state.incarnation == incarnation;
        if !same || being_committed {
            return None;
        }
        match found {
            Found::Current => {
                state.current_at = state.current_at.max(epoch);
                None
            }
            Found::Outdated => Some(self.restart(tx)),
        }
    }

    fn committed(&mut self, tx: TxIndex) {
        let state = &mut self.txs[tx];
        state.status = Status::Committed;
        self.committed_epoch = self.committed_epoch.max(state.published_at);
        self.frontier = tx + 1;
        self.committing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(tx: TxIndex) -> Option<Task> {
        Some(Task::Execute { tx, start: Start::Ahead })
    }

    fn at_frontier(tx: TxIndex) -> Option<Task> {
        Some(Task::Execute { tx, start: Start::AtFrontier })
    }

    /// All transactions are started, the first at the frontier.
    fn all_started(transactions: usize) -> Scheduler {
        let scheduler = Scheduler::new(transactions);
        assert_eq!(scheduler.next_task(), at_frontier(0));
        for tx in 1..transactions {
            assert_eq!(scheduler.next_task(), ahead(tx));
        }
        scheduler
    }

    fn commit(tx: TxIndex, comparison: Comparison) -> Option<Task> {
        Some(Task::Commit { tx, comparison })
    }

    #[test]
    fn transactions_start_lowest_first_and_commit_in_order() {
        let scheduler = all_started(2);
        scheduler.executed(0, Publication::Same);
        assert_eq!(scheduler.next_task(), commit(0, Comparison::Done));
        scheduler.committed(0);
        scheduler.executed(1, Publication::Same);
        assert_eq!(scheduler.next_task(), commit(1, Comparison::Done));
        scheduler.committed(1);
        assert_eq!(scheduler.next_task(), None);
    }

    #[test]
    fn c1_what_ran_beside_a_publication_below_it_is_compared() {
        let scheduler = all_started(2);
        scheduler.executed(1, Publication::Same);
        scheduler.executed(0, Publication::Changed);
        assert_eq!(scheduler.next_task(), commit(0, Comparison::Done));
        scheduler.committed(0);
        assert_eq!(scheduler.next_task(), commit(1, Comparison::Needed));
    }

    #[test]
    fn c1_what_started_at_the_frontier_needs_no_comparison() {
        let scheduler = Scheduler::new(2);
        assert_eq!(scheduler.next_task(), at_frontier(0));
        scheduler.executed(0, Publication::Changed);
        assert_eq!(scheduler.next_task(), commit(0, Comparison::Done));
        scheduler.committed(0);
        assert_eq!(scheduler.next_task(), at_frontier(1));
        scheduler.executed(1, Publication::Changed);
        assert_eq!(scheduler.next_task(), commit(1, Comparison::Done));
    }

    #[test]
    fn c1_a_publication_after_a_passed_check_makes_suspect_again() {
        let scheduler = all_started(3);
        scheduler.executed(2, Publication::Same);
        scheduler.executed(1, Publication::Changed);
        let check = |epoch| Some(Task::Check { tx: 2, incarnation: 0, epoch });
        assert_eq!(scheduler.next_task(), check(1));
        assert_eq!(scheduler.checked(2, 0, 1, Found::Current), None);
        scheduler.executed(0, Publication::Changed);
        assert_eq!(scheduler.next_task(), commit(0, Comparison::Done));
        scheduler.committed(0);
        assert_eq!(scheduler.next_task(), commit(1, Comparison::Needed));
        assert_eq!(scheduler.next_task(), check(2));
    }

    #[test]
    fn c2_only_one_worker_commits() {
        let scheduler = Scheduler::new(3);
        assert_eq!(scheduler.next_task(), at_frontier(0));
        scheduler.executed(0, Publication::Same);
        assert_eq!(scheduler.next_task(), commit(0, Comparison::Done));
        assert_eq!(scheduler.next_task(), ahead(1));
        assert_eq!(scheduler.next_task(), ahead(2));
    }

    #[test]
    fn s1_an_outdated_suspect_is_executed_again_by_who_found_it() {
        let scheduler = all_started(3);
        scheduler.executed(2, Publication::Changed);
        scheduler.executed(1, Publication::Changed);
        let Some(Task::Check { tx, incarnation, epoch }) = scheduler.next_task() else {
            panic!("transaction 2 is suspect");
        };
        let check = || scheduler.checked(tx, incarnation, epoch, Found::Outdated);
        assert_eq!(check(), Some(Start::Ahead));
        assert_eq!(check(), None, "it is aborted once");
    }

    #[test]
    fn s2_who_waits_is_ready_once_the_writer_has_published() {
        let scheduler = all_started(3);
        scheduler.blocked(2, 1);
        scheduler.executed(1, Publication::Changed);
        assert_eq!(scheduler.next_task(), ahead(2));
        scheduler.blocked(2, 1);
        assert_eq!(scheduler.next_task(), ahead(2), "it had published already");
    }

    #[test]
    fn s3_a_sleeping_worker_is_woken_by_work() {
        let scheduler = all_started(2);
        scheduler.blocked(1, 0);
        let woken = std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| scheduler.next_task());
            scheduler.executed(0, Publication::Same);
            sleeper.join()
        });
        let task = woken.expect("the sleeper does not panic");
        assert_eq!(task, commit(0, Comparison::Done));
    }

    #[test]
    fn stopping_ends_every_worker() {
        let scheduler = Scheduler::new(1);
        assert_eq!(scheduler.next_task(), at_frontier(0));
        let ended = std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| scheduler.next_task());
            scheduler.stop();
            sleeper.join()
        });
        assert!(matches!(ended, Ok(None)));
    }
}
