//! The executors by name, and how one is made for a block.

use super::{
    AccessList, Bal, BlockStm, ExecuteError, Executor, Partition, Prefetch, Sequential, Sharded,
    TwoPhase,
};
use crate::block::ReplayJob;
use std::{fmt, num::NonZeroUsize, str::FromStr};

/// The executors by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExecutorKind {
    /// In block order on one thread; the baseline.
    Sequential,
    /// Optimistic, with multi-version memory.
    BlockStm,
    /// All at once, one validation pass in order.
    TwoPhase,
    /// Accounts split over shards by hash.
    Sharded,
    /// Accounts split over shards along the block's own access graph.
    ShardedByAccess,
    /// By declared reads and writes.
    AccessList,
    /// By a block access list (EIP-7928).
    Bal,
    /// In order, with the state warmed up.
    Prefetch,
}

impl ExecutorKind {
    /// All of them, the baseline first.
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

    /// The executor for this block on that many threads. What it knows beforehand is found out here, by
    /// an execution in order that nobody times; [`ExecutorKind::known_beforehand`] says what that is.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks what it reads.
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

    /// The same for a race: it may leave a block that is too small for threads to pay to one of them, and then its
    /// mode says so.
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

    /// What it knows of a block before it executes it, if anything. No block that can be fetched today
    /// tells that, so it is derived from a sequential run, which is not timed; reports have to say so.
    pub const fn known_beforehand(self) -> Option<&'static str> {
        match self {
            Self::Sequential | Self::BlockStm | Self::TwoPhase | Self::Prefetch => None,
            Self::Sharded | Self::ShardedByAccess | Self::AccessList => {
                Some("each transaction's read and write sets")
            }
            Self::Bal => Some("the block access list, with every value that a transaction wrote"),
        }
    }

    /// Whether it executes one transaction after the other, however many threads it has.
    pub const fn runs_in_order(self) -> bool {
        matches!(self, Self::Sequential | Self::Prefetch)
    }

    /// Whether a transaction of it waits for what another has still to write.
    pub const fn waits_for_values(self) -> bool {
        !matches!(self, Self::Bal)
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
#[error("there is no executor {0:?}; there are: {names}", names = names())]
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
        let error = "pevm".parse::<ExecutorKind>().expect_err("no such executor");
        for kind in ExecutorKind::ALL {
            assert!(error.to_string().contains(kind.name()), "the error lists {kind}");
        }
    }
}
