//! Multi-version memory alone: publishing, reading and validating read sets, on one thread.
//!
//! `cargo bench --bench memory`

#![allow(missing_docs, reason = "criterion's macros document nothing")]

use alloy_primitives::U256;
use blockrace::execution::location::{Location, Write, WriteSet};
use blockrace_stm::{
    Oversubscribed, memory::Memory, read_set::ReadSet, running::Running, scheduler::ExecutionPoint,
    view::IncarnationView,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// Number of transactions of a busy block. Each writes the usual number of locations.
const TRANSACTIONS: usize = 200;
const WRITES: usize = 6;

fn location(tx: usize, write: usize) -> Location {
    let account = tx / 3;
    Location::Slot(account as u32, (account * WRITES + write) as u32)
}

fn write_sets() -> Vec<WriteSet> {
    let write_set = |tx| {
        let mut writes: WriteSet =
            (0..WRITES).map(|write| (location(tx, write), Write::Set(U256::from(tx)))).collect();
        writes.sort_unstable_by_key(|(location, _)| *location);
        writes
    };
    (0..TRANSACTIONS).map(write_set).collect()
}

fn filled(write_sets: &[WriteSet]) -> Memory {
    let memory = Memory::new(TRANSACTIONS, TRANSACTIONS * WRITES);
    for (tx, writes) in write_sets.iter().enumerate() {
        memory.publish(tx, &WriteSet::new(), writes);
    }
    memory
}

fn memory(criterion: &mut Criterion) {
    let write_sets = write_sets();
    criterion.bench_function("publish 200 transactions", |bencher| {
        bencher.iter_batched(|| (), |()| filled(&write_sets), BatchSize::SmallInput);
    });
    let memory = filled(&write_sets);
    criterion.bench_function("read 1,200 locations", |bencher| {
        bencher.iter(|| {
            for tx in 0..TRANSACTIONS {
                for write in 0..WRITES {
                    let _ = black_box(memory.read(location(tx, write), tx));
                }
            }
        });
    });
}

/// A read set for each transaction. It has the locations that the transaction and the five before
/// it write.
fn read_sets(memory: &Memory) -> Vec<ReadSet> {
    let running = Running::new(TRANSACTIONS, Oversubscribed::Yes);
    let mut view = IncarnationView::new(memory, &running);
    let mut read_set = |tx: usize| {
        view.begin(tx, ExecutionPoint::Speculative);
        for other in tx.saturating_sub(5)..=tx {
            for write in 0..WRITES {
                let _ = view.read(location(other, write));
            }
        }
        view.take_reads()
    };
    (0..TRANSACTIONS).map(&mut read_set).collect()
}

fn validation(criterion: &mut Criterion) {
    let memory = filled(&write_sets());
    let read_sets = read_sets(&memory);
    let reads: usize = read_sets.iter().map(ReadSet::len).sum();
    let mut group = criterion.benchmark_group("validate");
    group.throughput(Throughput::Elements(reads as u64));
    group.bench_function("200 transactions", |bencher| {
        bencher.iter(|| {
            for (tx, reads) in read_sets.iter().enumerate() {
                black_box(reads.compare(&memory, tx));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, memory, validation);
criterion_main!(benches);
