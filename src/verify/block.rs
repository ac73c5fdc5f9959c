//! Verifies one block completely: prepare, execute, compute the root, compare with the header.

use super::{Verdict, check, wrong_list};
use crate::{
    block::{
        Executed, Phase, PrepareError, ReceiptStatus, RecordedBlock, ReplayJob, Unneeded,
        prepare_and_execute, reduce,
    },
    execution::{BlockOutcome, ExecuteError, Executor as _},
    executors::{ExecutorKind, Sequential},
    threads::WorkerPool,
    trie::{Guess, TrieError, UpdatedTrie},
};

/// The reason that no verdict was reached on a block.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A step of the block's proof failed.
    #[error("the recorded block cannot be replayed")]
    Prepare(#[from] PrepareError),
    /// The executor returned an error.
    #[error("the executor could not execute the block")]
    Execute(#[from] ExecuteError),
    /// The changes need trie nodes that the witness lacks.
    #[error("the state root after the block cannot be computed from the witness")]
    Root(#[source] TrieError),
}

/// A step of [`verify_block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A phase of [`prepare`].
    Prepare(Phase),
    /// Executes the block.
    Execute,
    /// Computes the state root.
    Root,
    /// Compares the result with the header.
    Check,
}

impl Step {
    /// The step of a phase. With the sequential executor the execution that finds the accessed state is the only one.
    fn of(phase: Phase, executor: ExecutorKind) -> Self {
        match phase {
            Phase::Flatten if executor == ExecutorKind::SEQUENTIAL => Self::Execute,
            phase => Self::Prepare(phase),
        }
    }
}

/// Proves, executes and checks one block. All parallel work runs on `pool`. The sequential executor executes the block
/// once, over the proved state; every other one executes it again over the state that the first execution accessed.
///
/// `entering` is called at the start of each step, so that the caller can time the steps.
///
/// # Errors
/// [`VerifyError`] if no verdict can be reached. A different outcome is a verdict, not an error.
pub fn verify_block(
    recorded: RecordedBlock,
    executor: ExecutorKind,
    pool: &WorkerPool,
    entering: impl FnMut(Step) + Send,
) -> Result<(ReplayJob, Verdict), VerifyError> {
    verify_into(recorded, executor, pool, entering, None)
}

/// A verified block, and its record without what the block does not need.
#[derive(Debug)]
pub struct Reduced {
    /// The block, with a reduced witness if it matches its header.
    pub recorded: RecordedBlock,
    /// Numbers of items that the block does not need; zero unless it matches its header.
    pub unneeded: Unneeded,
}

/// As [`verify_block`] with the sequential executor, and reduces the witness to what the block needs.
///
/// # Errors
/// As [`verify_block`].
pub fn verify_and_reduce(
    recorded: RecordedBlock,
    pool: &WorkerPool,
    entering: impl FnMut(Step) + Send,
) -> Result<(ReplayJob, Verdict, Reduced), VerifyError> {
    let mut reduced = Reduced { recorded: recorded.clone(), unneeded: Unneeded::default() };
    let (job, verdict) =
        verify_into(recorded, ExecutorKind::SEQUENTIAL, pool, entering, Some(&mut reduced))?;
    Ok((job, verdict, reduced))
}

fn verify_into(
    recorded: RecordedBlock,
    executor: ExecutorKind,
    pool: &WorkerPool,
    mut entering: impl FnMut(Step) + Send,
    reduced: Option<&mut Reduced>,
) -> Result<(ReplayJob, Verdict), VerifyError> {
    let (job, executed) = pool
        .install(|| prepare_and_execute(recorded, |phase| entering(Step::of(phase, executor))))?;
    let outcome = match executed_by(executor, &job, executed, pool, &mut entering) {
        Ok(outcome) => outcome,
        Err(error) => match wrong_list(&job, &error) {
            Some(verdict) => return Ok((job, verdict)),
            None => return Err(error.into()),
        },
    };
    entering(Step::Root);
    let trie = pool.install(|| job.trie_after(&outcome.post_state)).map_err(VerifyError::Root)?;
    entering(Step::Check);
    let verdict = check(&job, &outcome, trie.as_ref().map(UpdatedTrie::root));
    if let (Verdict::Match, Some(reduced)) = (&verdict, reduced) {
        reduced.unneeded =
            reduce(&mut reduced.recorded, &job, trie.as_ref()).map_err(VerifyError::Root)?;
    }
    drop(trie);
    Ok((job, verdict))
}

/// The outcome of the executor. `executed` is the outcome of [`Sequential`], which runs the same block executor.
fn executed_by(
    executor: ExecutorKind,
    job: &ReplayJob,
    executed: Executed,
    pool: &WorkerPool,
    entering: &mut impl FnMut(Step),
) -> Result<BlockOutcome, ExecuteError> {
    if executor == ExecutorKind::SEQUENTIAL {
        return Ok(BlockOutcome::new(executed.result, executed.post_state));
    }
    let executor = executor.prepare(job, pool.threads())?;
    entering(Step::Execute);
    Ok(executor.execute(job, pool)?.outcome)
}

/// The guesses that the state root after the block depends on. If receipts hold state roots, their guesses are
/// included.
///
/// If a root does not match, a wrong guess may be the reason: the witness lacks a node that is needed. Without
/// a witness there are no guesses. Executes the block once more, in order.
///
/// # Errors
/// The errors of [`verify_block`].
pub fn guesses(job: &ReplayJob, pool: &WorkerPool) -> Result<Vec<Guess>, VerifyError> {
    let outcome = Sequential.execute(job, pool)?.outcome;
    let trie = pool.install(|| job.trie_after(&outcome.post_state)).map_err(VerifyError::Root)?;
    let mut guesses = trie.map_or_else(Vec::new, |trie| trie.guesses().to_vec());
    if let ReceiptStatus::Roots { guesses: between, .. } = &job.receipt_status {
        guesses.extend_from_slice(between);
    }
    Ok(guesses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::sample;
    use crate::{
        block::{BlockAccessList, ListDifference, OwnList, derive_access_list, prepare},
        verify::Check,
    };
    use alloy_primitives::{Address, B256};
    use std::num::NonZeroUsize;

    #[test]
    fn guesses_include_those_of_receipt_roots() {
        let pool = WorkerPool::new(NonZeroUsize::MIN).unwrap();
        let mut job = prepare(sample().unwrap().swap_remove(0), |_| ()).unwrap();
        let before = guesses(&job, &pool).unwrap();
        let guess = Guess { address: Address::ZERO, slot: None, hash: B256::ZERO };
        job.receipt_status =
            ReceiptStatus::Roots { roots: vec![], guesses: vec![guess], siblings: vec![] };
        assert_eq!(guesses(&job, &pool).unwrap(), [before, vec![guess]].concat());
    }

    /// A block of the sample with the access list that a header of Amsterdam would commit to.
    fn listed() -> ReplayJob {
        let mut job = prepare(sample().unwrap().swap_remove(0), |_| ()).unwrap();
        let executed = derive_access_list(&job).unwrap().facts();
        job.access_list = Some(BlockAccessList { executed, own: None });
        job.header.block_access_list_hash = Some(executed.hash);
        job
    }

    fn verdict(job: &ReplayJob) -> Verdict {
        let pool = WorkerPool::new(NonZeroUsize::MIN).unwrap();
        let outcome = Sequential.execute(job, &pool).unwrap().outcome;
        check(job, &outcome, job.root_after(&outcome.post_state).unwrap())
    }

    #[test]
    fn a_false_hash_of_the_access_list_is_a_mismatch() {
        let mut job = listed();
        assert_eq!(verdict(&job), Verdict::Match);
        job.header.block_access_list_hash = Some(B256::ZERO);
        let found = verdict(&job);
        assert!(matches!(found, Verdict::Mismatch { at: Check::AccessListHash, .. }), "{found}");
    }

    #[test]
    fn a_wrong_entry_of_the_blocks_own_list_is_named() {
        let mut job = listed();
        let difference =
            ListDifference::Account { address: Address::repeat_byte(7), is_listed: true };
        let own = OwnList { difference: Some(difference.clone()), ..Default::default() };
        job.access_list.as_mut().unwrap().own = Some(own);
        let found = verdict(&job);
        assert!(matches!(found, Verdict::Mismatch { at: Check::AccessListHash, .. }), "{found}");
        assert!(found.to_string().ends_with(&difference.to_string()), "{found}");
    }

    #[test]
    fn an_access_list_beyond_the_gas_limit_is_a_mismatch() {
        let mut job = listed();
        let items = job.access_list.as_ref().map_or(0, |list| list.executed.items);
        job.header.gas_limit = 2_000 * items;
        assert_eq!(verdict(&job), Verdict::Match);
        job.header.gas_limit -= 1;
        let found = verdict(&job);
        assert!(matches!(found, Verdict::Mismatch { at: Check::AccessListSize, .. }), "{found}");
    }
}
