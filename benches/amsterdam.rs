//! Blocks near the limits of Amsterdam: full of payments, first reads, storage writes, new slots and swaps, with 200 and
//! 300 Mgas, and of large inputs.
//!
//! `cargo bench --bench amsterdam`. `BLOCKRACE_ROUNDS` sets the number of iterations, which is 9 by
//! default. An argument after `--` selects the rows with this text in their name.
//!
//! For each block the bench prints the size of its access list (EIP-7928), as items and as share of the greatest
//! number of items; the baseline's rate; and the speedups of `block-stm` and `bal` with 1 and 2 threads. `bal` executes
//! by the block's own list. The last two columns are the time of `bal` and of the state root with 2 threads in ms: one
//! after the other, and the root from the list beside the execution. Figures are medians of shuffled iterations.
//!
//! A second table compares `block-stm` with 2 threads on the same transactions under the rules of Osaka and of Amsterdam:
//! speedups, and Amsterdam's over Osaka's.
//!
//! A third table shows the share of the state's latency that `bal` hides with 2 and 8 threads, if each first read takes
//! [`LATENCY`]: 100 % if it takes no longer than without latency, 0 % if it takes as much longer as the baseline does.
//!
//! The blocks and their lists are made by the sequential path. All outcomes are compared with the
//! baseline's, and every transaction must succeed. That shows agreement. It does not show that the rules of the fork are
//! right. The transactions are unsigned, as senders are recovered outside the timer.

#![allow(missing_docs, reason = "a bench is no library")]

mod support {
    pub(crate) mod assembler;
    pub(crate) mod contracts;
    pub(crate) mod rounds;
    pub(crate) mod scene;
    #[allow(dead_code, reason = "other benches use the rest")]
    pub(crate) mod traffic;
    pub(crate) mod worst;
}

use alloy_hardforks::EthereumHardfork;
use blockrace::{
    block::{ReplayJob, TrieAfter},
    execution::{Execution, Executor},
    executors::{Bal, ExecutorKind},
    threads::WorkerPool,
};
use std::{env, num::NonZeroUsize, time::Duration};
use support::{
    rounds::{self, Laps},
    worst::Load,
};

/// Latency of a first read of the state.
const LATENCY: Duration = Duration::from_micros(100);

/// Most iterations with latency. The baseline takes seconds for each.
const SLOW_ROUNDS: usize = 3;

/// Gas of one item of a list (EIP-7928).
const ITEM: u64 = 2_000;

fn pool(threads: usize) -> WorkerPool {
    let threads = NonZeroUsize::new(threads).expect("it is not zero");
    WorkerPool::new(threads).expect("the threads start")
}

/// The executor, prepared for the block outside the timer.
fn prepared(kind: ExecutorKind, job: &ReplayJob, pool: &WorkerPool) -> Box<dyn Executor> {
    kind.prepare(job, pool.threads()).expect("the block is valid")
}

/// Executes, and then computes the state root.
fn root_after<'j>(bal: &Bal, job: &'j ReplayJob, pool: &WorkerPool) -> (Execution, TrieAfter<'j>) {
    let execution = bal.execute(job, pool).expect("the block is valid");
    let trie = pool.install(|| job.trie_after(&execution.outcome.post_state));
    (execution, trie)
}

/// Measures one block, and prints its row.
fn race(name: &str, job: &ReplayJob, [one, two]: [&WorkerPool; 2], rounds: usize) {
    let stm = prepared(ExecutorKind::BLOCK_STM, job, one);
    let bals = [one, two].map(|pool| prepared(ExecutorKind::BAL, job, pool));
    let sequential = prepared(ExecutorKind::SEQUENTIAL, job, one);
    let execute = |executor: &dyn Executor, pool: &WorkerPool| -> Execution {
        executor.execute(job, pool).expect("the block is valid")
    };
    let expected = execute(&*sequential, one).outcome;
    let failed = expected.receipts.iter().position(|receipt| !receipt.success);
    assert_eq!(failed, None, "{name}: a transaction failed");
    for (executor, pool) in [(&stm, one), (&stm, two), (&bals[0], one), (&bals[1], two)] {
        let outcome = execute(&**executor, pool).outcome;
        assert!(outcome == expected, "{name}: {executor:?} on {} threads differs", pool.threads());
    }
    let laps = rounds::race(
        rounds,
        [
            &|| execute(&*sequential, one),
            &|| execute(&*stm, one),
            &|| execute(&*stm, two),
            &|| execute(&*bals[0], one),
            &|| execute(&*bals[1], two),
        ],
    );
    let bal = Bal::prepare(job, two.threads()).expect("the block is valid");
    let roots = rounds::race(
        rounds,
        [&|| root_after(&bal, job, two), &|| {
            bal.execute_with_root(job, two).expect("the block is valid")
        }],
    );
    print_row(name, job, expected.gas_used, (&laps, &roots));
}

