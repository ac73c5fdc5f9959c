//! Records the accesses and times of a block, from which the analysis follows.

use super::{
    graph::Graph,
    model::{Model, Spot},
    schedule::{Order, Task, makespan, simulate},
    timeline::{self, ReadShares, Times},
};
use crate::{
    block::ReplayJob,
    execution::{
        ExecuteError,
        access::TxAccess,
        location::{AccountNumber, Location, TxIndex},
    },
    executors::{ExecutorKind, Schedule, record_accesses},
    state::{Names, Read},
};
use alloy_primitives::Address;
use std::num::{NonZeroU32, NonZeroUsize};

/// Accesses and times of a block's transactions.
#[derive(Clone, Debug)]
pub struct Study {
    /// Accesses by transaction.
    pub accesses: Vec<TxAccess>,
    /// The shortest times of several runs.
    pub times: Times,
    /// Addresses and keys by number.
    pub names: Names,
    /// Account number of the beneficiary; `None` if no transaction pays a fee.
    pub beneficiary: Option<AccountNumber>,
}

impl Study {
    /// Executes the block several times: once for the accesses, and `runs` times for the times.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state is incomplete.
    pub fn of(job: &ReplayJob, runs: NonZeroU32) -> Result<Self, ExecuteError> {
        let beneficiary = job.indexed_state.account(job.header.beneficiary);
        Ok(Self {
            accesses: record_accesses(job)?.transactions,
            times: timeline::times(job, runs)?,
            names: job.indexed_state.names(),
            beneficiary: beneficiary.ok().map(|account| account.number),
        })
    }

    /// The dependencies under a conflict model.
    pub fn graph(&self, model: Model) -> Graph {
        Graph::new(&self.accesses, model, self.beneficiary)
    }

    /// Gas by transaction.
    pub fn gas(&self) -> Vec<u64> {
        self.accesses.iter().map(|access| access.gas).collect()
    }

    /// The transactions to schedule, weighted by time.
    pub fn tasks(&self, graph: &Graph, start: Start) -> Vec<Task> {
        self.weighed(graph, &self.times.transactions, start)
    }

    /// The transactions to schedule, with any weights.
    pub(super) fn weighed(&self, graph: &Graph, weights: &[u64], start: Start) -> Vec<Task> {
        graph.tasks(weights, |tx, dependency| match start {
            Start::WhenReady => 0.0,
            Start::AtOnce => self.read_share(tx, dependency.at),
        })
    }

    /// The share of the transaction's time after which it first reads the spot, from 0 to 1. For a storage as a
    /// whole it is the latest first read of a slot. A spot that is never loaded is changed at the end: the
    /// beneficiary's balance.
    pub fn read_share(&self, tx: TxIndex, at: Spot) -> f64 {
        const AT_ITS_END: f64 = 1.0;
        let Some(reads) = self.times.reads.get(tx) else { return AT_ITS_END };
        let share = self.names.account(at.account()).and_then(|address| {
            let slot = |key| reads.get(&Read::Slot(address, key)).copied();
            match at {
                Spot::Field(Location::Slot(_, number)) => slot(self.names.slot(number)?),
                Spot::Field(Location::OtherSlot(_, key)) => slot(key),
                Spot::Field(Location::Storage(_)) => latest_slot(reads, address),
                Spot::Field(Location::Balance(_) | Location::Nonce(_) | Location::Code(_))
                | Spot::Account(_) => reads.get(&Read::Account(address)).copied(),
            }
        });
        share.unwrap_or(AT_ITS_END)
    }

    /// The end of each transaction in the schedule of the bound on this number of threads, in nanoseconds.
    pub fn bound_ends(&self, threads: NonZeroUsize) -> Vec<u64> {
        let tasks = self.tasks(&self.graph(Model::Fields), Start::AtOnce);
        simulate(&tasks, threads, Order::LongestPathFirst)
    }

    /// The bound of an executor's speedup on this number of threads; `None` for a block without transactions.
    ///
    /// The speedup is relative to `baseline`. A worker may be faster than `sequential` on one thread. The bound
    /// includes that gain, unless the baseline has it, too.
    pub fn bound(
        &self,
        executor: ExecutorKind,
        threads: NonZeroUsize,
        baseline: ExecutorKind,
    ) -> Option<f64> {
        let threads =
            if executor.schedule() == Schedule::InOrder { NonZeroUsize::MIN } else { threads };
        let tasks =
            self.weighed(&self.graph(Model::of(executor)), self.times_of(executor), Start::AtOnce);
        let least = makespan(&tasks, threads, Order::LongestPathFirst)?;
        let whole: u64 = self.times_of(baseline).iter().sum();
        Some(whole as f64 / least as f64)
    }

    /// Times of the transactions with an executor, in nanoseconds: without the savings of workers, or with them.
    fn times_of(&self, executor: ExecutorKind) -> &[u64] {
        if executor == ExecutorKind::SEQUENTIAL {
            &self.times.transactions
        } else {
            &self.times.least
        }
    }
}

/// Start of a transaction that has dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It starts immediately, and waits where it reads a missing value. No executor can do better without
    /// oracle knowledge.
    AtOnce,
    /// It starts when all values that it will read are final.
    WhenReady,
}

/// The latest of the first reads of the account's slots.
fn latest_slot(reads: &ReadShares, address: Address) -> Option<f64> {
    let own = reads.iter().filter(|(read, _)| matches!(read, Read::Slot(of, _) if *of == address));
    own.map(|(_, share)| *share).reduce(f64::max)
}

impl Model {
    /// The conflict model of an ideal implementation of the executor.
    pub fn of(executor: ExecutorKind) -> Self {
        match executor.schedule() {
            Schedule::InOrder | Schedule::Dependencies => Self::Fields,
            Schedule::Independent => Self::Independent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_parallel_executors_includes_the_gain_of_workers() {
        let times = Times { transactions: vec![30, 10], least: vec![15, 10], ..Times::default() };
        let accesses = vec![TxAccess::default(), TxAccess::default()];
        let study = Study { accesses, times, names: Names::default(), beneficiary: None };
        let bound = |executor, threads| {
            study.bound(executor, NonZeroUsize::new(threads)?, ExecutorKind::SEQUENTIAL)
        };
        assert_eq!(bound(ExecutorKind::SEQUENTIAL, 1), Some(1.0));
        assert_eq!(bound(ExecutorKind::BLOCK_STM, 1), Some(1.6));
        assert_eq!(bound(ExecutorKind::BAL, 2), Some(40.0 / 15.0));
        assert_eq!(bound(ExecutorKind::PREFETCH, 2), Some(1.6), "it executes in order");
    }
}
