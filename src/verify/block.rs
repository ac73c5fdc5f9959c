//! The whole way of one block: prepare, execute, compute the root, compare with the header.

use super::{Verdict, check};
use crate::{
    block::{Phase, PrepareError, ReceiptStatus, ReplayJob, prepare},
    cache::RecordedBlock,
    executor::{ExecuteError, Executor as _, ExecutorKind, Sequential, WorkerPool},
    trie::{Guess, TrieError, UpdatedTrie},
};

/// Why no verdict could be reached on a block.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A link of its proof is broken.
    #[error("the recorded block does not prove itself")]
    Prepare(#[from] PrepareError),
    /// The executor gave up.
    #[error("the executor gave up on the block")]
    Execute(#[from] ExecuteError),
    /// The changes lead where the witness has no nodes.
    #[error("the state root after the block cannot be computed from the witness")]
    Root(#[source] TrieError),
}

/// A step of [`verify_block`], as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A phase of making the block ready.
    Prepare(Phase),
    /// Executing it.
    Execute,
    /// Computing the state root.
    Root,
    /// Comparing with the header.
    Check,
}

/// Proves, executes and checks one block. `entering` is told of each step, so that a caller may time
/// them. Everything that can be parallel runs on `pool`.
///
/// # Errors
/// [`VerifyError`] where no verdict can be reached; an outcome that differs is a verdict.
pub fn verify_block(
    recorded: RecordedBlock,
    executor: ExecutorKind,
    pool: &WorkerPool,
    mut entering: impl FnMut(Step) + Send,
) -> Result<(ReplayJob, Verdict), VerifyError> {
    let job = pool.install(|| prepare(recorded, |phase| entering(Step::Prepare(phase))))?;
    let executor = executor.prepare(&job, pool.threads())?;
    entering(Step::Execute);
    let outcome = executor.execute(&job, pool)?.outcome;
    entering(Step::Root);
    let trie = pool.install(|| job.trie_after(&outcome.post_state)).map_err(VerifyError::Root)?;
    entering(Step::Check);
    let verdict = check(&job, &outcome, trie.as_ref().map(UpdatedTrie::root));
    drop(trie);
    Ok((job, verdict))
}

/// What had to be guessed for the state roots after the block and, where receipts hold them, after its
/// transactions. If one of these does not match, then a guess may be why: the node is needed, and the witness
/// lacks it. None where there is no witness. Executes the block once more, in order.
///
/// # Errors
/// As [`verify_block`].
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
    use alloy_primitives::{Address, B256};
    use std::num::NonZeroUsize;

    #[test]
    fn what_was_guessed_for_receipts_counts_as_guessed() {
        let pool = WorkerPool::new(NonZeroUsize::MIN).unwrap();
        let mut job = prepare(sample().unwrap().swap_remove(0), |_| ()).unwrap();
        let before = guesses(&job, &pool).unwrap();
        let guess = Guess { address: Address::ZERO, slot: None, hash: B256::ZERO };
        job.receipt_status = ReceiptStatus::Roots { roots: vec![], guesses: vec![guess] };
        assert_eq!(guesses(&job, &pool).unwrap(), [before, vec![guess]].concat());
    }
}
