//! The execution of a block: the trait of all executors, its outcome, and what executors share.
//!
//! Every [`Executor`] starts from the same [`ReplayJob`] and runs the same EVM. It ends with the same
//! [`BlockOutcome`]: receipts in block order, gas, requests and the flat post-state. The executors
//! themselves are in [`executors`](crate::executors). The module `verify` checks an outcome, and the
//! module `measure` times an execution.
//!
//! | module | task |
//! |---|---|
//! | [`location`] | the unit of conflict, and writes to it |
//! | [`access`], `access_sets` | reads and writes of each transaction, and execution by them |
//! | [`observe`] | events of a profiled run |
//! | `worker`, `instructions`, [`hashes`], `reuse`, `codes` | the EVM of one worker thread |
//! | `beneficiary` | the beneficiary's payment |
//! | [`dependency`] | how an outcome depends on the values that it reads |
//! | `committer`, `receipts` | the state within a block, gas and receipts |
//! | `speculative_db`, `ordered_validator`, `builder` | attempts ahead of their turn, and their validation |
//!
//! Workers of a block share data through the types of [`threads`](crate::threads). The only other
//! shared memory of an execution is the pre-state ([`Storage`](crate::state::Storage)).

pub mod access;
pub(crate) mod access_sets;
pub(crate) mod beneficiary;
mod builder;
pub(crate) mod codes;
pub(crate) mod committer;
pub mod dependency;
pub mod hashes;
pub(crate) mod instructions;
mod list_error;
pub mod location;
pub mod observe;
pub(crate) mod ordered_validator;
pub(crate) mod receipts;
pub(crate) mod reuse;
pub(crate) mod speculative_db;
pub(crate) mod worker;

pub use builder::{BlockBuilder, SpeculativeState, SpeculativeWorker};
pub use list_error::ListError;
pub use worker::Attempt;

use observe::{Observer, Record, Unobserved};

use crate::{
    block::{ReplayJob, TrieAfter},
    evm::{BlockExecutionError, BlockExecutionResult, FailedPhase, Receipt},
    state::{PostState, StateError},
    threads::{DeferredDrop, WorkerPool},
};
use alloy_eips::eip7685::Requests;
use std::fmt;

/// Executes a whole block. The outcome equals that of an execution in block order, for every
/// schedule.
pub trait Executor: Send + Sync + fmt::Debug {
    /// Whether threads besides the calling one will work on this block, if the pool has any.
    fn has_work_for_others(&self, _job: &ReplayJob, _pool: &WorkerPool) -> bool {
        true
    }

    /// Executes the block on the pool's threads.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks a value that the block reads.
    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError>;

    /// Whether [`Executor::execute_with_root`] computes the state root beside the execution.
    fn has_root_beside(&self, _job: &ReplayJob, _pool: &WorkerPool) -> bool {
        false
    }

    /// Executes the block, and computes the state trie after it: at the same time, or one after the other.
    ///
    /// # Errors
    /// As [`Executor::execute`]. The inner error is that of [`ReplayJob::trie_after`].
    fn execute_with_root<'j>(
        &self,
        job: &'j ReplayJob,
        pool: &WorkerPool,
    ) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
        Ok(with_root_in_turn(job, pool, self.execute(job, pool)?))
    }

    /// As [`Executor::execute`], and each thread records what it does. This run is never timed. An
    /// executor without events leaves the record empty.
    ///
    /// # Errors
    /// As [`Executor::execute`].
    fn execute_observed(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        _record: &Record<'_>,
    ) -> Result<Execution, ExecuteError> {
        self.execute(job, pool)
    }
}

/// An executor that reports the events of its threads to an [`Observer`]. [`Executor`] is
/// implemented for every such executor.
pub trait Observable: Send + Sync + fmt::Debug {
    /// As [`Executor::has_work_for_others`].
    fn has_work_for_others(&self, _job: &ReplayJob, _pool: &WorkerPool) -> bool {
        true
    }

    /// As [`Executor::has_root_beside`].
    fn has_root_beside(&self, _job: &ReplayJob, _pool: &WorkerPool) -> bool {
        false
    }

    /// As [`Executor::execute_with_root`].
    ///
    /// # Errors
    /// As [`Executor::execute_with_root`].
    fn run_with_root<'j>(
        &self,
        job: &'j ReplayJob,
        pool: &WorkerPool,
    ) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
        Ok(with_root_in_turn(job, pool, self.run(job, pool, &Unobserved)?))
    }

    /// Executes the block on the pool's threads and reports events to `observer`.
    ///
    /// # Errors
    /// As [`Executor::execute`].
    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError>;
}

