//! A block's accesses and times, from which everything else about it follows.

use super::{
    graph::Graph,
    model::{Model, Spot},
    schedule::{Order, Task, makespan},
    timeline::{self, ReadShares, Times},
};
use crate::{
    block::ReplayJob,
    executor::{
        ExecuteError, ExecutorKind,
        access::{self, AccountNumber, Location, TxAccess, TxIndex},
    },
    state::{Names, Read},
};
use alloy_primitives::Address;
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

    /// The transactions to schedule, by time.
    pub fn tasks(&self, graph: &Graph, start: Start) -> Vec<Task> {
        self.weighed(graph, &self.times.transactions, start)
    }

    /// The transactions to schedule, by any weight.
    pub(super) fn weighed(&self, graph: &Graph, weights: &[u64], start: Start) -> Vec<Task> {
        graph.tasks(weights, |tx, dependency| match start {
            Start::WhenReady => 0.0,
            Start::AtOnce => self.read_share(tx, dependency.at),
        })
    }

    /// After which share of the transaction's time it first reads there, from 0 to 1; of a storage as a whole, any slot for the
    /// last time. What it never loads, it changes at its end: the beneficiary's balance.
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

    /// The bound of an executor's speedup on so many threads; `None` for a block without transactions.
    ///
    /// The speedup is relative to the baseline, so what workers spare on one thread is in the bound, too.
    pub fn bound(&self, executor: ExecutorKind, threads: NonZeroUsize) -> Option<f64> {
        let threads = if executor.runs_in_order() { NonZeroUsize::MIN } else { threads };
        let times = match executor {
            ExecutorKind::Sequential => &self.times.transactions,
            _ => &self.times.least,
        };
        let tasks = self.weighed(&self.graph(Model::of(executor)), times, Start::AtOnce);
        let least = makespan(&tasks, threads, Order::LongestPathFirst)?;
        Some(self.times.total() as f64 / least as f64)
    }
}

/// When a transaction starts that depends on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At once; it waits where it reads what is not there yet. Nobody can do better.
    AtOnce,
    /// When all that it will read is there.
    WhenReady,
}

/// Of the slots of one account.
fn latest_slot(reads: &ReadShares, address: Address) -> Option<f64> {
    let own = reads.iter().filter(|(read, _)| matches!(read, Read::Slot(of, _) if *of == address));
    own.map(|(_, share)| *share).reduce(f64::max)
}

impl Model {
    /// What an executor at its best would take for a conflict.
    pub const fn of(executor: ExecutorKind) -> Self {
        match executor {
            ExecutorKind::Sequential
            | ExecutorKind::BlockStm
            | ExecutorKind::TwoPhase
            | ExecutorKind::Sharded
            | ExecutorKind::ShardedByAccess
            | ExecutorKind::AccessList
            | ExecutorKind::Prefetch => Self::Fields,
            // It was told every value that a transaction will read.
            ExecutorKind::Bal => Self::Independent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_spare_is_in_the_bound_of_all_but_the_baseline() {
        let times = Times { transactions: vec![30, 10], least: vec![15, 10], ..Times::default() };
        let accesses = vec![TxAccess::default(), TxAccess::default()];
        let study = Study { accesses, times, names: Names::default(), beneficiary: None };
        let bound = |executor, threads| study.bound(executor, NonZeroUsize::new(threads)?);
        assert_eq!(bound(ExecutorKind::Sequential, 1), Some(1.0));
        assert_eq!(bound(ExecutorKind::BlockStm, 1), Some(1.6));
        assert_eq!(bound(ExecutorKind::Bal, 2), Some(40.0 / 15.0));
        assert_eq!(bound(ExecutorKind::Prefetch, 2), Some(1.6), "it executes in order");
    }
}
