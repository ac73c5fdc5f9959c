//! Plans how a block is executed: batches, early starts, call classes and number of threads.
//!
//! Scheduling, publishing and committing cost as much as a plain payment. Cheap neighbours therefore share
//! these costs. To the engine, a *batch* of consecutive transactions is one transaction. The EVM's journal is
//! kept within a batch, so an account that several of its transactions touch is loaded once. A conflict aborts
//! the whole batch, so only cheap transactions are put together.

use crate::{block::ReplayJob, evm::PLAIN_TRANSFER_GAS};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_primitives::{B64, TxKind};
use blockrace_stm::call_classes::CallClasses;
use std::{cmp::Reverse, num::NonZeroUsize, ops::Range};

/// Maximum cost of a batch, in units of a plain payment.
const BATCH_COST: u64 = 32;

/// Gas of code that takes about as long as a plain payment. It comes on top of the payment itself.
const GAS_PER_PAYMENT: u64 = 10_000;

/// Minimum number of batches per thread. The last batches then do not keep the other threads waiting for long.
const BATCHES_PER_THREAD: usize = 8;

/// Long transactions start early: all threads would wait for a long one that started last. A transaction is
/// long if its gas limit is at least one thread's share of the block's gas, divided by this number. Gas is a
/// poor estimate of time, but nothing better is known in advance.
const LONG_PART: u64 = 2;

/// Cost per thread that a block must have, in the same units. It is a small multiple of the cost of starting a
/// thread and joining it.
const COST_PER_THREAD: u64 = 50;

/// Transactions of a batch, as a range of indices in the block.
pub type Batch = Range<usize>;

/// Returns one batch per transaction.
pub(crate) fn single(transactions: usize) -> Vec<Batch> {
    (0..transactions).map(|tx| tx..tx + 1).collect()
}

/// Plan of a block's execution.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Batches in block order.
    pub batches: Vec<Batch>,
    /// Indices of batches that will probably take long, the longest first.
    pub long: Vec<usize>,
    /// Call classes of each batch.
    pub kinds: Vec<CallClasses>,
}

impl Plan {
    /// Plans each transaction as its own batch. Profiled runs use it.
    pub(super) fn one_by_one(job: &ReplayJob, threads: NonZeroUsize) -> Self {
        Self::of(job, single(job.transactions.len()), &costs(job), threads)
    }

    fn of(job: &ReplayJob, batches: Vec<Batch>, costs: &[u64], threads: NonZeroUsize) -> Self {
        let share = job.header.gas_used / GAS_PER_PAYMENT / threads.get() as u64;
        let long = long(&batches, costs, share / LONG_PART);
        let of_batch = |batch: &Batch| {
            let kinds = job.transactions[batch.clone()].iter().map(|tx| kind(tx.inner()));
            kinds.fold(CallClasses::default(), CallClasses::and)
        };
        Self { kinds: batches.iter().map(of_batch).collect(), batches, long }
    }

    /// Plans batches of consecutive cheap transactions. All others are their own batch. `threads` is the number
    /// of threads that run at the same time.
    pub fn new(job: &ReplayJob, threads: NonZeroUsize) -> Self {
        let costs = costs(job);
        let total: u64 = costs.iter().sum();
        let share = total / (threads.get() * BATCHES_PER_THREAD) as u64;
        let batches = group(&costs, share.clamp(1, BATCH_COST));
        Self::of(job, batches, &costs, threads)
    }
}

/// Returns the call class of a transaction: the function of a contract that it calls. Addresses and selectors
/// are hashes already, so no hash is computed.
fn kind(transaction: &TxEnvelope) -> CallClasses {
    match (transaction.to(), transaction.function_selector()) {
        (Some(to), Some(function)) => {
            let contract = u64::from(B64::from_slice(&to[12..]));
            CallClasses::of(contract ^ u64::from(u32::from(*function)))
        }
        _ => CallClasses::default(),
    }
}

