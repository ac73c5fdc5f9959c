//! Building blocks for executors from outside this crate.
//!
//! [`BlockBuilder`] holds the state within a block and accepts transactions in block order. A
//! [`SpeculativeWorker`] executes any transaction ahead of its turn on that state. The builder validates
//! such an [`Attempt`] by its read set and executes the transaction again if a value has changed. System
//! calls, the beneficiary's payments, receipts, withdrawals and requests are handled inside. An executor
//! only decides which transaction runs when, and on which thread.
//!
//! Correctness lives in [`ordered_validator`](super::ordered_validator): every attempt that commits was validated on the state
//! of block order.

use super::{
    Attempt, ExecuteError, Execution, ExecutionMode,
    committer::{State, before_transactions},
    observe::Unobserved,
    ordered_validator::OrderedValidator,
    speculative_db::SpeculativeDb,
    worker::Worker,
};
use crate::{
    block::ReplayJob,
    state::{StateError, Storage},
};
use std::{fmt, ops::ControlFlow};

/// A block in progress: its state, and the results of the transactions that are committed.
pub struct BlockBuilder<'a> {
    job: &'a ReplayJob,
    in_order: OrderedValidator<'a, Unobserved>,
}

impl<'a> BlockBuilder<'a> {
    /// Runs the block's system calls on `storage`, the job's pre-state ([`ReplayJob::storage`]).
    ///
    /// # Errors
    /// A system call failed, or the pre-state lacks a value that it reads.
    pub fn begin(job: &'a ReplayJob, storage: &'a Storage<'a>) -> Result<Self, ExecuteError> {
        let state = before_transactions(job, storage)?;
        Ok(Self { job, in_order: OrderedValidator::new(job, storage, state, &Unobserved) })
    }

    /// The state after the last committed transaction, for workers on any number of threads.
    pub fn speculation(&self) -> SpeculativeState<'_> {
        SpeculativeState { job: self.job, state: self.in_order.state() }
    }

    /// Commits the next transaction in block order. An attempt that read values which have changed is
    /// discarded, and the transaction executed again here. `Break` means that the block is invalid;
    /// [`BlockBuilder::finish`] then returns the reason.
    ///
    /// # Errors
    /// The pre-state lacks a value.
    pub fn commit(&mut self, tx: usize, attempt: Attempt) -> Result<ControlFlow<()>, StateError> {
        self.in_order.commit(tx, attempt)
    }

    /// Executes the next transaction in block order, and commits it. `Break` as for
    /// [`BlockBuilder::commit`].
    pub fn execute(&mut self, tx: usize) -> ControlFlow<()> {
        self.in_order.execute_and_commit(tx)
    }

    /// Runs the phases after the last transaction. Incarnations and discarded gas are counted.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks a value.
    pub fn finish(self, mode: ExecutionMode) -> Result<Execution, ExecuteError> {
        self.in_order.finish(mode)
    }
}

impl fmt::Debug for BlockBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockBuilder").finish_non_exhaustive()
    }
}

/// The state that speculative workers read. Threads share it.
#[derive(Clone, Copy)]
pub struct SpeculativeState<'a> {
    job: &'a ReplayJob,
    state: &'a State<'a>,
}

impl<'a> SpeculativeState<'a> {
    /// A worker for the calling thread. Making one costs some microseconds; use it for several transactions.
    pub fn worker(self) -> SpeculativeWorker<'a> {
        let snapshot = SpeculativeDb::new(self.state, self.job.env.cfg_env.spec);
        SpeculativeWorker { job: self.job, worker: Worker::speculative(self.job, snapshot) }
    }
}

impl fmt::Debug for SpeculativeState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeculativeState").finish_non_exhaustive()
    }
}

/// Executes transactions ahead of their turn, on one thread.
pub struct SpeculativeWorker<'a> {
    job: &'a ReplayJob,
    worker: Worker<SpeculativeDb<'a>>,
}

impl SpeculativeWorker<'_> {
    /// Executes the transaction at this index, without committing it.
    pub fn attempt(&mut self, tx: usize) -> Attempt {
        self.worker.attempt(self.job, tx)
    }
}

impl fmt::Debug for SpeculativeWorker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeculativeWorker").finish_non_exhaustive()
    }
}
