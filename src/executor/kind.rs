//! Names of the executors, and construction of an executor for a block.

use super::{
    AccessList, Bal, BlockStm, ExecuteError, Executor, Partition, Prefetch, Sequential, Sharded,
    TwoPhase,
};
use crate::block::ReplayJob;
use std::{fmt, num::NonZeroUsize, str::FromStr};

/// An executor, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExecutorKind {
    /// In block order on one thread; the baseline.
    Sequential,
    /// Optimistic, with multi-version memory.
    BlockStm,
    /// All transactions in parallel, then one validation pass in block order.
    TwoPhase,
    /// Accounts are assigned to shards by hash.
    Sharded,
    /// Accounts are assigned to shards by the block's own access graph.
    ShardedByAccess,
    /// Schedules transactions by their declared reads and writes.
    AccessList,
    /// Executes by a block access list (EIP-7928).
    Bal,
    /// In block order, with parallel warm-up of the state.
    Prefetch,
}

impl ExecutorKind {
    /// All executors, the baseline first.
    pub const ALL: [Self; 8] = [
        Self::Sequential,
        Self::BlockStm,
        Self::TwoPhase,
        Self::Sharded,
        Self::ShardedByAccess,
        Self::AccessList,
        Self::Bal,
        Self::Prefetch,
    ];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::BlockStm => "block-stm",
            Self::TwoPhase => "two-phase",
            Self::Sharded => "sharded",
            Self::ShardedByAccess => "sharded-by-access",
            Self::AccessList => "access-list",
            Self::Bal => "bal",
            Self::Prefetch => "prefetch",
        }
    }

    /// Makes the executor for this block and this number of threads. An executor with oracle
    /// knowledge derives it here, from an untimed execution in order.
    /// [`ExecutorKind::known_beforehand`] names that knowledge.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks a value that the block reads.
    pub fn prepare(
        self,
        job: &ReplayJob,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Executor>, ExecuteError> {
        Ok(match self {
            Self::Sequential => Box::new(Sequential),
            Self::BlockStm => Box::new(BlockStm::Always),
            Self::TwoPhase => Box::new(TwoPhase),
            Self::Sharded => Box::new(Sharded::prepare(job, Partition::ByHash, threads)?),
            Self::ShardedByAccess => Box::new(Sharded::prepare(job, Partition::ByAccess, threads)?),
            Self::Prefetch => Box::new(Prefetch),
            Self::AccessList => Box::new(AccessList::prepare(job, threads)?),
            Self::Bal => Box::new(Bal::prepare(job, threads)?),
        })
    }

    /// As [`ExecutorKind::prepare`], for a race. The executor may run a block on one thread if the
    /// block is too small to gain from more. Its mode then says so.
    ///
    /// # Errors
    /// As [`ExecutorKind::prepare`].
    pub fn contender(
        self,
        job: &ReplayJob,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Executor>, ExecuteError> {
        match self {
            Self::BlockStm => Ok(Box::new(BlockStm::WhereItPays)),
            _ => self.prepare(job, threads),
        }
    }

    /// The oracle knowledge of the executor, if it has any. Blocks do not carry it today, so it is
    /// derived from an untimed sequential run. Reports have to say so.
    pub const fn known_beforehand(self) -> Option<&'static str> {
        match self {
            Self::Sequential | Self::BlockStm | Self::TwoPhase | Self::Prefetch => None,
            Self::Sharded | Self::ShardedByAccess | Self::AccessList => {
                Some("each transaction's read and write sets")
            }
            Self::Bal => Some("the block access list, with every value that a transaction wrote"),
        }
    }

    /// Whether it executes one transaction after the other, on any number of threads.
    pub const fn runs_in_order(self) -> bool {
        matches!(self, Self::Sequential | Self::Prefetch)
    }

    /// Whether its transactions wait for values of earlier transactions.
    pub const fn waits_for_values(self) -> bool {
        !matches!(self, Self::Bal)
    }

    /// Whether it uses more than one thread.
    pub const fn is_parallel(self) -> bool {
        !matches!(self, Self::Sequential)
    }
}

impl fmt::Display for ExecutorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not the name of an executor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown executor {0:?}; the executors are: {names}", names = names())]
pub struct UnknownExecutor(String);

fn names() -> String {
    ExecutorKind::ALL.map(ExecutorKind::name).join(", ")
}

impl FromStr for ExecutorKind {
    type Err = UnknownExecutor;

    fn from_str(name: &str) -> Result<Self, UnknownExecutor> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownExecutor(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_executor_is_found_by_its_name() {
        for kind in ExecutorKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let error = "pevm".parse::<ExecutorKind>().expect_err("pevm is not an executor");
        for kind in ExecutorKind::ALL {
            assert!(error.to_string().contains(kind.name()), "the error lists {kind}");
        }
    }
}
