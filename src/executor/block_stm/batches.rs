//! Which transactions are executed together.
//!
//! Scheduling, publishing and committing cost as much as a plain payment does, so cheap neighbours share
//! them: to the engine a *batch* of consecutive transactions is one step. Within a batch the EVM's journal
//! stays, so that an account that several of them touch is loaded once. The price is that a conflict
//! throws away the whole batch, which is why nothing but cheap transactions is put together.

use super::kinds::CallClasses;
use crate::{block::ReplayJob, evm::PLAIN_TRANSFER_GAS, executor::demands::BalanceRule};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_primitives::{B64, TxKind};
use std::{cmp::Reverse, num::NonZeroUsize, ops::Range};

/// What a batch may cost, in units of a plain payment.
const BATCH_COST: u64 = 32;

/// Gas that takes about as long as a plain payment, above what the payment itself takes.
const GAS_PER_PAYMENT: u64 = 10_000;

/// Batches for each thread at least, so that the last ones to finish do not make the others wait long.
const BATCHES_PER_THREAD: usize = 8;

/// A transaction that may use this part of one thread's share of the block's gas is started early: whoever starts it last
/// makes all others wait for it. Gas says little of the time a transaction takes, but nothing else is known.
const LONG_PART: u64 = 2;

/// What a block has to cost for each thread to pay, in the same units: as long as it takes a thread to begin and to
/// end it with the others, a few times over.
const COST_PER_THREAD: u64 = 50;

/// Transactions of one batch, by position in the block.
pub type Batch = Range<usize>;

/// One batch for each transaction.
pub(super) fn single(transactions: usize) -> Vec<Batch> {
    (0..transactions).map(|tx| tx..tx + 1).collect()
}

/// In which steps a block is executed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The steps, in block order.
    pub batches: Vec<Batch>,
    /// Steps that will probably take long, longest first.
    pub long: Vec<usize>,
    /// Of each step.
    pub kinds: Vec<CallClasses>,
}

impl Plan {
    /// Every transaction by itself, for those who want to know what each does on so many threads.
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

    /// Batches of consecutive cheap transactions, and the others one by one, for so many threads that run at once.
    pub fn new(job: &ReplayJob, threads: NonZeroUsize) -> Self {
        let costs = costs(job);
        let batches = match BalanceRule::of(job.env.cfg_env.spec) {
            // Every load depends on the exact balance, so that batches would conflict all the time.
            BalanceRule::Exact => single(costs.len()),
            BalanceRule::Existence | BalanceRule::Emptiness => {
                let total: u64 = costs.iter().sum();
                let share = total / (threads.get() * BATCHES_PER_THREAD) as u64;
                group(&costs, share.clamp(1, BATCH_COST))
            }
        };
        Self::of(job, batches, &costs, threads)
    }
}

/// Transactions that call the same function of the same contract are of a kind. Addresses are digests already, and
/// so are functions' selectors, so that no hash has to be computed.
fn kind(transaction: &TxEnvelope) -> CallClasses {
    match (transaction.to(), transaction.function_selector()) {
        (Some(to), Some(function)) => {
            let contract = u64::from(B64::from_slice(&to[12..]));
            CallClasses::of(contract ^ u64::from(u32::from(*function)))
        }
        _ => CallClasses::default(),
    }
}

/// Batches of single transactions that cost at least `least`, the most expensive first.
fn long(batches: &[Batch], costs: &[u64], least: u64) -> Vec<usize> {
    let single = batches.iter().enumerate().filter(|(_, batch)| batch.len() == 1);
    let mut long: Vec<_> = single
        .map(|(step, batch)| (costs[batch.start], step))
        .filter(|(cost, _)| *cost >= least)
        .collect();
    long.sort_unstable_by_key(|(cost, step)| (Reverse(*cost), *step));
    long.into_iter().map(|(_, step)| step).collect()
}

/// Cuts where the next transaction would make the batch cost more than `limit`.
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

/// How many threads will probably pay, of so many: more would spend their time on coming and going.
pub(super) fn threads_that_pay(job: &ReplayJob, most: NonZeroUsize) -> NonZeroUsize {
    // The block's first transactions mostly say enough, and nobody works meanwhile.
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

/// What a transaction will probably cost, in units of a plain payment.
fn cost(job: &ReplayJob, transaction: &TxEnvelope) -> u64 {
    let gas = transaction.gas_limit();
    let code_runs = match transaction.kind() {
        // That leaves no gas for code.
        _ if gas <= PLAIN_TRANSFER_GAS => false,
        TxKind::Create => true,
        // Whoever brings input mostly calls something, which spares looking.
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
    fn cheap_neighbours_are_put_together_up_to_the_limit() {
        assert_eq!(group(&[1, 1, 1, 1, 1], 2), [0..2, 2..4, 4..5]);
        assert_eq!(group(&[1, 9, 1, 1], 2), [0..1, 1..2, 2..4]);
        assert_eq!(group(&[5, 5], 1), [0..1, 1..2]);
        assert_eq!(group(&[], 1), [] as [Batch; 0]);
    }

    #[test]
    fn a_thread_has_to_pay() {
        let threads = [0, 99, 100, 149, 150, 5_000].map(|cost| threads_for(cost).get());
        assert_eq!(threads, [1, 1, 2, 2, 3, 100]);
    }

    #[test]
    fn the_longest_is_started_first() {
        let batches = [0..1, 1..2, 2..4, 4..5];
        assert_eq!(long(&batches, &[5, 50, 90, 90, 60], 50), [3, 1]);
    }
}
