//! Statuses of all transactions, as a plain state machine.
//!
//! There are no locks and no threads here. The caller holds the scheduler's lock. The header of [`super`]
//! defines the invariants.

mod choice;

use super::{ExecutionPoint, Incarnation, Speculation, Steps, Task, Validation};
use crate::{call_classes::CallClasses, location::TxIndex, memory::ReaderSet};

/// Counts publications that a reader may have missed. A read set that was valid at one epoch may be stale at
/// the next.
type Epoch = u64;

/// Epoch of a read set with only final values. No publication can make it stale.
const FINAL: Epoch = Epoch::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    Executing,
    /// Waiting for a lower transaction to publish.
    Waiting,
    /// Valid as far as is known, or being validated, or to be validated at the commit index only.
    Executed,
    /// Executed, and a value that it read may have changed since its last validation. It needs validation.
    Suspect,
    Committed,
}

impl Status {
    /// Returns whether the newest incarnation is published and uncommitted.
    const fn is_executed(self) -> bool {
        matches!(self, Self::Executed | Self::Suspect)
    }

    /// Returns whether a transaction that waits for this one can go on.
    const fn is_published(self) -> bool {
        self.is_executed() || matches!(self, Self::Committed)
    }
}

/// State of a transaction besides its status and its call classes. Searches scan those two, so they are stored
/// apart.
#[derive(Debug, Default)]
struct Tx {
    incarnation: Incarnation,
    /// The read set is known to be valid as of this epoch.
    current_at: Epoch,
    /// Epoch of the last publication by a lower transaction at a location that this one may have read.
    suspect_since: Epoch,
    /// Values that the newest incarnation rests on. An assumption counts as a read once a validation has found
    /// it true.
    basis: Speculation,
    /// Transactions that wait for the next publication of this one.
    waiting: Vec<TxIndex>,
}

/// The scheduler's lock guards all of it.
#[derive(Debug)]
pub(super) struct State {
    statuses: Vec<Status>,
    /// Call classes in the order of `statuses`. Unknown classes are an empty set.
    kinds: Vec<CallClasses>,
    txs: Vec<Tx>,
    /// The commit index: the lowest uncommitted transaction.
    pub(super) commit_index: TxIndex,
    /// Transactions to start early, in reverse order.
    early: Vec<TxIndex>,
    /// No transaction below this one is ready.
    ready_from: TxIndex,
    /// No transaction below this one needs a validation that has not started.
    suspect_from: TxIndex,
    /// Number of transactions that need validation. It is mostly zero, and a search takes long.
    suspects: usize,
    /// One more than the highest transaction that was ever started.
    started: TxIndex,
    epoch: Epoch,
    committing: bool,
    pub(super) stopped: bool,
    pub(super) sleeping: usize,
}

impl Tx {
    /// Returns whether the newest incarnation cannot have missed a publication since it started or was last
    /// validated.
    const fn is_current(&self) -> bool {
        self.current_at >= self.suspect_since
    }
}

