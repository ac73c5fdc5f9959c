//! Merges consecutive blocks into one large block, as a test of executors under more load than a chain offers.
//!
//! The merged block has the environment of the first block, the lowest base fee, and the gas limits together. Its
//! pre-state is the union of the blocks' own: a value that no earlier block touches is the same before the first block.
//!
//! A transaction may behave differently in this environment. One that has become invalid is left out, and so is one that
//! reads a value that none of the blocks touches. Both are counted. No header of the chain describes the result, so that
//! nothing here proves it. An outcome can only be compared with a sequential run.

use super::{Proof, ReceiptStatus, ReplayJob};
use crate::{
    evm::{BlockExecutionError, BlockExecutor as _},
    state::{BlockState, IndexedState, PreAccount, PreState},
};
use alloy_consensus::{TxEnvelope, transaction::Recovered};
use alloy_primitives::BlockNumber;
use std::{collections::hash_map::Entry, time::Duration};

/// The reason that blocks cannot be merged.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("no block to merge")]
    Nothing,
    /// The blocks do not follow each other in one chain.
    #[error("block {number} does not follow block {before}; merged blocks must be consecutive")]
    Gap { before: BlockNumber, number: BlockNumber },
    /// The blocks have different rules.
    #[error("blocks {before} and {number} are of different forks")]
    Fork { before: BlockNumber, number: BlockNumber },
    /// A block's receipts or header commit to more than a sequential run gives.
    #[error("blocks before Byzantium, and blocks with an access list, cannot be merged")]
    Unsupported,
    /// The phases around the transactions fail.
    #[error("the system calls, rewards or withdrawals of the merged block failed")]
    Outside(#[source] BlockExecutionError),
}

/// Counts of a merged block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergedCounts {
    /// Number of merged blocks.
    pub blocks: usize,
    /// Number of transactions of these blocks.
    pub transactions: usize,
    /// Transactions that are left out, because they are invalid.
    pub invalid: usize,
    /// Transactions that are left out, because they read unknown state.
    pub unknown: usize,
}

/// Merges consecutive blocks. The gas used, the receipts and the other results in the header are still those of the
/// first block.
///
/// # Errors
/// The blocks do not belong together, or the merged block cannot be executed.
pub fn merge(jobs: Vec<ReplayJob>) -> Result<(ReplayJob, MergedCounts), MergeError> {
    for pair in jobs.windows(2) {
        check_pair(&pair[0], &pair[1])?;
    }
    let mut counts = MergedCounts { blocks: jobs.len(), ..MergedCounts::default() };
    let merged = jobs.into_iter().reduce(append).ok_or(MergeError::Nothing)?;
    let is_supported = merged.receipt_status == ReceiptStatus::Success
        && merged.header.block_access_list_hash.is_none();
    if !is_supported {
        return Err(MergeError::Unsupported);
    }
    let mut job = ReplayJob {
        env: merged.chain.evm_env(&merged.header),
        indexed_state: IndexedState::new(&merged.pre_state),
        proof: Proof::SequentialRun,
        state_latency: Duration::ZERO,
        ..merged
    };
    counts.transactions = job.transactions.len();
    job.transactions = valid(&job, &mut counts)?;
    Ok((job, counts))
}

fn check_pair(before: &ReplayJob, job: &ReplayJob) -> Result<(), MergeError> {
    let (number, first) = (job.header.number, before.header.number);
    if job.chain.id() != before.chain.id() || job.header.parent_hash != before.hash {
        return Err(MergeError::Gap { before: first, number });
    }
    if job.fork() != before.fork() {
        return Err(MergeError::Fork { before: first, number });
    }
    Ok(())
}

/// Adds a block to the blocks before it.
fn append(mut first: ReplayJob, next: ReplayJob) -> ReplayJob {
    let (header, added) = (&mut first.header, &next.header);
    header.gas_limit = header.gas_limit.saturating_add(added.gas_limit);
    header.base_fee_per_gas = header.base_fee_per_gas.min(added.base_fee_per_gas);
    header.excess_blob_gas = header.excess_blob_gas.min(added.excess_blob_gas);
    first.transactions.extend(next.transactions);
    if let (Some(all), Some(more)) = (&mut first.withdrawals, next.withdrawals) {
        all.extend(more);
    }
    add_state(&mut first.pre_state, next.pre_state);
    first
}

/// Adds the values that the earlier blocks do not touch.
fn add_state(known: &mut PreState, more: PreState) {
    for (address, account) in more.accounts {
        match known.accounts.entry(address) {
            Entry::Vacant(place) => {
                place.insert(account);
            }
            Entry::Occupied(mut place) => add_account(place.get_mut(), account),
        }
    }
    for (number, hash) in more.block_hashes {
        known.block_hashes.entry(number).or_insert(hash);
    }
}

fn add_account(known: &mut PreAccount, more: PreAccount) {
    if let (Some(info), Some(later)) = (&mut known.info, more.info) {
        let is_same = info.code_hash == later.code_hash;
        if let (true, None) = (is_same, &info.code) {
            info.code = later.code;
        }
    }
    if !known.rest_is_zero {
        for (slot, value) in more.slots {
            known.slots.entry(slot).or_insert(value);
        }
    }
}

/// The transactions that can be executed one after the other.
fn valid(
    job: &ReplayJob,
    counts: &mut MergedCounts,
) -> Result<Vec<Recovered<TxEnvelope>>, MergeError> {
    let (context, storage) = (job.context(), job.instant_storage());
    let mut run = context.over(BlockState::new(&storage), job.transactions.len());
    context.begin(&mut run).map_err(MergeError::Outside)?;
    let mut kept = Vec::with_capacity(job.transactions.len());
    for transaction in &job.transactions {
        match run.execute_transaction(transaction.as_recovered_ref()) {
            Ok(_) => kept.push(transaction.clone()),
            Err(BlockExecutionError::Validation(_)) => counts.invalid += 1,
            Err(BlockExecutionError::Internal(_)) => counts.unknown += 1,
        }
    }
    context.end(run).map_err(MergeError::Outside)?;
    Ok(kept)
}
