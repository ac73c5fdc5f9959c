//! Statuses of all transactions, and what follows from them: a plain state machine.
//!
//! No locks and no threads: whoever holds the scheduler's lock calls these one at a time. The
//! invariants are those of the module above.

mod choice;

use super::{Basis, Comparison, Found, Incarnation, Start, Steps, Task};
use crate::executor::block_stm::{
    kinds::Kinds,
    memory::{Publication, TxIndex},
};

/// Counts publications that changed something; what was true at an epoch may be outdated at the next.
type Epoch = u64;

/// Compared with final state: nothing can outdate it.
const FINAL: Epoch = Epoch::MAX;

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
    kinds: Kinds,
    incarnation: Incarnation,
    /// Its reads are current as far as memory was at this epoch.
    current_at: Epoch,
    /// What its newest incarnation is built on; an assumption counts as read once it was found true.
    basis: Basis,
    /// When it last published a change.
    published_at: Epoch,
    /// Who waits for its next publication.
    waiting: Vec<TxIndex>,
}

/// All of it is guarded by the scheduler's one lock.
#[derive(Debug)]
pub(super) struct State {
    txs: Vec<Tx>,
    /// The lowest transaction that is not committed.
    frontier: TxIndex,
    /// To be started early, the last one first.
    early: Vec<TxIndex>,
    /// No transaction below is ready.
    ready_from: TxIndex,
    /// No transaction below is suspect and unchecked.
    suspect_from: TxIndex,
    /// One past the highest transaction ever started.
    started: TxIndex,
    epoch: Epoch,
    /// The newest publication of a committed transaction.
    committed_epoch: Epoch,
    pub(super) committing: bool,
    pub(super) stopped: bool,
    pub(super) sleeping: usize,
}

impl State {
    pub(super) fn new(Steps { count, early, kinds }: Steps<'_>) -> Self {
        let tx = |tx: TxIndex| Tx {
            status: Status::Ready,
            kinds: kinds.get(tx).copied().unwrap_or_default(),
            incarnation: 0,
            current_at: 0,
            basis: Basis::Read,
            published_at: 0,
            waiting: Vec::new(),
        };
        Self {
            txs: (0..count).map(tx).collect(),
            frontier: 0,
            early: early.iter().rev().copied().collect(),
            ready_from: 0,
            suspect_from: 0,
            started: 0,
            epoch: 0,
            committed_epoch: 0,
            committing: false,
            stopped: false,
            sleeping: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stopped || self.has_committed_all()
    }

    pub(super) fn has_committed_all(&self) -> bool {
        self.frontier == self.txs.len()
    }

    pub(super) fn take_task(&mut self) -> Option<Task> {
        if let Some(task) = self.take_commit() {
            return Some(task);
        }
        let ready = self.next_ready();
        if ready != Some(self.frontier)
            && let Some(early) = self.next_early()
        {
            return Some(self.take_execution(early));
        }
        let suspect = self.next_suspect();
        match (suspect, ready) {
            (Some(suspect), Some(ready)) if suspect < ready => Some(self.take_check(suspect)),
            (Some(suspect), None) => Some(self.take_check(suspect)),
            (_, Some(ready)) => Some(self.take_execution(self.choose(ready))),
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
        let needed = tx.current_at < self.committed_epoch || tx.basis == Basis::Assumed;
        let comparison = if needed { Comparison::Needed } else { Comparison::Done };
        Some(Task::Commit { tx: self.frontier, comparison })
    }

    fn take_check(&mut self, tx: TxIndex) -> Task {
        self.suspect_from = tx + 1;
        Task::Check { tx, incarnation: self.txs[tx].incarnation, epoch: self.epoch }
    }

    fn next_early(&mut self) -> Option<TxIndex> {
        while let Some(tx) = self.early.pop() {
            if self.txs[tx].status == Status::Ready {
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

    pub(super) fn restart(&mut self, tx: TxIndex) -> Start {
        self.txs[tx].incarnation += 1;
        self.start(tx)
    }

    /// The lowest transaction that is ready.
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

    pub(super) fn executed(&mut self, tx: TxIndex, publication: Publication, basis: Basis) {
        self.txs[tx].basis = basis;
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

    pub(super) fn blocked(&mut self, tx: TxIndex, on: TxIndex) {
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

    pub(super) fn checked(
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
                state.basis = Basis::Read;
                None
            }
            Found::Missing => None,
            Found::Outdated => Some(self.restart(tx)),
        }
    }

    pub(super) fn committed(&mut self, tx: TxIndex) {
        let state = &mut self.txs[tx];
        state.status = Status::Committed;
        self.committed_epoch = self.committed_epoch.max(state.published_at);
        self.frontier = tx + 1;
        self.committing = false;
    }
}
