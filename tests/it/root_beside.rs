//! The state root beside the execution: the same outcome and root as one after the other, however the threads meet.

use blockrace::{
    block::{ReplayJob, prepare},
    cache::sample,
    execution::EarlyRoot,
    executors::ExecutorKind,
    threads::WorkerPool,
    trie::UpdatedTrie,
};
use std::num::NonZeroUsize;

/// Number of blocks of the sample.
const BLOCKS: usize = 8;

/// More threads than cores make other schedules.
const THREADS: [usize; 4] = [1, 2, 4, 16];

fn pools() -> Vec<WorkerPool> {
    let pool = |threads| WorkerPool::new(NonZeroUsize::new(threads).expect("not zero"));
    THREADS.map(|threads| pool(threads).expect("the threads start")).into()
}

/// Executes with the root beside, and compares with the sequential outcome and its root. Returns the work done beside.
fn compare(kind: ExecutorKind, job: &ReplayJob, pool: &WorkerPool) -> EarlyRoot {
    let run = |kind: ExecutorKind| kind.prepare(job, pool.threads()).expect("the block is valid");
    let in_order = run(ExecutorKind::SEQUENTIAL).execute(job, pool).expect("the block is valid");
    let expected = in_order.outcome;
    let root = job.root_after(&expected.post_state).expect("the witness is whole");
    let (beside, trie) = run(kind).execute_with_root(job, pool).expect("the block is valid");
    let case = (job.header.number, kind, pool.threads());
    assert_eq!(beside.outcome, expected, "{case:?}");
    let trie = trie.expect("the witness is whole");
    assert_eq!(trie.as_ref().map(UpdatedTrie::root), root, "{case:?}");
    assert!(root.is_some(), "{case:?}");
    beside.stats.early_root.unwrap_or_default()
}

#[test]
fn the_root_beside_the_execution_is_that_of_block_order() {
    let blocks = sample().expect("the sample is valid").into_iter().take(BLOCKS);
    let jobs: Vec<_> =
        blocks.map(|block| prepare(block, |_| ()).expect("the sample is valid")).collect();
    let kinds = [ExecutorKind::BLOCK_STM, ExecutorKind::BLOCK_STM_HINTED, ExecutorKind::BAL];
    let mut early = EarlyRoot::default();
    for pool in pools() {
        for (kind, job) in kinds.iter().flat_map(|kind| jobs.iter().map(|job| (*kind, job))) {
            let EarlyRoot { slots, again } = compare(kind, job, &pool);
            assert!(again <= slots, "{kind} writes {again} of {slots} slots again");
            early.slots += slots;
            early.again += again;
        }
    }
    // Idle threads find work in some of these runs. If not, this test shows nothing.
    assert!(early.slots > 0, "no thread had time for the root");
}
