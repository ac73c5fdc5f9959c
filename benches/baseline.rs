//! Checks that the baseline is as fast as it can be. `sequential` is compared with the leanest loop
//! over revm that produces the same outcome. It is also compared with that loop and cached hashes,
//! an optimisation that workers have and the baseline does not.
//!
//! `BLOCKRACE_CACHE=DIR cargo bench --bench baseline`. `BLOCKRACE_ROUNDS` sets the number of
//! iterations, which is 31 by default.
//!
//! The blocks are cached ones with at least 80 transactions. The bench prints medians of shuffled
//! iterations, and medians of the ratios to `sequential` within iterations. If a ratio is below
//! one, `sequential` is slower. Outcomes are compared.

#![allow(missing_docs, reason = "a bench is no library")]

mod support;

#[path = "support/busy.rs"]
mod busy;
#[path = "support/lean.rs"]
mod lean;
#[path = "support/rounds.rs"]
mod rounds;

use blockrace::{
    block::ReplayJob,
    execution::{BlockOutcome, Executor as _},
    executors::Sequential,
    measure::stats::geometric_mean,
    threads::WorkerPool,
};
use std::num::NonZeroUsize;

fn sequential(job: &ReplayJob, pool: &WorkerPool) -> BlockOutcome {
    Sequential.execute(job, pool).expect("the block is valid").outcome
}

/// Times of the two lean loops, relative to `sequential`.
fn race(job: &ReplayJob, pool: &WorkerPool, rounds: usize) -> [f64; 2] {
    let number = job.header.number;
    let outcome = sequential(job, pool);
    for lean in [lean::execute(job), lean::execute_remembering(job)] {
        assert!(lean == outcome, "outcomes of block {number} differ");
    }
    let [sequential, lean, remembering] = rounds::race(
        rounds,
        [&|| sequential(job, pool), &|| lean::execute(job), &|| lean::execute_remembering(job)],
    );
    let [ratio, with_hashes] = [&lean, &remembering].map(|laps| laps.speedup(&sequential).recip());
    let millis = |laps: &rounds::Laps| 1e3 * laps.median().as_secs_f64();
    println!(
        "{number:9} {:5} {:11.3} {:9.3} {ratio:6.3} {:9.3} {with_hashes:6.3}",
        job.transactions.len(),
        millis(&sequential),
        millis(&lean),
        millis(&remembering)
    );
    [ratio, with_hashes]
}

fn main() {
    let rounds = rounds::rounds(31);
    let pool = WorkerPool::new(NonZeroUsize::MIN).expect("the thread starts");
    println!(
        "    block   txs  sequential   lean ms  ratio  + hashes  ratio   ({rounds} iterations)"
    );
    let ratios: Vec<[f64; 2]> = busy::jobs().map(|job| race(&job, &pool, rounds)).collect();
    let mean = |of: usize| geometric_mean(&ratios.iter().map(|both| both[of]).collect::<Vec<_>>());
    if let (Some(lean), Some(with_hashes)) = (mean(0), mean(1)) {
        println!(
            "geometric means of {} ratios: lean {lean:.3}, with hashes {with_hashes:.3}",
            ratios.len()
        );
    }
}