impl State {
    pub(super) fn new(Steps { count, early, kinds }: Steps<'_>) -> Self {
        let mut kinds = kinds.to_vec();
        kinds.resize(count, CallClasses::default());
        Self {
            statuses: vec![Status::Ready; count],
            kinds,
            txs: std::iter::repeat_with(Tx::default).take(count).collect(),
            commit_index: 0,
            early: early.iter().rev().copied().collect(),
            ready_from: 0,
            suspect_from: 0,
            suspects: 0,
            started: 0,
            epoch: 0,
            committing: false,
            stopped: false,
            sleeping: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stopped || self.has_committed_all()
    }

    fn has_committed_all(&self) -> bool {
        self.commit_index == self.statuses.len()
    }

    pub(super) fn take_task(&mut self) -> Option<Task> {
        if let Some(task) = self.take_commit() {
            return Some(task);
        }
        let ready = self.next_ready();
        if ready != Some(self.commit_index)
            && let Some(early) = self.next_early()
        {
            return Some(self.take_execution(early));
        }
        let mark_for_validation = self.next_to_validate();
        match (mark_for_validation, ready) {
            (Some(mark_for_validation), Some(ready)) if mark_for_validation < ready => {
                Some(self.take_check(mark_for_validation))
            }
            (Some(mark_for_validation), None) => Some(self.take_check(mark_for_validation)),
            (_, Some(ready)) => Some(self.take_execution(self.choose(ready))),
            (None, None) => None,
        }
    }

    fn set(&mut self, tx: TxIndex, status: Status) {
        let before = std::mem::replace(&mut self.statuses[tx], status);
        self.suspects += usize::from(status == Status::Suspect);
        self.suspects -= usize::from(before == Status::Suspect);
    }

    /// Returns whether there is a task.
    pub(super) fn has_task(&mut self) -> bool {
        self.may_commit() || self.next_ready().is_some() || self.next_to_validate().is_some()
    }

    /// Returns whether the transaction at the commit index only needs validation, and no worker is validating
    /// it.
    fn may_commit(&self) -> bool {
        !self.committing && self.statuses.get(self.commit_index).is_some_and(|at| at.is_executed())
    }

    fn take_commit(&mut self) -> Option<Task> {
        if !self.may_commit() {
            return None;
        }
        // C2: the flag is set under the lock. Only the worker that validates at the commit index clears it.
        self.committing = true;
        Some(Task::Commit { tx: self.commit_index })
    }

    /// Commits transactions from the commit index on, as long as they need no validation.
    fn advance(&mut self) {
        while self.may_commit() && self.is_certain(self.commit_index) {
            self.commit_next();
        }
    }

    /// C1 for the transaction at the commit index. No lower transaction publishes any more.
    fn is_certain(&self, tx: TxIndex) -> bool {
        let tx = &self.txs[tx];
        tx.is_current() && tx.basis == Speculation::None
    }

    fn commit_next(&mut self) {
        self.set(self.commit_index, Status::Committed);
        self.commit_index += 1;
    }

    fn take_check(&mut self, tx: TxIndex) -> Task {
        self.suspect_from = tx + 1;
        self.set(tx, Status::Executed);
        Task::Validate { tx, incarnation: self.txs[tx].incarnation, epoch: self.epoch }
    }

    fn next_early(&mut self) -> Option<TxIndex> {
        while let Some(tx) = self.early.pop() {
            if self.statuses[tx] == Status::Ready {
                return Some(tx);
            }
        }
        None
    }

    fn take_execution(&mut self, tx: TxIndex) -> Task {
        self.started = self.started.max(tx + 1);
        Task::Execute { tx, start: self.start(tx) }
    }

    /// C1: an incarnation that starts at the commit index reads only final values.
    fn start(&mut self, tx: TxIndex) -> ExecutionPoint {
        let start = if tx == self.commit_index {
            ExecutionPoint::AtCommit
        } else {
            ExecutionPoint::Speculative
        };
        self.set(tx, Status::Executing);
        self.txs[tx].current_at = match start {
            ExecutionPoint::AtCommit => FINAL,
            ExecutionPoint::Speculative => self.epoch,
        };
        start
    }

    fn restart(&mut self, tx: TxIndex) -> Task {
        self.txs[tx].incarnation += 1;
        Task::ExecuteAgain { tx, start: self.start(tx) }
    }

    /// Returns the lowest ready transaction.
    fn next_ready(&mut self) -> Option<TxIndex> {
        let from = self.ready_from.max(self.commit_index);
        let end = self.statuses.len();
        let found = (from..end).find(|tx| self.statuses[*tx] == Status::Ready);
        self.ready_from = found.unwrap_or(end);
        found
    }

    /// Returns the lowest transaction above the commit index that needs validation. The one at the commit index
    /// is validated by a commit task.
    fn next_to_validate(&mut self) -> Option<TxIndex> {
        if self.suspects == 0 {
            return None;
        }
        let from = self.suspect_from.max(self.commit_index + 1);
        let found = (from..self.started).find(|tx| self.statuses[*tx] == Status::Suspect);
        self.suspect_from = found.unwrap_or(self.started);
        found
    }

    pub(super) fn executed(&mut self, tx: TxIndex, readers: ReaderSet, basis: Speculation) {
        self.txs[tx].basis = basis;
        if readers != ReaderSet::EMPTY {
            self.epoch += 1;
            // Running transactions are included. They may have read before the publication.
            readers.among(tx + 1..self.started).for_each(|above| self.mark_for_validation(above));
        }
        self.set(tx, Status::Executed);
        if !self.txs[tx].is_current() || basis == Speculation::Stale {
            self.require_validation(tx);
        }
        // S2: a transaction that blocked before this point is in the list. A later one sees the status
        // `Executed`.
        for waiting in std::mem::take(&mut self.txs[tx].waiting) {
            self.make_ready(waiting);
        }
        self.advance();
    }

    fn mark_for_validation(&mut self, tx: TxIndex) {
        self.txs[tx].suspect_since = self.epoch;
        if self.statuses[tx] == Status::Executed {
            self.require_validation(tx);
        }
    }

    /// Lowers the start of the search, so that the next search finds it.
    fn require_validation(&mut self, tx: TxIndex) {
        self.set(tx, Status::Suspect);
        self.suspect_from = self.suspect_from.min(tx);
    }

    pub(super) fn blocked(&mut self, tx: TxIndex, on: TxIndex) {
        self.txs[tx].incarnation += 1;
        if self.statuses[on].is_published() {
            // S2: the writer published between the read and this report.
            self.make_ready(tx);
        } else {
            self.set(tx, Status::Waiting);
            self.txs[on].waiting.push(tx);
        }
    }

    /// S1: lowers the start of the search, so that the next search finds it.
    fn make_ready(&mut self, tx: TxIndex) {
        self.set(tx, Status::Ready);
        self.ready_from = self.ready_from.min(tx);
    }

    pub(super) fn validated(
        &mut self,
        tx: TxIndex,
        incarnation: Incarnation,
        epoch: Epoch,
        found: Validation,
    ) -> Option<Task> {
        let being_committed =
            tx < self.commit_index || (tx == self.commit_index && self.committing);
        let executed = self.statuses[tx].is_executed();
        let state = &mut self.txs[tx];
        let same = executed && state.incarnation == incarnation;
        if !same || being_committed {
            return None;
        }
        match found {
            Validation::Valid => {
                state.current_at = state.current_at.max(epoch);
                state.basis = Speculation::None;
                self.advance();
                None
            }
            Validation::Unresolved => None,
            Validation::Invalid => Some(self.restart(tx)),
        }
    }

    pub(super) fn passed_at_commit(&mut self) {
        self.committing = false;
        self.commit_next();
        self.advance();
    }

    pub(super) fn failed_at_commit(&mut self) -> Task {
        self.committing = false;
        self.restart(self.commit_index)
    }
}
