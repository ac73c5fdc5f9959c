//! Partitions of the built-in sample.

use super::*;
use crate::{block::prepare, cache::sample, execution::Executor as _, executors::Sequential};

fn jobs() -> impl Iterator<Item = ReplayJob> {
    let blocks = sample().expect("the built-in sample is valid");
    blocks.into_iter().map(|block| prepare(block, |_| ()).expect("the witness is valid"))
}

fn threads(threads: usize) -> NonZeroUsize {
    NonZeroUsize::new(threads).expect("not zero")
}

fn pool(count: usize) -> WorkerPool {
    WorkerPool::new(threads(count)).expect("the threads start")
}

const PARTITIONS: [Partition; 2] = [Partition::ByHash, Partition::ByAccess];

#[test]
fn every_partition_gives_the_outcome_of_block_order() {
    let pools = [1, 2, 3, 8].map(pool);
    for job in jobs() {
        let expected = Sequential.execute(&job, &pools[0]).expect("the block is valid").outcome;
        for partition in PARTITIONS {
            // Prepared for two threads, executed on more and on fewer.
            let sharded =
                Sharded::prepare(&job, partition, threads(2)).expect("the block is valid");
            for pool in &pools {
                let execution = sharded.execute(&job, pool).expect("the block is valid");
                assert_eq!(execution.outcome, expected, "block {}", job.header.number);
            }
        }
    }
}

#[test]
fn one_shard_has_no_crossing_transactions() {
    for job in jobs() {
        let sharded = Sharded::prepare(&job, Partition::ByHash, threads(1)).expect("it is valid");
        assert_eq!(sharded.plan.crossing(), 0);
    }
}

#[test]
fn an_access_outside_the_shards_is_detected_and_executed_in_order() {
    let mut again = 0;
    for job in jobs() {
        let expected = Sequential.execute(&job, &pool(1)).expect("the block is valid").outcome;
        let mut sharded =
            Sharded::prepare(&job, Partition::ByHash, threads(2)).expect("the block is valid");
        // Each transaction declares one shard, in turn, and no writes.
        let count = job.transactions.len();
        sharded.plan = Plan {
            queues: vec![(0..count).step_by(2).collect(), (1..count).step_by(2).collect()],
            shards_of: (0..count).map(|tx| vec![tx % 2]).collect(),
        };
        let mut accesses = record_accesses(&job).expect("the block is valid");
        accesses.transactions.iter_mut().for_each(|access| access.writes.clear());
        sharded.declared = Declared::new(&job, &accesses);
        let execution = sharded.execute(&job, &pool(2)).expect("the block is valid");
        assert_eq!(execution.outcome, expected, "block {}", job.header.number);
        again += execution.stats.incarnations - count as u64;
    }
    assert!(again > 0, "some of the blocks have conflicts");
}
