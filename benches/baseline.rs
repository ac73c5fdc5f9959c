//! Whether the baseline is honest: `sequential` beside the leanest loop over revm that produces the same
//! outcome, over cached blocks.
//!
//! `BLOCKRACE_CACHE=DIR cargo bench --bench baseline`, with `BLOCKRACE_ROUNDS` for more or fewer rounds
//! than 31
//!
//! Blocks have at least 80 transactions. Prints medians of interleaved rounds and their ratio, lean to
//! `sequential`: below one, `sequential` is slower. Outcomes are compared.

#![allow(missing_docs, reason = "a bench is no library")]

mod support;

#[path = "support/lean.rs"]
mod lean;
#[path = "support/rounds.rs"]
mod rounds;

use blockrace::{
    block::ReplayJob,
    executor::{BlockOutcome, Executor as _, Sequential, WorkerPool},
    measure::stats::geometric_mean,
};
use std::num::NonZeroUsize;

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Smaller blocks say little.
const TRANSACTIONS: usize = 80;

fn sequential(job: &ReplayJob, pool: &WorkerPool) -> BlockOutcome {
    Sequential.execute(job, pool).expect("the block is valid").outcome
}

/// How long the lean loop takes, as a share of what `sequential` does.
fn race(job: &ReplayJob, pool: &WorkerPool, rounds: usize) -> f64 {
    let number = job.header.number;
    assert!(lean::execute(job) == sequential(job, pool), "outcomes of block {number} differ");
    let [lean, sequential] =
        rounds::medians(rounds, [&|| lean::execute(job), &|| sequential(job, pool)]);
    let ratio = lean.div_duration_f64(sequential);
    let millis = |time: std::time::Duration| 1e3 * time.as_secs_f64();
    println!(
        "{number:9} {:5} {:9.3} {:11.3} {ratio:6.3}",
        job.transactions.len(),
        millis(lean),
        millis(sequential)
    );
    ratio
}

fn main() {
    let rounds = rounds::rounds(31);
    let pool = WorkerPool::new(NonZeroUsize::MIN).expect("a thread starts");
    println!("    block   txs   lean ms  sequential  ratio   ({rounds} rounds)");
    let blocks = support::heaviest(usize::MAX).into_iter();
    let ratios: Vec<f64> = blocks
        .filter(|recorded| recorded.block.body.transactions.len() >= TRANSACTIONS)
        .map(support::job)
        .map(|job| race(&job, &pool, rounds))
        .collect();
    if let Some(mean) = geometric_mean(&ratios) {
        println!("geometric mean of {} ratios: {mean:.3}", ratios.len());
    }
}
