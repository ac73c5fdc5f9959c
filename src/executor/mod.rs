//! Ways to execute a whole block, behind one trait.
//!
//! Every executor starts from the same [`ReplayJob`], runs the same EVM, and ends with the same
//! [`BlockOutcome`]: receipts in order, gas, requests and the flat post-state. How it gets there is its
//! own folder's business. Whether the outcome is right is `verify`'s, how long it took `measure`'s.
//!
//! Shared state, atomics and locks live here and nowhere else.

pub mod access;
mod access_list;
mod affinity;
mod bal;
pub mod block_stm;
mod builder;
mod built_in;
mod codes;
mod committer;
mod declared;
mod demands;
mod fees;
mod handover;
pub mod hashes;
mod in_order;
mod instructions;
mod kind;
mod leftovers;
mod lookout;
pub mod observe;
mod pool;
mod prefetch;
mod registry;
mod reuse;
mod sequential;
mod sharded;
mod side_by_side;
mod snapshot;
mod sync;
mod tally;
mod tasks;
mod two_phase;
pub mod watchdog;
mod worker;

pub use access_list::AccessList;
pub use affinity::{BoundCaller, Pinning};
pub use bal::{Bal, ListError};
pub use block_stm::BlockStm;
pub use builder::{BlockBuilder, SpeculativeState, SpeculativeWorker};
pub use kind::{ExecutorFactory, ExecutorKind, Schedule};
pub use leftovers::DeferredDrop;
pub use pool::{Oversubscribed, PoolError, WorkerPool};
pub use prefetch::Prefetch;
pub use registry::{NameError, Registry, UnknownExecutor};
pub use sequential::Sequential;
pub use sharded::{Partition, Sharded};
pub use side_by_side::SideBySide;
pub use two_phase::TwoPhase;
pub use watchdog::{Watchdog, WatchdogError};
pub use worker::Attempt;

use observe::{Observer, Record, Unobserved};

use crate::{
    block::ReplayJob,
    evm::{BlockExecutionError, BlockExecutionResult, FailedPhase, Receipt},
    state::{PostState, StateError},
};
use alloy_eips::eip7685::Requests;
use std::fmt;

/// Executes a whole block. The result is what block order gives, however it was scheduled.
pub trait Executor: Send + Sync + fmt::Debug {
    /// Whether others than the calling thread will work on this block, if the pool has any.
    fn has_work_for_others(&self, _job: &ReplayJob, _pool: &WorkerPool) -> bool {
        true
    }

    /// Executes the block on the pool's threads.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks what it reads.
    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError>;

    /// The same, telling what each thread does meanwhile. Never measured. Whoever has nothing to tell
    /// leaves an empty record.
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

/// An executor that tells what its threads do, to nobody as well as to a record. What [`Executor`] asks for
/// follows from it.
pub trait Observable: Send + Sync + fmt::Debug {
    /// As [`Executor::has_work_for_others`].
    fn has_work_for_others(&self, _job: &ReplayJob, _pool: &WorkerPool) -> bool {
        true
    }

    /// Executes the block on the pool's threads, telling `observer` about it.
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

    fn execute_observed(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        record: &Record<'_>,
    ) -> Result<Execution, ExecuteError> {
        self.run(job, pool, record)
    }
}

/// What executing a block gives: all that the header commits to, but for roots and bloom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOutcome {
    /// In block order, with cumulative gas.
    pub receipts: Vec<Receipt>,
    /// As the header counts it, in gas.
    pub gas_used: u64,
    /// Gas of blobs (EIP-4844).
    pub blob_gas_used: u64,
    /// Requests to the consensus layer (EIP-7685), in order of their type.
    pub requests: Requests,
    /// What changed.
    pub post_state: PostState,
}

impl BlockOutcome {
    /// What the block's last phase gave, and all that changed.
    fn new(result: BlockExecutionResult<Receipt>, post_state: PostState) -> Self {
        let BlockExecutionResult { receipts, gas_used, blob_gas_used, requests } = result;
        Self { receipts, gas_used, blob_gas_used, requests, post_state }
    }
}

/// An outcome, and how it came about.
#[derive(Debug)]
pub struct Execution {
    /// The result.
    pub outcome: BlockOutcome,
    /// What it took.
    pub stats: ExecutionStats,
    /// What really ran.
    pub mode: ExecutionMode,
    /// What is freed with it.
    pub leftovers: DeferredDrop,
}

/// Work done, thrown-away work included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionStats {
    /// Transactions executed, counting every incarnation, but none that only warms up.
    pub incarnations: u64,
    /// Gas of those of them that were thrown away.
    pub wasted_gas: u64,
    /// Transactions that accessed several shards, where there are shards.
    pub cross_shard: Option<u64>,
}

/// What really ran. Never silent: reports show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionMode {
    /// One thread, in block order.
    Sequential,
    /// As the executor's name says.
    Parallel,
    /// In block order after all, for this reason, once that had failed.
    FellBack(&'static str),
}

/// Why a block could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The block is invalid, or the pre-state could not answer.
    #[error("the block cannot be executed")]
    Block(#[from] FailedPhase),
    /// The block access list, which the block was executed by, is not the block's.
    #[error("the block access list is wrong, so the block is invalid")]
    AccessList(#[from] ListError),
    /// A changed account or slot has no known value before the block.
    #[error("the block's changes cannot be compared with the state before it")]
    PostState(#[from] StateError),
    /// The engine broke a rule of its own. This is a bug of ours, never the block's fault.
    #[error("a worker of the {executor} executor gave up; this is a bug")]
    Engine {
        /// Whose.
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
