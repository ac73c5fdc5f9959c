//! `block-stm` on as many cores as threads, simulated: its own engine, over threads that `model/` simulates, and over cached
//! blocks whose transactions take the times that were measured of each.
//!
//! `BLOCKRACE_CACHE=DIR cargo bench --bench simulation`
//!
//! Blocks have at least 80 transactions. Prints speedups over the baseline, and beside each the block's bound. What comes
//! before and after the transactions counts with what it took on two threads. What cores share (caches, memory, heat) is
//! left out, as is waiting for locks, and who is paid within the block what it then spends; a transaction that is executed again
//! computes all anew, precompiled contracts included, and always writes something else: this is what the schedule
//! allows, not what a machine will show.

#![allow(missing_docs, reason = "a bench is no library")]

mod support;

#[path = "support/busy.rs"]
mod busy;

use blockrace::{
    block::ReplayJob,
    executor::{
        BlockStm, ExecutorKind, WorkerPool,
        access::{Location as Recorded, Need, TxAccess, Write},
        block_stm::{Batch, Plan},
    },
    insight::{Spot, Study, timeline::watch},
    measure::stats::geometric_mean,
};
use blockrace_model::simulation::{Block, Change, Costs, Location, Step, simulate};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU32, NonZeroUsize},
};

const THREADS: [usize; 5] = [1, 2, 4, 8, 16];

/// Of so many runs the shortest counts.
const RUNS: NonZeroU32 = NonZeroU32::new(7).expect("it is not zero");

/// Between what was measured on two cores and on sixteen, where a line of the cache takes 40 to 90 and 190 ns to another
/// core, and a sleeping thread 3 to 40 µs to wake.
const COSTS: Costs = Costs { lock: 100, look: 20, yielding: 300, wake: 10_000 };

/// Where a batch first reads what it has not written itself, and where it writes.
#[derive(Default)]
struct Merged {
    length: u64,
    reads: BTreeMap<Location, u64>,
    writes: BTreeMap<Location, Change>,
}

impl Merged {
    fn add(&mut self, length: u64, access: &TxAccess, share: impl Fn(Spot) -> f64) {
        for (at, _) in access.reads.iter().filter(|(_, need)| *need == Need::Exact) {
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

/// The block in steps, as `block-stm` plans them for so many threads.
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

/// What a block's transactions take and access.
fn study(job: &ReplayJob) -> Study {
    let mut study = Study::of(job, RUNS).expect("the block is valid");
    study.times.take_worker(job, &pool(NonZeroUsize::MIN), RUNS).expect("the block is valid");
    study
}

/// What comes before and after the transactions on two threads, in nanoseconds.
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
    WorkerPool::new(threads).expect("the system has threads")
}

/// On each number of threads the speedup, and its bound.
fn speedups(job: &ReplayJob) -> [[f64; 2]; THREADS.len()] {
    let (study, beside) = (study(job), beside(job));
    let baseline = study.times.before + study.times.total() + study.times.after;
    THREADS.map(|threads| {
        let simulated = simulate(block(job, &study, number(threads)), threads, COSTS);
        let bound = study.bound(ExecutorKind::BLOCK_STM, number(threads));
        let speedup = baseline as f64 / (simulated.length + beside) as f64;
        [speedup, bound.expect("there are transactions")]
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
        "simulated speedups (bounds) on so many threads, geometric means of {} blocks:",
        all.len()
    );
    println!("               {}", row(means));
}
