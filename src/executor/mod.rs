//! Ways to execute a whole block, behind one trait.
//!
//! Every executor starts from the same [`ReplayJob`], runs the same EVM, and ends with the same
//! [`BlockOutcome`]: receipts in order, gas, requests and the flat post-state. How it gets there is its
//! own folder's business. Whether the outcome is right is `verify`'s, how long it took `measure`'s.
//!
//! Shared state, atomics and locks live here and nowhere else.

pub mod access;
mod affinity;
pub mod block_stm;
mod guard;
pub mod observe;
mod pool;
mod sequential;

pub use affinity::{BoundCaller, Pinning};
pub use block_stm::BlockStm;
pub use guard::{Guard, GuardError};
pub use pool::{Crowding, PoolError, WorkerPool};
pub use sequential::Sequential;

use observe::{Activity, Event, Observer as _, Record};

use crate::{
    block::ReplayJob,
    evm::{BlockExecutionError, FailedPhase, Receipt},
    state::{PostState, StateError},
};
use alloy_eips::eip7685::Requests;
use std::{fmt, str::FromStr};

/// Executes a whole block. The result is what block order gives, however it was scheduled.
pub trait Executor: Sync + fmt::Debug {
    /// Which of the executors this is.
    fn kind(&self) -> ExecutorKind;

    /// Executes the block on the pool's threads.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks what it reads.
    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError>;

    /// The same, telling what each thread does meanwhile. Never measured. Whoever tells nothing of its
    /// inside is seen to do one thing.
    ///
    /// # Errors
    /// As [`Executor::execute`].
    fn execute_observed(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        record: &Record<'_>,
    ) -> Result<Execution, ExecuteError> {
        record.tell(Event::Began(Activity::Whole));
        let execution = self.execute(job, pool);
        record.tell(Event::Began(Activity::Absent));
        execution
    }
}

/// The executors by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExecutorKind {
    /// In block order on one thread; the baseline.
    Sequential,
    /// Optimistic, with multi-version memory.
    BlockStm,
}

impl ExecutorKind {
    /// All of them, the baseline first.
    pub const ALL: [Self; 2] = [Self::Sequential, Self::BlockStm];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::BlockStm => "block-stm",
        }
    }

    /// The executor itself.
    pub fn executor(self) -> &'static dyn Executor {
        match self {
            Self::Sequential => &Sequential,
            Self::BlockStm => &BlockStm,
        }
    }

    /// Whether more threads than one change what it does.
    pub const fn is_parallel(self) -> bool {
        !matches!(self, Self::Sequential)
    }
}

impl fmt::Display for ExecutorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no executor has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no executor {0:?}; there are: sequential, block-stm")]
pub struct UnknownExecutor(String);

impl FromStr for ExecutorKind {
    type Err = UnknownExecutor;

    fn from_str(name: &str) -> Result<Self, UnknownExecutor> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownExecutor(name.to_owned()))
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

/// An outcome, and how it came about.
#[derive(Debug)]
pub struct Execution {
    /// The result.
    pub outcome: BlockOutcome,
    /// What it took.
    pub stats: ExecutionStats,
    /// What really ran.
    pub mode: ExecutionMode,
}

/// Work done, thrown-away work included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionStats {
    /// Transactions executed, counting every incarnation.
    pub incarnations: u64,
    /// Gas of the incarnations that were thrown away.
    pub wasted_gas: u64,
}

/// What really ran. Never silent: reports show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionMode {
    /// One thread, in block order.
    Sequential,
    /// As the executor's name says.
    Parallel,
}

/// Why a block could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The block is invalid, or the pre-state could not answer.
    #[error("the block cannot be executed")]
    Block(#[from] FailedPhase),
    /// A changed account or slot has no known value before the block.
    #[error("the block's changes cannot be compared with the state before it")]
    PostState(#[from] StateError),
    /// The engine broke a rule of its own. This is a bug of ours, never the block's fault.
    #[error("a worker of the {executor} executor gave up; this is a bug")]
    Engine {
        /// Whose.
        executor: ExecutorKind,
    },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_executor_is_found_by_its_name() {
        for kind in ExecutorKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(kind.executor().kind(), kind);
        }
        let error = "pevm".parse::<ExecutorKind>().expect_err("no such executor");
        for kind in ExecutorKind::ALL {
            assert!(error.to_string().contains(kind.name()), "the error lists {kind}");
        }
    }
}
