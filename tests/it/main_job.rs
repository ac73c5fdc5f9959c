//! The main use on recorded mainnet blocks: fetch, verify and replay. Outcomes never vary.

use crate::support::{assert_code, blockrace, fetched, recordings, stdout};
use blockrace::{
    block::{ReplayJob, prepare},
    cache::Cache,
    execution::{Execution, ExecutionMode},
    executors::ExecutorKind,
    threads::WorkerPool,
    trie::UpdatedTrie,
    verify::{Verdict, check, first_difference},
};
use std::{collections::BTreeSet, fs, num::NonZeroUsize, path::Path};

#[test]
fn every_recorded_block_matches_up_to_the_state_root() {
    let Some(recordings) = recordings() else { return };
    for chain in ["mainnet", "hoodi"] {
        let (cache, numbers) = fetched(&recordings, chain);
        let csv = cache.path().join("results.csv");
        let csv_path = csv.to_str().expect("a temporary path is text");
        let arguments = ["replay", "--executors", "sequential,block-stm", "--threads", "1,2"];
        let few = ["--iterations", "2", "--warmup", "0", "--csv", csv_path];
        let output = blockrace(cache.path(), &[&arguments[..], &few[..]].concat());
        assert_code(&output, 0);

        let mut reader = csv::Reader::from_path(&csv).expect("the CSV is there");
        let headers = reader.headers().expect("it has a header").clone();
        let column = |name| headers.iter().position(|header| header == name).expect(name);
        let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), numbers.len() * 3);
        for row in &rows {
            assert_eq!(&row[column("verdict")], "match", "{row:?}");
            assert_eq!(&row[column("verified_to")], "state-root", "{row:?}");
        }
        let replayed: BTreeSet<_> =
            rows.iter().map(|row| row[column("block_number")].to_owned()).collect();
        assert_eq!(replayed, numbers.iter().map(ToString::to_string).collect());
    }
}

#[test]
fn verify_checks_every_block_with_every_executor() {
    let Some(recordings) = recordings() else { return };
    let (cache, numbers) = fetched(&recordings, "mainnet");
    for executor in ExecutorKind::BUILT_IN {
        for jobs in ["1", "3"] {
            let arguments = ["verify", "--executor", executor.name(), "--jobs", jobs];
            let output = blockrace(cache.path(), &arguments);
            assert_code(&output, 0);
            let expected = format!("{0} of {0} blocks match", numbers.len());
            assert!(stdout(&output).contains(&expected), "{}", stdout(&output));
        }
    }
}

/// The `count` recorded blocks with the most transactions.
fn jobs(cache: &Path, count: usize) -> Vec<ReplayJob> {
    let cache = Cache::new(cache);
    let ids = cache.list(1).expect("the cache is readable");
    let recorded = ids.iter().map(|id| cache.get(id).expect("the block is whole"));
    let mut recorded: Vec<_> = recorded.collect();
    recorded.sort_by_key(|recorded| std::cmp::Reverse(recorded.block.body.transactions.len()));
    let ready = recorded.into_iter().take(count).map(|recorded| prepare(recorded, |_| ()));
    ready.collect::<Result<_, _>>().expect("the blocks are proved")
}

/// Repetitions of each block and number of threads. `BLOCKRACE_REPEAT=200` sets them to 200.
fn repetitions() -> usize {
    let asked = std::env::var("BLOCKRACE_REPEAT").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(5)
}

fn pools() -> [WorkerPool; 4] {
    [1, 2, 4, 16].map(|threads| {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        WorkerPool::new(threads).expect("threads are available")
    })
}

/// The pools on which an executor differs from itself.
fn pools_for(kind: ExecutorKind, pools: &[WorkerPool]) -> &[WorkerPool] {
    if kind.is_parallel() { pools } else { &pools[..1] }
}

fn execute(kind: ExecutorKind, job: &ReplayJob, pool: &WorkerPool) -> Execution {
    let executor = kind.prepare(job, pool.threads()).expect("the block is valid");
    executor.execute(job, pool).expect("the block is valid")
}

