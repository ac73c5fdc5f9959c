//! Synthetic blocks of about a gigagas, as other parallel EVMs publish them: plain transfers,
//! ERC-20 transfers and swaps. Each kind has one block without conflicts, and one with 30 % of the
//! transactions at hot spots.
//!
//! `cargo bench --bench gigagas`. `BLOCKRACE_ROUNDS` sets the number of iterations, which is 9 by
//! default. An argument after `--` selects the rows with this text in their name.
//!
//! For each block the bench prints the baseline's rate in Ggas/s, and the rate and speedup of
//! `block-stm` with 1 and 2 threads. The last column is the number of effective cores: the
//! throughput of two baselines at once, relative to a single one. Figures are medians of shuffled
//! iterations. The last column has iterations of its own.
//!
//! All outcomes are compared with the baseline's, and every transaction must succeed. Recipients
//! are not senders, which costs an ERC-20 transfer 7,000 gas more than if they were. The
//! transactions are unsigned, as senders are recovered outside the timer.

#![allow(missing_docs, reason = "a bench is no library")]

mod support {
    pub(crate) mod assembler;
    pub(crate) mod contracts;
    pub(crate) mod rounds;
    pub(crate) mod scene;
    pub(crate) mod traffic;
}

use blockrace::{
    block::ReplayJob,
    execution::{BlockOutcome, Execution, Executor as _},
    executors::{ExecutorKind, SideBySide},
    threads::WorkerPool,
};
use std::{env, num::NonZeroUsize};
use support::{
    rounds::{self, Laps},
    traffic::{Kind, Traffic},
};

fn pool(threads: usize) -> WorkerPool {
    let threads = NonZeroUsize::new(threads).expect("it is not zero");
    WorkerPool::new(threads).expect("the threads start")
}

fn execute(kind: ExecutorKind, job: &ReplayJob, pool: &WorkerPool) -> Execution {
    let executor = kind.prepare(job, pool.threads()).expect("the block is valid");
    executor.execute(job, pool).expect("the block is valid")
}

/// The baseline's outcome. Panics if another outcome differs.
fn agreed(job: &ReplayJob, pools: [&WorkerPool; 2]) -> BlockOutcome {
    let expected = execute(ExecutorKind::SEQUENTIAL, job, pools[0]).outcome;
    let failed = expected.receipts.iter().position(|receipt| !receipt.success);
    assert_eq!(failed, None, "a transaction failed");
    for pool in pools {
        let outcome = execute(ExecutorKind::BLOCK_STM, job, pool).outcome;
        assert!(outcome == expected, "the outcome with {} threads differs", pool.threads());
    }
    expected
}

fn print_row(name: &str, transactions: usize, gas: u64, laps: &[Laps; 3], cores: f64) {
    let rate = |laps: &Laps| gas as f64 / 1e9 / laps.median().as_secs_f64();
    let [sequential, one, two] = laps;
    let speedup = |laps: &Laps| laps.speedup(sequential);
    println!(
        "{name:24} {transactions:7} {:6.3} {:10.3} {:8.3} {:5.2}x {:8.3} {:5.2}x {:6.2}",
        gas as f64 / 1e9,
        rate(sequential),
        rate(one),
        speedup(one),
        rate(two),
        speedup(two),
        cores,
    );
}

/// Measures one block, and prints its row.
fn race(name: &str, job: &ReplayJob, [one, two]: [&WorkerPool; 2], rounds: usize) {
    let gas = agreed(job, [one, two]).gas_used;
    let laps = rounds::race(
        rounds,
        [
            &|| execute(ExecutorKind::SEQUENTIAL, job, one),
            &|| execute(ExecutorKind::BLOCK_STM, job, one),
            &|| execute(ExecutorKind::BLOCK_STM, job, two),
        ],
    );
    let side_by_side =
        SideBySide::prepare(ExecutorKind::SEQUENTIAL, job).expect("it needs no preparation");
    // Separate iterations: two whole blocks at once would evict the cached data of the next
    // contender.
    let [alone, both] = rounds::race(
        rounds,
        [&|| execute(ExecutorKind::SEQUENTIAL, job, one), &|| {
            side_by_side.execute(job, two).expect("the block is valid")
        }],
    );
    print_row(name, job.transactions.len(), gas, &laps, 2.0 * both.speedup(&alone));
}

fn main() {
    let (one, two) = (pool(1), pool(2));
    let rounds = rounds::rounds(9);
    let wanted = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| name.contains(wanted));
    println!(
        "{:24} {:>7} {:>6} {:>10} {:>15} {:>15} {:>6}   ({rounds} iterations)",
        "Ggas/s", "txs", "Ggas", "sequential", "1 thread", "2 threads", "cores"
    );
    for (kind, transactions) in Kind::ALL {
        for traffic in [Traffic::Independent, Traffic::Hot] {
            let name = format!("{kind:?}, {traffic:?}");
            if is_wanted(&name) {
                race(&name, &kind.block(transactions, traffic), [&one, &two], rounds);
            }
        }
    }
}
