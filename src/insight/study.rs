//! A block's accesses and times, from which everything else about it follows.

use super::{
    graph::Graph,
    model::Model,
    schedule::{Order, speedup},
    timeline::{self, Times},
};
use crate::{
    block::ReplayJob,
    executor::{
        ExecuteError, ExecutorKind,
        access::{self, AccountNumber, TxAccess},
    },
    state::Names,
};
use std::num::{NonZeroU32, NonZeroUsize};

/// What a block's transactions read and write, and how long they take.
#[derive(Clone, Debug)]
pub struct Study {
    /// By transaction.
    pub accesses: Vec<TxAccess>,
    /// Of the shortest of several runs.
    pub times: Times,
    /// Addresses and keys by number.
    pub names: Names,
    /// Whom fees are paid to; `None` where no transaction pays any.
    pub beneficiary: Option<AccountNumber>,
}

impl Study {
    /// Executes the block a few times: once for the accesses, and `runs` times for the times.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks what it reads.
    pub fn of(job: &ReplayJob, runs: NonZeroU32) -> Result<Self, ExecuteError> {
        let beneficiary = job.numbered_state.account(job.header.beneficiary);
        Ok(Self {
            accesses: access::record(job)?.transactions,
            times: timeline::times(job, runs)?,
            names: job.numbered_state.names(),
            beneficiary: beneficiary.ok().map(|account| account.number),
        })
    }

    /// Who depends on whom.
    pub fn graph(&self, model: Model) -> Graph {
        Graph::new(&self.accesses, model, self.beneficiary)
    }

    /// By transaction, in gas.
    pub fn gas(&self) -> Vec<u64> {
        self.accesses.iter().map(|access| access.gas).collect()
    }

    /// The bound of an executor's speedup on so many threads; `None` for a block without transactions.
    pub fn bound(&self, executor: ExecutorKind, threads: NonZeroUsize) -> Option<f64> {
        let graph = self.graph(Model::of(executor));
        speedup(&graph, &self.times.transactions, threads, Order::LongestPathFirst)
    }
}

impl Model {
    /// What an executor at its best would take for a conflict.
    pub const fn of(executor: ExecutorKind) -> Self {
        match executor {
            ExecutorKind::Sequential | ExecutorKind::BlockStm => Self::Fields,
        }
    }
}