/// Returns the batches of a single transaction that cost at least `least`, the most expensive first.
fn long(batches: &[Batch], costs: &[u64], least: u64) -> Vec<usize> {
    let single = batches.iter().enumerate().filter(|(_, batch)| batch.len() == 1);
    let mut long: Vec<_> = single
        .map(|(step, batch)| (costs[batch.start], step))
        .filter(|(cost, _)| *cost >= least)
        .collect();
    long.sort_unstable_by_key(|(cost, step)| (Reverse(*cost), *step));
    long.into_iter().map(|(_, step)| step).collect()
}

/// Starts a new batch if the next transaction would raise the cost above `limit`.
fn group(costs: &[u64], limit: u64) -> Vec<Batch> {
    let (mut batches, mut batch, mut sum) = (Vec::with_capacity(costs.len()), 0..0, 0);
    for (tx, cost) in costs.iter().enumerate() {
        if sum + cost > limit && !batch.is_empty() {
            batches.push(batch);
            (batch, sum) = (tx..tx, 0);
        }
        batch.end = tx + 1;
        sum += cost;
    }
    batches.extend((!batch.is_empty()).then_some(batch));
    batches
}

/// Returns how many threads, up to `most`, the block has enough work for.
pub(super) fn threads_that_pay(job: &ReplayJob, most: NonZeroUsize) -> NonZeroUsize {
    // The first transactions mostly have enough cost to decide. The scan stops there, since no other thread
    // works meanwhile.
    let enough = COST_PER_THREAD.saturating_mul(most.get() as u64);
    let mut costs = job.transactions.iter().map(|tx| cost(job, tx.inner()));
    let short = |sum: u64| Some(sum).filter(|sum| *sum < enough);
    let all = costs.try_fold(0, |sum: u64, cost| short(sum.saturating_add(cost)));
    threads_for(all.unwrap_or(enough))
}

fn threads_for(cost: u64) -> NonZeroUsize {
    let threads = usize::try_from(cost / COST_PER_THREAD).unwrap_or(usize::MAX);
    NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN)
}

fn costs(job: &ReplayJob) -> Vec<u64> {
    job.transactions.iter().map(|tx| cost(job, tx.inner())).collect()
}

/// Returns the expected cost of a transaction, in units of a plain payment.
fn cost(job: &ReplayJob, transaction: &TxEnvelope) -> u64 {
    let gas = transaction.gas_limit();
    let code_runs = match transaction.kind() {
        // No gas is left for code.
        _ if gas <= PLAIN_TRANSFER_GAS => false,
        TxKind::Create => true,
        // A transaction with input mostly calls a contract, so no lookup is needed.
        TxKind::Call(_) if !transaction.input().is_empty() => true,
        TxKind::Call(to) => job.indexed_state.account(to).is_ok_and(|account| {
            account.info.as_ref().is_some_and(|info| !info.is_empty_code_hash())
        }),
    };
    if code_runs { 1 + gas / GAS_PER_PAYMENT } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_neighbours_form_batches_up_to_the_limit() {
        assert_eq!(group(&[1, 1, 1, 1, 1], 2), [0..2, 2..4, 4..5]);
        assert_eq!(group(&[1, 9, 1, 1], 2), [0..1, 1..2, 2..4]);
        assert_eq!(group(&[5, 5], 1), [0..1, 1..2]);
        assert_eq!(group(&[], 1), [] as [Batch; 0]);
    }

    #[test]
    fn each_thread_needs_a_minimum_of_work() {
        let threads = [0, 99, 100, 149, 150, 5_000].map(|cost| threads_for(cost).get());
        assert_eq!(threads, [1, 1, 2, 2, 3, 100]);
    }

    #[test]
    fn the_longest_batch_comes_first() {
        let batches = [0..1, 1..2, 2..4, 4..5];
        assert_eq!(long(&batches, &[5, 50, 90, 90, 60], 50), [3, 1]);
    }
}
