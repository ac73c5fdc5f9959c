//! Assigns accounts to shards, and the block's transactions to the shards of their accounts.

use crate::{
    block::ReplayJob,
    execution::{
        access::{Accesses, TxAccess},
        access_sets::{account_of, exact_balance},
        location::AccountNumber,
    },
};
use alloy_consensus::Transaction as _;
use alloy_primitives::keccak256;
use revm::context_interface::Block as _;
use std::{cmp::Reverse, collections::BTreeSet, num::NonZeroUsize};

/// The method that assigns accounts to shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Partition {
    /// By Keccak-256 of the address. It needs no knowledge, and separates accounts that are used
    /// together.
    ByHash,
    /// By the block's own access graph. Accounts that are used together share a shard, and all
    /// shards get about the same load. The method is greedy, in the manner of streaming
    /// partitioning (Stanton and Kliot, "Streaming Graph Partitioning for Large Distributed
    /// Graphs", KDD 2012). The transactions with the highest gas limits are placed first.
    ByAccess,
}

/// Accounts of each transaction that matter for the partition.
#[derive(Debug)]
pub(super) struct AccountAccess {
    /// Accounts that the transaction accesses and the block writes.
    accounts: Vec<Vec<AccountNumber>>,
    /// Whether it depends on the beneficiary's exact balance, which all earlier transactions
    /// change.
    needs_all: Vec<bool>,
}

impl AccountAccess {
    /// Collects the accounts of the accesses. The beneficiary counts only if a transaction depends
    /// on its balance. Fees are added at the end of the block, so they cross no shards.
    pub(super) fn new(job: &ReplayJob, accesses: &Accesses) -> Self {
        let beneficiary = job.indexed_state.account(job.env.block_env.beneficiary());
        let beneficiary = beneficiary.ok().map(|account| account.number);
        let accessed = |access: &TxAccess| {
            let reads: BTreeSet<_> = access.reads.iter().map(|(at, _)| account_of(*at)).collect();
            let writes = access.writes.iter().map(|(at, _)| account_of(*at));
            // The fee alone is no access, because it is added at the end of the block.
            let writes = writes.filter(|account| Some(*account) != beneficiary);
            writes.chain(reads.iter().copied()).collect::<BTreeSet<_>>()
        };
        let writes = accesses.transactions.iter().flat_map(|access| &access.writes);
        let written: BTreeSet<_> = writes.map(|(at, _)| account_of(*at)).collect();
        let accounts = accesses.transactions.iter().map(|access| {
            accessed(access).into_iter().filter(|account| written.contains(account)).collect()
        });
        let accounts: Vec<Vec<_>> = accounts.collect();
        let needs_all = accesses.transactions.iter().map(|access| {
            access.reads.iter().filter_map(exact_balance).any(|of| Some(of) == beneficiary)
        });
        let needs_all = needs_all.collect();
        Self { accounts, needs_all }
    }
}

/// A block's transactions by shard.
#[derive(Debug)]
pub(super) struct Plan {
    /// The transactions of each shard, ascending.
    pub(super) queues: Vec<Vec<usize>>,
    /// The shards of each transaction, ascending, at least one.
    pub(super) shards_of: Vec<Vec<usize>>,
}

impl Plan {
    /// Adds each transaction to the queues of all shards of its accounts. A transaction without a
    /// written account can run anywhere, so these go to the shards in turn. A transaction that
    /// depends on the beneficiary's balance comes after all earlier ones, so it is in every shard.
    pub(super) fn new(
        job: &ReplayJob,
        traffic: &AccountAccess,
        partition: Partition,
        shards: NonZeroUsize,
    ) -> Self {
        let shards = shards.get();
        let home = match partition {
            Partition::ByHash => by_hash(job, shards),
            Partition::ByAccess => by_access(job, traffic, shards),
        };
        let mut plan = Self { queues: vec![Vec::new(); shards], shards_of: Vec::new() };
        for (tx, accounts) in traffic.accounts.iter().enumerate() {
            let mut at: BTreeSet<_> =
                accounts.iter().map(|account| home[*account as usize]).collect();
            if traffic.needs_all[tx] {
                at.extend(0..shards);
            }
            if at.is_empty() {
                at.insert(tx % shards);
            }
            at.iter().for_each(|shard| plan.queues[*shard].push(tx));
            plan.shards_of.push(at.into_iter().collect());
        }
        plan
    }

    /// Number of transactions in several shards.
    pub(super) fn crossing(&self) -> u64 {
        self.shards_of.iter().filter(|shards| shards.len() > 1).count() as u64
    }
}

/// Each account's shard, by account number.
fn by_hash(job: &ReplayJob, shards: usize) -> Vec<usize> {
    let accounts = job.indexed_state.accounts().iter();
    let hash = accounts.map(|account| keccak256(account.address));
    hash.map(|hash| usize::from(u16::from_be_bytes([hash[0], hash[1]])) % shards).collect()
}

/// Places transactions by descending gas limit. Each goes to the shard that has most of its
/// accounts already, unless that shard is overloaded. Its unassigned accounts go to the same shard.
fn by_access(job: &ReplayJob, traffic: &AccountAccess, shards: usize) -> Vec<usize> {
    let gas = |tx: &usize| job.transactions[*tx].gas_limit();
    let mut order: Vec<usize> = (0..traffic.accounts.len()).collect();
    order.sort_by_key(|tx| Reverse(gas(tx)));
    let fair = order.iter().map(gas).fold(0, u64::saturating_add) / shards as u64 + 1;
    let mut home: Vec<Option<usize>> = vec![None; job.indexed_state.accounts().len()];
    let mut load = vec![0_u64; shards];
    for tx in order {
        let accounts = &traffic.accounts[tx];
        let there = |shard| {
            accounts.iter().filter(|account| home[**account as usize] == Some(shard)).count() as u64
        };
        // One account weighs as much as an empty shard against shards with a fair load.
        let merit = |shard: &usize| {
            let room = fair.saturating_sub(load[*shard]);
            ((there(*shard) + 1).saturating_mul(room), Reverse(load[*shard]))
        };
        let best = (0..shards).max_by_key(merit).unwrap_or_default();
        load[best] = load[best].saturating_add(gas(&tx));
        for account in accounts {
            home[*account as usize].get_or_insert(best);
        }
    }
    home.into_iter().map(Option::unwrap_or_default).collect()
}
