//! Verifies the outcomes of a block against its header, and against an outcome that matched it.

use super::runner::RunError;
use crate::{
    block::ReplayJob,
    execution::{BlockOutcome, Executor as _},
    executors::Sequential,
    threads::WorkerPool,
    trie::TrieError,
    verify::{self, Verdict, first_difference},
};
use alloy_primitives::B256;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// A verified outcome, with its state root if one can be computed; `None` until an outcome was verified.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference(Option<Arc<(BlockOutcome, Option<B256>)>>);

impl Reference {
    /// Executes the block once in block order, untimed, and keeps the outcome if it is valid. Without a proof,
    /// the header does not determine the post-state. This outcome then decides which of two different
    /// post-states is right.
    pub(super) fn of(job: &ReplayJob, pool: &WorkerPool) -> Self {
        let execute = || Sequential.execute(job, pool);
        let execution = catch_unwind(AssertUnwindSafe(execute)).ok().and_then(Result::ok);
        let mut reference = Self::default();
        if let Some(outcome) = execution.map(|execution| execution.outcome) {
            let root = pool.install(|| job.root_after(&outcome.post_state));
            // An error is dropped here. The baseline's own samples report it.
            let _ = reference.fault(job, outcome, root);
        }
        reference
    }

    /// Verifies an outcome with its computed state root. Returns the difference; `None` if it is valid.
    ///
    /// # Errors
    /// The state root could not be computed, and no earlier outcome had one. The witness may be incomplete.
    pub(super) fn fault(
        &mut self,
        job: &ReplayJob,
        outcome: BlockOutcome,
        root: Result<Option<B256>, TrieError>,
    ) -> Result<Option<String>, RunError> {
        let root = match root {
            Ok(root) => root,
            Err(error) if self.0.is_some() => return Ok(Some(chain(&error))),
            Err(error) => return Err(error.into()),
        };
        match self.0.as_deref() {
            Some((known, known_root)) if *known == outcome && *known_root == root => Ok(None),
            Some((known, None)) => {
                let difference = first_difference(known, &outcome);
                Ok(difference.map(|difference| {
                    format!("differs from execution in block order: {difference}")
                }))
            }
            Some((_, Some(_))) | None => match verify::check(job, &outcome, root) {
                Verdict::Match => {
                    self.0 = Some(Arc::new((outcome, root)));
                    Ok(None)
                }
                mismatch @ Verdict::Mismatch { .. } => Ok(Some(mismatch.to_string())),
            },
        }
    }
}

/// Formats an error and its causes on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{Proof, prepare},
        cache,
    };
    use std::num::NonZeroUsize;

    #[test]
    fn without_a_proof_the_post_state_must_equal_that_of_block_order() {
        let blocks = cache::sample().expect("the sample is built in");
        let block = blocks.into_iter().min_by_key(|block| block.block.header.gas_used);
        let mut job =
            prepare(block.expect("the sample has blocks"), |_| ()).expect("the block is valid");
        job.proof = Proof::None;
        let pool = WorkerPool::new(NonZeroUsize::MIN).expect("the system has a thread");
        let right = Sequential.execute(&job, &pool).expect("the block is valid").outcome;
        let mut wrong = right.clone();
        wrong.post_state.accounts.pop().expect("the block changes something");

        let mut reference = Reference::of(&job, &pool);
        let mut fault =
            |outcome| reference.fault(&job, outcome, Ok(None)).expect("the root was computed");
        assert_eq!(fault(right.clone()), None);
        let found = fault(wrong).expect("the outcome is wrong");
        assert!(
            found.starts_with("differs from execution in block order: the change of account"),
            "{found}"
        );
        assert_eq!(fault(right), None);
    }
}
