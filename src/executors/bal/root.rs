//! The state root from the list, beside the execution.
//!
//! A list has the last value of every account and slot, so the root needs no execution. It is correct if the list is.
//! The execution checks that, and its error is the result otherwise.

use super::{Bal, post_state};
use crate::{
    block::{ReplayJob, TrieAfter},
    execution::{ExecuteError, Execution, observe::Unobserved},
    state::PostState,
    threads::WorkerPool,
};
use parking_lot::Mutex;

impl Bal {
    /// Executes the block, and computes the state trie after it on one of the threads meanwhile.
    ///
    /// # Errors
    /// As [`Executor::execute_with_root`](crate::execution::Executor::execute_with_root).
    pub(super) fn with_root_beside<'j>(
        &self,
        job: &'j ReplayJob,
        pool: &WorkerPool,
    ) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
        let early = Mutex::new(None);
        let root = || {
            let listed = self.listed_state();
            let trie = job.trie_after(&listed);
            *early.lock() = Some((listed, trie));
        };
        let execution = self.execute_beside(job, pool, &Unobserved, Some(root))?;
        let after = &execution.outcome.post_state;
        let trie = match early.into_inner() {
            Some((listed, trie)) if listed == *after => trie,
            // The list does not tell that a storage was emptied.
            _ => pool.install(|| job.trie_after(after)),
        };
        Ok((execution, trie))
    }

    /// The account diff by the list alone.
    fn listed_state(&self) -> PostState {
        let accounts = self.table.accounts().iter();
        PostState { accounts: accounts.filter_map(post_state::change).collect() }
    }
}
