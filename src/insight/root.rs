//! The work of a block's state root, which a client has to do beside the execution.

use super::timeline::shortest;
use crate::{
    block::{ReplayJob, TrieAfter},
    state::PostState,
    threads::WorkerPool,
    trie::{NewNodes, TrieError, UpdatedTrie},
};
use alloy_primitives::Address;
use std::{cmp::Reverse, num::NonZeroU32, time::Duration};

/// Number of storage tries that are listed.
const STORAGE_TRIES: usize = 10;

/// Work of a state root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootWork {
    /// Time on one thread, the shortest of several runs.
    pub time: Duration,
    /// Nodes on the paths of all changes, and new nodes.
    pub nodes: NodeCount,
    /// The storage tries with most bytes, the largest first.
    pub storage_tries: Vec<StorageWork>,
}

/// Work on the storage trie of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageWork {
    /// The account.
    pub address: Address,
    /// Number of changed slots.
    pub slots: usize,
    /// Nodes on the paths of these slots, and new nodes.
    pub nodes: NodeCount,
}

/// Number and size of trie nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCount {
    /// Number of nodes.
    pub count: usize,
    /// Bytes of their encodings.
    pub bytes: usize,
}

impl NodeCount {
    fn of(nodes: &NewNodes) -> Self {
        let (count, bytes) =
            nodes.iter().fold((0, 0), |(count, bytes), node| (count + 1, bytes + node.len()));
        Self { count, bytes }
    }
}

impl RootWork {
    /// Computes the state root after these changes several times, on one thread. `None` if the pre-state has no
    /// proof.
    ///
    /// # Errors
    /// The witness lacks a node that the root depends on.
    pub fn of(
        job: &ReplayJob,
        post: &PostState,
        runs: NonZeroU32,
        alone: &WorkerPool,
    ) -> Result<Option<Self>, TrieError> {
        let Some(trie) = job.trie_after(post)? else { return Ok(None) };
        let compute = || -> TrieAfter<'_> { alone.install(|| job.trie_after(post)) };
        let time = shortest(runs, compute);
        let nodes = NodeCount::of(&trie.new_nodes());
        Ok(Some(Self { time, nodes, storage_tries: storage_tries(&trie, post) }))
    }

    /// Share of the root in the time of execution and root on one thread.
    pub fn share(&self, execution: Duration) -> f64 {
        self.time.div_duration_f64(self.time.saturating_add(execution))
    }
}

fn storage_tries(trie: &UpdatedTrie<'_>, post: &PostState) -> Vec<StorageWork> {
    let slots = |address: &Address| {
        let found = post.accounts.binary_search_by_key(address, |(address, _)| *address);
        found.map_or(0, |index| post.accounts[index].1.slots.len())
    };
    let work = |(address, nodes): (Address, NewNodes)| StorageWork {
        address,
        slots: slots(&address),
        nodes: NodeCount::of(&nodes),
    };
    let mut tries: Vec<_> = trie.storage_nodes().map(work).collect();
    tries.sort_unstable_by_key(|work| (Reverse(work.nodes.bytes), work.address));
    tries.truncate(STORAGE_TRIES);
    tries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::prepare, cache::sample, execution::Executor as _, executors::Sequential};
    use std::num::NonZeroUsize;

    #[test]
    fn storage_tries_are_a_part_of_the_whole_and_the_largest_comes_first() {
        let alone = WorkerPool::new(NonZeroUsize::MIN).expect("it starts");
        let mut seen = 0;
        for block in sample().expect("the sample is valid") {
            let job = prepare(block, |_| ()).expect("the witness is valid");
            let outcome = Sequential.execute(&job, &alone).expect("the block is valid").outcome;
            let work = RootWork::of(&job, &outcome.post_state, NonZeroU32::MIN, &alone)
                .expect("the witness is complete")
                .expect("the sample has witnesses");
            let bytes: Vec<_> = work.storage_tries.iter().map(|work| work.nodes.bytes).collect();
            assert!(bytes.is_sorted_by(|a, b| a >= b), "{bytes:?}");
            assert!(bytes.iter().sum::<usize>() < work.nodes.bytes);
            assert!(work.storage_tries.iter().all(|work| work.slots > 0 && work.nodes.count > 0));
            assert!(work.share(Duration::ZERO) == 1.0 && work.share(Duration::from_secs(1)) < 0.5);
            seen += bytes.len();
        }
        assert!(seen > 0, "a block of the sample changes storage");
    }
}