impl<E: Observable> Executor for E {
    fn has_work_for_others(&self, job: &ReplayJob, pool: &WorkerPool) -> bool {
        Observable::has_work_for_others(self, job, pool)
    }

    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        self.run(job, pool, &Unobserved)
    }

    fn has_root_beside(&self, job: &ReplayJob, pool: &WorkerPool) -> bool {
        Observable::has_root_beside(self, job, pool)
    }

    fn execute_with_root<'j>(
        &self,
        job: &'j ReplayJob,
        pool: &WorkerPool,
    ) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
        self.run_with_root(job, pool)
    }

    fn execute_observed(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        record: &Record<'_>,
    ) -> Result<Execution, ExecuteError> {
        self.run(job, pool, record)
    }
}

/// Computes the state trie after an execution.
pub(crate) fn with_root_in_turn<'j>(
    job: &'j ReplayJob,
    pool: &WorkerPool,
    execution: Execution,
) -> (Execution, TrieAfter<'j>) {
    let trie = pool.install(|| job.trie_after(&execution.outcome.post_state));
    (execution, trie)
}

/// The outcome of a block: everything that the header commits to, except roots and bloom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOutcome {
    /// In block order, with cumulative gas.
    pub receipts: Vec<Receipt>,
    /// Gas of the block in the unit of its header.
    pub gas_used: u64,
    /// Gas of blobs (EIP-4844).
    pub blob_gas_used: u64,
    /// Requests to the consensus layer (EIP-7685), in order of their type.
    pub requests: Requests,
    /// State changes of the block.
    pub post_state: PostState,
}

impl BlockOutcome {
    /// Joins the result of the block's last phase and the changes of the whole block.
    pub(crate) fn new(result: BlockExecutionResult<Receipt>, post_state: PostState) -> Self {
        let BlockExecutionResult { receipts, gas_used, blob_gas_used, requests } = result;
        Self { receipts, gas_used, blob_gas_used, requests, post_state }
    }
}

/// An outcome, and facts about its execution.
#[derive(Debug)]
pub struct Execution {
    /// The result.
    pub outcome: BlockOutcome,
    /// Amount of work.
    pub stats: ExecutionStats,
    /// The way in which the block was executed.
    pub mode: ExecutionMode,
    /// Memory of the execution that is freed later.
    pub leftovers: DeferredDrop,
}

/// Amount of work, discarded work included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionStats {
    /// Executed incarnations. Executions that only warm up the state do not count.
    pub incarnations: u64,
    /// Gas of the discarded incarnations.
    pub wasted_gas: u64,
    /// Transactions that accessed several shards; `None` without shards.
    pub cross_shard: Option<u64>,
    /// Work on the state root beside the execution; `None` if there was none, or if it is not counted.
    pub early_root: Option<EarlyRoot>,
}

/// Slots that were written to storage tries beside the execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EarlyRoot {
    /// Number of slots.
    pub slots: usize,
    /// Number of those that had to be written again after the execution, since a later transaction had changed them. The hashing
    /// of their paths was wasted.
    pub again: usize,
}

/// The way in which a block was executed. Reports always show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionMode {
    /// One thread, in block order.
    Sequential,
    /// By the executor's own method.
    Parallel,
    /// In block order, after the executor's own method had failed for this reason.
    FellBack(&'static str),
}

/// Why a block could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The block is invalid, or the pre-state lacks a value.
    #[error("the block cannot be executed")]
    Block(#[from] FailedPhase),
    /// The block was executed by this block access list, and the list is not the block's.
    #[error("the block access list is wrong; the block is invalid")]
    AccessList(#[from] ListError),
    /// The pre-state lacks the value of a changed account or slot.
    #[error("the block's changes cannot be compared with its pre-state")]
    PostState(#[from] StateError),
    /// The executor broke one of its own invariants. This is a bug of blockrace, not a fault of the
    /// block.
    #[error("a worker of the {executor} executor failed; this is a bug")]
    Engine {
        /// The executor that failed.
        executor: &'static str,
    },
    /// An executor from outside this crate failed.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl ExecuteError {
    /// A transaction failed.
    pub const fn transaction(index: usize, source: BlockExecutionError) -> Self {
        Self::Block(FailedPhase::at(index, source))
    }

    /// A phase before or after the transactions failed.
    pub const fn outside(source: BlockExecutionError) -> Self {
        Self::Block(FailedPhase::outside(source))
    }
}
