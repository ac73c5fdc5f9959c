//! Statuses of all transactions, and what follows from them: a plain state machine.
//!
//! No locks and no threads: whoever holds the scheduler's lock calls these one at a time. The
//! invariants are those of the module above.

mod choice;

use super::{ExecutionPoint, Incarnation, Speculation, Steps, Task, Validation};
use crate::executor::block_stm::{
    kinds::CallClasses,
    memory::{ReaderSet, TxIndex},
};

/// Counts publications that somebody may have noticed; what was true at an epoch may be outdated at the next.
type Epoch = u64;

/// Compared with final state: nothing can outdate it.
const FINAL: Epoch = Epoch::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    Executing,
    /// For a lower transaction to publish.
    Waiting,
    /// Current as far as is known, or being compared, or to be compared at the frontier only.
    Executed,
    /// Executed, and something it read may have changed since it was last compared.
    Suspect,
    Committed,
}

impl Status {
    /// Whether its newest incarnation is published, and it is not committed.
    const fn is_executed(self) -> bool {
        matches!(self, Self::Executed | Self::Suspect)
    }

    /// Whether those who waited for its publication need not any longer.
    const fn is_published(self) -> bool {
        self.is_executed() || matches!(self, Self::Committed)
    }
}

/// What is known of a transaction besides its status and its kinds, which are searched and stand apart.
#[derive(Debug, Default)]
struct Tx {
    incarnation: Incarnation,
    /// Its reads are current as far as memory was at this epoch.
    current_at: Epoch,
    /// When something that it may have read was last changed by a lower one.
    suspect_since: Epoch,
    /// What its newest incarnation is built on; an assumption counts as read once it was found true.
    basis: Speculation,
    /// Who waits for its next publication.
    waiting: Vec<TxIndex>,
}

/// All of it is guarded by the scheduler's one lock.
#[derive(Debug)]
pub(super) struct State {
    statuses: Vec<Status>,
    /// Like those; none where they are not known.
    kinds: Vec<CallClasses>,
    txs: Vec<Tx>,
    /// The lowest transaction that is not committed.
    pub(super) commit_index: TxIndex,
    /// To be started early, the last one first.
    early: Vec<TxIndex>,
    /// No transaction below is ready.
    ready_from: TxIndex,
    /// No transaction below is suspect and unchecked.
    suspect_from: TxIndex,
    /// How many are suspect, since mostly none is, and looking for one takes long.
    suspects: usize,
    /// One past the highest transaction ever started.
    started: TxIndex,
    epoch: Epoch,
    committing: bool,
    pub(super) stopped: bool,
    pub(super) sleeping: usize,
}

impl Tx {
    /// Whether nothing that its newest incarnation may have read has changed since it was last compared.
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

    /// Whether there is anything to take.
    pub(super) fn has_task(&mut self) -> bool {
        self.may_commit() || self.next_ready().is_some() || self.next_to_validate().is_some()
    }

    /// Whether the frontier is executed, so that nothing but a comparison is missing, and nobody is at it.
    fn may_commit(&self) -> bool {
        !self.committing && self.statuses.get(self.commit_index).is_some_and(|at| at.is_executed())
    }

    fn take_commit(&mut self) -> Option<Task> {
        if !self.may_commit() {
            return None;
        }
        // C2: the flag is set under the lock, and only the committing worker clears it.
        self.committing = true;
        Some(Task::Commit { tx: self.commit_index })
    }

    /// Commits as many as need no comparison.
    fn advance(&mut self) {
        while self.may_commit() && self.is_certain(self.commit_index) {
            self.commit_frontier();
        }
    }

    /// C1, of the frontier, as nothing below it is published any more.
    fn is_certain(&self, tx: TxIndex) -> bool {
        let tx = &self.txs[tx];
        tx.is_current() && tx.basis == Speculation::None
    }

    fn commit_frontier(&mut self) {
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

    /// C1: what starts at the frontier reads final state only.
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

    /// The lowest transaction that is ready.
    fn next_ready(&mut self) -> Option<TxIndex> {
        let from = self.ready_from.max(self.commit_index);
        let end = self.statuses.len();
        let found = (from..end).find(|tx| self.statuses[*tx] == Status::Ready);
        self.ready_from = found.unwrap_or(end);
        found
    }

    /// The frontier itself is left to whoever commits.
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
            // Also of those that are being executed: they may have read before it was published.
            readers.among(tx + 1..self.started).for_each(|above| self.mark_for_validation(above));
        }
        self.set(tx, Status::Executed);
        if !self.txs[tx].is_current() || basis == Speculation::Stale {
            self.require_validation(tx);
        }
        // S2: whoever came before this point is in the list, whoever comes later sees `Executed`.
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

    /// The index falls to it, so that the next search finds it.
    fn require_validation(&mut self, tx: TxIndex) {
        self.set(tx, Status::Suspect);
        self.suspect_from = self.suspect_from.min(tx);
    }

    pub(super) fn blocked(&mut self, tx: TxIndex, on: TxIndex) {
        self.txs[tx].incarnation += 1;
        if self.statuses[on].is_published() {
            // S2: it published between the read and this report.
            self.make_ready(tx);
        } else {
            self.set(tx, Status::Waiting);
            self.txs[on].waiting.push(tx);
        }
    }

    /// S1: the index falls to it, so that the next search finds it.
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

    pub(super) fn passed_at_frontier(&mut self) {
        self.committing = false;
        self.commit_frontier();
        self.advance();
    }

    pub(super) fn failed_at_frontier(&mut self) -> Task {
        self.committing = false;
        self.restart(self.commit_index)
    }
}
