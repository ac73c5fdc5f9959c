//! Simulated speedups of `block-stm` with as many cores as threads. Its own engine runs on the
//! simulated threads of `model/`. The blocks are cached ones, and each transaction takes its
//! measured time.
//!
//! `BLOCKRACE_CACHE=DIR cargo bench --bench simulation`
//!
//! Blocks have at least 80 transactions. The bench prints speedups over the baseline, each with the
//! block's bound. Work before and after the transactions counts with its time on two threads.
//!
//! The result shows what the schedule allows, not what a machine will achieve. The simulation omits
//! caches, memory and heat, which real cores share. Its transactions do not wait for locks. They do
//! not depend on payments that they spend within the block. A repeated transaction computes
//! everything again, precompiles included, and always writes new values.

#![allow(missing_docs, reason = "a bench is no library")]

mod support;

#[path = "support/busy.rs"]
mod busy;

use blockrace::{
    block::ReplayJob,
    execution::{
        access::TxAccess,
        dependency::Dependency,
        location::{Location as Recorded, Write},
    },
    executors::{
        BlockStm, ExecutorKind,
        block_stm::{Batch, Plan},
    },
    insight::{Spot, Study, timeline::watch},
    measure::stats::geometric_mean,
    threads::WorkerPool,
};
use blockrace_model::simulation::{Block, Change, Costs, Location, Step, simulate};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU32, NonZeroUsize},
};

const THREADS: [usize; 5] = [1, 2, 4, 8, 16];

/// The shortest of these runs counts.
const RUNS: NonZeroU32 = NonZeroU32::new(7).expect("it is not zero");

/// Values between those measured on two cores and those measured on sixteen. A cache line from
/// another core took 40 to 90 ns on two cores. It took 190 ns on sixteen. Waking a sleeping thread
/// took 3 to 40 µs.
const COSTS: Costs = Costs { lock: 100, look: 20, yielding: 300, wake: 10_000 };

/// Reads of a batch that it has not written itself, each at its first time, and its writes.
#[derive(Default)]
struct Merged {
    length: u64,
    reads: BTreeMap<Location, u64>,
    writes: BTreeMap<Location, Change>,
}

impl Merged {
    fn add(&mut self, length: u64, access: &TxAccess, share: impl Fn(Spot) -> f64) {
        for (at, _) in access.reads.iter().filter(|(_, need)| *need == Dependency::Exact) {
            let when = self.length + (length as f64 * share(Spot::Field(*at))) as u64;
            if self.writes.get(&location(*at)) != Some(&Change::Set) {
                self.reads.entry(location(*at)).or_insert(when);
            }
        }
        for (at, write) in &access.writes {
            let change = self.writes.entry(location(*at)).or_insert(Change::Add);
            if matches!(write, Write::Set(_)) {
                *change = Change::Set;
            }
        }
        self.length += length;
    }
}

const fn location(recorded: Recorded) -> Location {
    match recorded {
        Recorded::Balance(account) => Location::Balance(account),
        Recorded::Nonce(account) => Location::Nonce(account),
        Recorded::Code(account) => Location::Code(account),
        Recorded::Storage(account) => Location::Storage(account),
        Recorded::Slot(account, slot) => Location::Slot(account, slot),
        Recorded::OtherSlot(account, slot) => Location::OtherSlot(account, slot),
    }
}

fn step(study: &Study, batch: Batch, kinds: u64) -> Step {
    let mut merged = Merged::default();
    for tx in batch {
        merged.add(study.times.least[tx], &study.accesses[tx], |at| study.read_share(tx, at));
    }
    let Merged { length, reads, writes } = merged;
    let reads: BTreeSet<_> = reads.into_iter().map(|(at, when)| (when, at)).collect();
    let (reads, writes) = (reads.into_iter().collect(), writes.into_iter().collect());
    Step { length, reads, writes, kinds }
}

/// The block as steps. `block-stm` plans them for this number of threads.
fn block(job: &ReplayJob, study: &Study, threads: NonZeroUsize) -> Block {
    let Plan { batches, long, kinds } = Plan::new(job, threads);
    let steps = batches.into_iter().zip(kinds);
    Block {
        steps: steps.map(|(batch, kinds)| step(study, batch, kinds.bits())).collect(),
        early: long,
        accounts: job.indexed_state.accounts().len(),
        slots: job.indexed_state.slots().len(),
    }
}

/// Times and accesses of a block's transactions.
fn study(job: &ReplayJob) -> Study {
    let mut study = Study::of(job, RUNS).expect("the block is valid");
    study.times.take_worker(job, &pool(NonZeroUsize::MIN), RUNS).expect("the block is valid");
    study
}

/// Time before and after the transactions on two threads, in nanoseconds.
fn beside(job: &ReplayJob) -> u64 {
    let two = pool(number(2));
    let runs = (0..RUNS.get()).map(|_| {
        let (_, trace) = watch(ExecutorKind::BLOCK_STM, &BlockStm::Always, job, &two)
            .expect("the block is valid");
        let spent = trace.spent();
        ((spent.outside + spent.idle_outside) / 2).as_nanos() as u64
    });
    runs.min().unwrap_or_default()
}

fn number(threads: usize) -> NonZeroUsize {
    NonZeroUsize::new(threads).expect("it is not zero")
}

fn pool(threads: NonZeroUsize) -> WorkerPool {
    WorkerPool::new(threads).expect("the threads start")
}

/// Speedup and bound for each number of threads.
fn speedups(job: &ReplayJob) -> [[f64; 2]; THREADS.len()] {
    let (study, beside) = (study(job), beside(job));
    let baseline = study.times.before + study.times.total() + study.times.after;
    THREADS.map(|threads| {
        let simulated = simulate(block(job, &study, number(threads)), threads, COSTS);
        let bound = study.bound(ExecutorKind::BLOCK_STM, number(threads), ExecutorKind::SEQUENTIAL);
        let speedup = baseline as f64 / (simulated.length + beside) as f64;
        [speedup, bound.expect("the block has transactions")]
    })
}

fn row(speedups: [[f64; 2]; THREADS.len()]) -> String {
    speedups.map(|[speedup, bound]| format!("{speedup:8.2} ({bound:5.2})")).concat()
}

fn main() {
    println!("    block   txs{}", THREADS.map(|threads| format!("{threads:16}")).concat());
    let all: Vec<_> = busy::jobs()
        .map(|job| {
            let speedups = speedups(&job);
            println!("{:9} {:5}{}", job.header.number, job.transactions.len(), row(speedups));
            speedups
        })
        .collect();
    let of = |threads: usize, which: usize| -> Vec<f64> {
        all.iter().map(|speedups| speedups[threads][which]).collect()
    };
    let mean = |threads, which| geometric_mean(&of(threads, which)).unwrap_or_default();
    let means = std::array::from_fn(|threads| [mean(threads, 0), mean(threads, 1)]);
    println!(
        "simulated speedups (bounds) by number of threads, geometric means of {} blocks:",
        all.len()
    );
    println!("               {}", row(means));
}
