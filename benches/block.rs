//! Measures each stage of real blocks: decoding, proof, execution by each executor, state root.
//!
//! `BLOCKRACE_CACHE=DIR cargo bench --bench block`

#![allow(missing_docs, reason = "criterion's macros document nothing")]

mod support;

use blockrace::{
    cache::container,
    execution::Executor as _,
    executors::{ExecutorKind, Sequential},
    threads::WorkerPool,
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::num::NonZeroUsize;

const BLOCKS: usize = 3;

fn pools() -> Vec<WorkerPool> {
    let threads = [1, 2].into_iter().filter_map(NonZeroUsize::new);
    threads.map(|threads| WorkerPool::new(threads).expect("the threads start")).collect()
}

fn prepare(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("prepare");
    for recorded in support::heaviest(BLOCKS) {
        let number = recorded.block.header.number;
        let bytes = container::encode(&recorded).expect("a cached block can be encoded");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("decode", number), |bencher| {
            bencher.iter_with_large_drop(|| container::decode(&bytes));
        });
        group.bench_function(BenchmarkId::new("prove and flatten", number), |bencher| {
            let clone = || recorded.clone();
            bencher.iter_batched(clone, support::job, BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn execute(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("execute");
    let pools = pools();
    for job in support::heaviest(BLOCKS).into_iter().map(support::job) {
        group.throughput(Throughput::Elements(job.header.gas_used));
        for kind in ExecutorKind::BUILT_IN {
            for pool in pools.iter().filter(|pool| kind.is_parallel() || pool.threads().get() == 1)
            {
                let name = format!("{kind}, {} threads", pool.threads());
                let executor = kind.prepare(&job, pool.threads()).expect("the block is valid");
                let execute = || executor.execute(&job, pool);
                group.bench_function(BenchmarkId::new(name, job.header.number), |bencher| {
                    bencher.iter_with_large_drop(execute);
                });
            }
        }
    }
    group.finish();
}

fn state_root(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("state root");
    let pools = pools();
    for job in support::heaviest(BLOCKS).into_iter().map(support::job) {
        let outcome = Sequential.execute(&job, &pools[0]).expect("the block is valid").outcome;
        for pool in &pools {
            let name = format!("{} threads", pool.threads());
            group.bench_function(BenchmarkId::new(name, job.header.number), |bencher| {
                bencher
                    .iter_with_large_drop(|| pool.install(|| job.trie_after(&outcome.post_state)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, prepare, execute, state_root);
criterion_main!(benches);