#[test]
fn every_executor_matches_every_recorded_block_on_any_number_of_threads_without_fallback() {
    let Some(recordings) = recordings() else { return };
    let (cache, numbers) = fetched(&recordings, "mainnet");
    let pools = pools();
    let jobs = jobs(cache.path(), usize::MAX);
    assert_eq!(jobs.len(), numbers.len());
    for job in jobs {
        let expected = execute(ExecutorKind::SEQUENTIAL, &job, &pools[0]).outcome;
        let trie = job.trie_after(&expected.post_state).expect("the witness is whole");
        let root = trie.as_ref().map(UpdatedTrie::root);
        assert_eq!(check(&job, &expected, root), Verdict::Match, "block {}", job.header.number);
        for kind in ExecutorKind::BUILT_IN {
            for pool in pools_for(kind, &pools) {
                let execution = execute(kind, &job, pool);
                let case = (job.header.number, kind, pool.threads());
                let difference = first_difference(&expected, &execution.outcome);
                assert_eq!(difference, None, "block, executor, threads: {case:?}");
                let has_fallen_back = kind.is_parallel()
                    && job.transactions.len() > 1
                    && execution.mode != ExecutionMode::Parallel;
                assert!(!has_fallen_back, "block, executor, threads: {case:?}");
            }
        }
    }
}

#[test]
fn a_race_executes_few_payments_in_order_and_reports_the_mode() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "mainnet");
    let pool = &pools()[1];
    let jobs = jobs(cache.path(), usize::MAX);
    let has_payments_only = |job: &&ReplayJob| {
        let count = job.transactions.len() as u64;
        (2..50).contains(&count) && job.header.gas_used == 21_000 * count
    };
    let few = jobs.iter().find(has_payments_only).expect("there is such a block");
    let modes = [few, &jobs[0]].map(|job| {
        let contender = ExecutorKind::BLOCK_STM.contender(job, pool.threads());
        let execution = contender.and_then(|executor| executor.execute(job, pool));
        [
            execution.expect("the block is valid").mode,
            execute(ExecutorKind::BLOCK_STM, job, pool).mode,
        ]
    });
    let [in_order, parallel] = [ExecutionMode::Sequential, ExecutionMode::Parallel];
    assert_eq!(modes, [[in_order, parallel], [parallel, parallel]], "a race, and a test of each");
}

#[test]
fn repeated_executions_have_equal_outcomes() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "mainnet");
    let pools = pools();
    for job in jobs(cache.path(), 10) {
        let expected = execute(ExecutorKind::SEQUENTIAL, &job, &pools[0]).outcome;
        for kind in ExecutorKind::BUILT_IN {
            for pool in pools_for(kind, &pools[..3]) {
                let executor = kind.prepare(&job, pool.threads()).expect("the block is valid");
                for repetition in 0..repetitions() {
                    let actual = executor.execute(&job, pool).expect("the block is valid").outcome;
                    let difference = first_difference(&expected, &actual);
                    let case = (job.header.number, kind, pool.threads(), repetition);
                    assert_eq!(difference, None, "block, executor, threads, repetition: {case:?}");
                }
            }
        }
    }
}

#[test]
fn state_latency_does_not_change_outcomes() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "hoodi");
    let arguments = ["replay", "--executors", "all", "--threads", "2", "--state-latency", "20us"];
    let output = blockrace(cache.path(), &[&arguments[..], &["--iterations", "1"]].concat());
    assert_code(&output, 0);
    assert!(stdout(&output).contains("first reads of the pre-state take 20.000 µs"));
    let output = blockrace(cache.path(), &["replay", "--state-latency", "20"]);
    assert_code(&output, 2);
}

#[test]
fn cached_blocks_are_fetched_again_only_on_request() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "hoodi");
    let node = crate::support::RecordedNode::serve(&recordings, "hoodi", &[]);
    let written = || {
        let blocks = Cache::new(cache.path());
        let ids = blocks.list(560_048).expect("the cache is readable");
        let modified = |id| fs::metadata(blocks.path(id)).and_then(|data| data.modified());
        ids.iter().map(|id| modified(id).expect("a file")).max()
    };
    let before = written();
    let again = blockrace(cache.path(), &["fetch", "974567,1041734", "--rpc-url", &node.url]);
    assert_code(&again, 0);
    assert!(stdout(&again).contains("2 blocks were already cached"), "{}", stdout(&again));
    assert_eq!(written(), before);
    let arguments = ["fetch", "974567", "--overwrite", "--rpc-url", &node.url];
    assert_code(&blockrace(cache.path(), &arguments), 0);
    assert!(written() > before);
}
