//! What the outcomes of a block are held against: its header, and an outcome that matched it.

use super::runner::RunError;
use crate::{
    block::ReplayJob,
    executor::{BlockOutcome, Executor as _, Sequential, WorkerPool},
    trie::TrieError,
    verify::{self, Verdict, first_difference},
};
use alloy_primitives::B256;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An outcome that matches the header, with its root where there is one; `None` as long as nobody had one.
#[derive(Debug, Default)]
pub(super) struct Reference(Option<(BlockOutcome, Option<B256>)>);

impl Reference {
    /// What the baseline's code gives in a run that is not timed, if that is right. So of two that differ where the header
    /// tells nothing, as of the state without a proof, the right one is named.
    pub(super) fn of(job: &ReplayJob, pool: &WorkerPool) -> Self {
        let execute = || Sequential.execute(job, pool);
        let execution = catch_unwind(AssertUnwindSafe(execute)).ok().and_then(Result::ok);
        let mut reference = Self::default();
        if let Some(outcome) = execution.map(|execution| execution.outcome) {
            let root = pool.install(|| job.root_after(&outcome.post_state));
            // What is wrong with it is for the baseline's own laps to tell.
            let _ = reference.fault(job, outcome, root);
        }
        reference
    }

    /// What is wrong with an outcome, of which the state root was computed; `None` if nothing is.
    ///
    /// # Errors
    /// If that failed, and nobody's root could be computed yet: then it may be the witness that lacks something.
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
        match &self.0 {
            Some((known, known_root)) if *known == outcome && *known_root == root => Ok(None),
            Some((known, None)) => {
                let difference = first_difference(known, &outcome);
                Ok(difference.map(|difference| format!("not as in block order: {difference}")))
            }
            Some((_, Some(_))) | None => match verify::check(job, &outcome, root) {
                Verdict::Match => {
                    self.0 = Some((outcome, root));
                    Ok(None)
                }
                mismatch @ Verdict::Mismatch { .. } => Ok(Some(mismatch.to_string())),
            },
        }
    }
}

/// An error and its causes on one line.
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
    fn without_a_proof_another_state_than_that_of_block_order_is_wrong() {
        let blocks = cache::sample().expect("it is built in");
        let block = blocks.into_iter().min_by_key(|block| block.block.header.gas_used);
        let mut job = prepare(block.expect("there are some"), |_| ()).expect("it is valid");
        job.proof = Proof::None;
        let pool = WorkerPool::new(NonZeroUsize::MIN).expect("a thread can be had");
        let right = Sequential.execute(&job, &pool).expect("it is valid").outcome;
        let mut wrong = right.clone();
        wrong.post_state.accounts.pop().expect("the block changes something");

        let mut reference = Reference::of(&job, &pool);
        let mut fault = |outcome| reference.fault(&job, outcome, Ok(None)).expect("no root fails");
        assert_eq!(fault(right.clone()), None);
        let found = fault(wrong).expect("it is wrong");
        assert!(found.starts_with("not as in block order: account"), "{found}");
        assert_eq!(fault(right), None);
    }
}