fn print_row(name: &str, job: &ReplayJob, gas: u64, (laps, roots): (&[Laps; 5], &[Laps; 2])) {
    let items = job.access_list.as_ref().map_or(0, |list| list.executed.items);
    let share = 100.0 * (items * ITEM) as f64 / job.header.gas_limit as f64;
    let [sequential, others @ ..] = laps;
    let rate = gas as f64 / 1e6 / sequential.median().as_secs_f64();
    let mgas = gas as f64 / 1e6;
    let speedups: String =
        others.iter().map(|laps| format!(" {:8.2}x", laps.speedup(sequential))).collect();
    let [after, beside] = roots.each_ref().map(|laps| 1e3 * laps.median().as_secs_f64());
    println!(
        "{name:18} {:6} {mgas:6.1} {items:7} {share:5.0} % {rate:8.0}{speedups} {after:9.1} {beside:9.1}",
        job.transactions.len(),
    );
}

fn main() {
    let (one, two) = (pool(1), pool(2));
    let rounds = rounds::rounds(9);
    let wanted = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| name.contains(wanted));
    println!(
        "{:18} {:>6} {:>6} {:>7} {:>7} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}   ({rounds} iterations)",
        "",
        "txs",
        "Mgas",
        "items",
        "",
        "Mgas/s",
        "stm, 1",
        "stm, 2",
        "bal, 1",
        "bal, 2",
        "root",
        "beside"
    );
    let blocks = || {
        Load::ALL.into_iter().flat_map(|load| {
            let named = move |gas: &u64| (load, *gas, format!("{load:?}, {}", gas / 1_000_000));
            load.gas_limits().iter().map(named)
        })
    };
    for (load, gas_limit, name) in blocks().filter(|(.., name)| is_wanted(name)) {
        race(&name, &load.block(gas_limit), [&one, &two], rounds);
    }
    println!("\n{:18} {:>9} {:>9} {:>9}", "block-stm, 2", "Osaka", "Amsterdam", "ratio");
    for (load, gas_limit, name) in blocks().filter(|(.., name)| is_wanted(name)) {
        compare_forks(&name, load, gas_limit, [&one, &two], rounds);
    }
    let eight = pool(8);
    println!("\n{:18} {:>9} {:>9} {:>9}", "latency 100 us", "seq, ms", "bal, 2", "bal, 8");
    for (load, gas_limit, name) in blocks().filter(|(.., name)| is_wanted(name)) {
        hide_latency(&name, load, gas_limit, [&one, &two, &eight], rounds.min(SLOW_ROUNDS));
    }
}

/// Measures the block with and without latency of its state, and prints a row.
fn hide_latency(
    name: &str,
    load: Load,
    gas_limit: u64,
    [one, two, eight]: [&WorkerPool; 3],
    rounds: usize,
) {
    let (at_once, mut late) = (load.block(gas_limit), load.block(gas_limit));
    late.state_latency = LATENCY;
    let execute = |job: &ReplayJob, kind: ExecutorKind, pool: &WorkerPool| {
        prepared(kind, job, pool).execute(job, pool).expect("the block is valid")
    };
    let (sequential, bal) = (ExecutorKind::SEQUENTIAL, ExecutorKind::BAL);
    let laps = rounds::race(
        rounds,
        [
            &|| execute(&at_once, sequential, one),
            &|| execute(&late, sequential, one),
            &|| execute(&at_once, bal, two),
            &|| execute(&late, bal, two),
            &|| execute(&at_once, bal, eight),
            &|| execute(&late, bal, eight),
        ],
    );
    let [a, b, c, d, e, f] = laps.each_ref().map(|laps| 1e3 * laps.median().as_secs_f64());
    let hidden = |added: f64| 100.0 * (1.0 - added / (b - a));
    println!("{name:18} {b:9.0} {:7.1} % {:7.1} %", hidden(d - c), hidden(f - e));
}

/// Measures the same transactions under the rules of both forks, and prints a row.
fn compare_forks(
    name: &str,
    load: Load,
    gas_limit: u64,
    [one, two]: [&WorkerPool; 2],
    rounds: usize,
) {
    let jobs = [EthereumHardfork::Osaka, EthereumHardfork::Amsterdam]
        .map(|fork| load.block_of(fork, gas_limit));
    let execute = |job: &ReplayJob, kind: ExecutorKind, pool: &WorkerPool| {
        prepared(kind, job, pool).execute(job, pool).expect("the block is valid")
    };
    let [osaka, amsterdam] = &jobs;
    let (sequential, stm) = (ExecutorKind::SEQUENTIAL, ExecutorKind::BLOCK_STM);
    let [a, b, c, d] = rounds::race(
        rounds,
        [
            &|| execute(osaka, sequential, one),
            &|| execute(osaka, stm, two),
            &|| execute(amsterdam, sequential, one),
            &|| execute(amsterdam, stm, two),
        ],
    );
    let [before, after] = [b.speedup(&a), d.speedup(&c)];
    println!("{name:18} {before:8.2}x {after:8.2}x {:9.3}", after / before);
}
