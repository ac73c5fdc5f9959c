//! Synthetic blocks of about a gigagas, as other parallel EVMs publish them: plain transfers, ERC-20
//! transfers and swaps, each without any conflict, and with 30 % of the transactions at hot spots.
//!
//! `cargo bench --bench gigagas`, with `BLOCKRACE_ROUNDS` for more or fewer rounds than 9, and after `--`
//! part of a row's name for only that
//!
//! Prints, for each block, gas per second of the baseline in Ggas/s, and the same with the speedup for
//! `block-stm` with 1 and 2 threads, and how many cores' worth of baselines the machine gets through when two of them
//! have the whole block at once: medians of shuffled rounds, the latter in rounds of their own. All outcomes
//! are compared with the baseline's, and every transaction must succeed. Recipients are not the senders, which costs an ERC-20
//! transfer 7,000 gas more than where they are. The transactions of a block are unsigned, as senders are
//! recovered before the clock starts.

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
    executor::{BlockOutcome, Execution, Executor as _, ExecutorKind, SideBySide, WorkerPool},
};
use std::{env, num::NonZeroUsize};
use support::{
    rounds::{self, Laps},
    traffic::{Kind, Traffic},
};

fn pool(threads: usize) -> WorkerPool {
    let threads = NonZeroUsize::new(threads).expect("it is not zero");
    WorkerPool::new(threads).expect("threads start")
}

fn execute(kind: ExecutorKind, job: &ReplayJob, pool: &WorkerPool) -> Execution {
    let executor = kind.prepare(job, pool.threads()).expect("the block is valid");
    executor.execute(job, pool).expect("the block is valid")
}

/// The baseline's outcome, which the others' must equal.
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
    // Apart, as two whole blocks at once leave nothing of the caches to whoever comes next.
    let [alone, both] = rounds::race(
        rounds,
        [&|| execute(ExecutorKind::SEQUENTIAL, job, one), &|| {
            SideBySide.execute(job, two).expect("the block is valid")
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
        "{:24} {:>7} {:>6} {:>10} {:>15} {:>15} {:>6}   ({rounds} rounds)",
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
