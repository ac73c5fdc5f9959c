//! Which transactions are executed together.
//!
//! Scheduling, publishing and committing cost as much as a plain payment does, so cheap neighbours share
//! them: to the engine a *batch* of consecutive transactions is one step. Within a batch the EVM's journal
//! stays, so that an account that several of them touch is loaded once. The price is that a conflict
//! throws away the whole batch, which is why nothing but cheap transactions is put together.

use crate::{block::ReplayJob, executor::demands::BalanceRule};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_primitives::TxKind;
use std::ops::Range;

/// What a batch may cost, in units of a plain payment.
const BATCH_COST: u64 = 32;

/// Gas that takes about as long as a plain payment, above what the payment itself takes.
const GAS_PER_PAYMENT: u64 = 10_000;

/// Batches for each thread at least, so that the last ones to finish do not make the others wait long.
const BATCHES_PER_THREAD: usize = 8;

/// Transactions of one batch, by position in the block.
pub(super) type Batch = Range<usize>;

/// One batch for each transaction.
pub(super) fn single(transactions: usize) -> Vec<Batch> {
    (0..transactions).map(|tx| tx..tx + 1).collect()
}

/// Batches of consecutive cheap transactions, and the others one by one.
///
/// Where every load depends on the exact balance, which is also where the journal has to be emptied after
/// each transaction because an account may exist with nothing in it, all are executed one by one.
pub(super) fn plan(job: &ReplayJob, threads: usize) -> Vec<Batch> {
    if BalanceRule::of(job.env.cfg_env.spec) == BalanceRule::Exact {
        return single(job.transactions.len());
    }
    let costs: Vec<_> = job.transactions.iter().map(|tx| cost(job, tx.inner())).collect();
    let total: u64 = costs.iter().sum();
    let share = total / (threads * BATCHES_PER_THREAD) as u64;
    group(&costs, share.clamp(1, BATCH_COST))
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

/// What a transaction will probably cost, in units of a plain payment.
fn cost(job: &ReplayJob, transaction: &TxEnvelope) -> u64 {
    let code_runs = match transaction.kind() {
        TxKind::Create => true,
        TxKind::Call(to) => job.numbered_state.account(to).is_ok_and(|account| {
            account.info.as_ref().is_some_and(|info| !info.is_empty_code_hash())
        }),
    };
    if code_runs { 1 + transaction.gas_limit() / GAS_PER_PAYMENT } else { 1 }
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
}
