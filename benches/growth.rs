//! Growth of time and memory with the size of a block.
//!
//! `cargo bench --bench growth`. `BLOCKRACE_ROUNDS` sets the number of iterations, which is 5 by default. An argument after
//! `--` selects the rows with this text in their name.
//!
//! Blocks have one kind of transaction, and four times as many from row to row. For each step of the work the bench
//! prints the median time in ms and the exponent `e` of its growth since the row above: time ~ size^e. 1.00 is linear.
//! Times of a step that is too short for an exponent are printed alone. `speedup` is that of `block-stm` on 2 threads. `MiB` is the peak of resident memory while the
//! block is made and executed; it is `-` where the system does not reset the peak.

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
    executors::ExecutorKind,
    insight::{Analysis, Study},
    threads::WorkerPool,
};
use std::{
    env, fs,
    hint::black_box,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};
use support::{
    rounds::{self, Laps},
    traffic::{Kind, Traffic},
};

/// Ratio of the numbers of transactions of two rows.
const FACTOR: usize = 4;

/// Number of rows of each kind.
const ROWS: u32 = 5;

/// Names of the measured steps.
const STEPS: [&str; 5] = ["make", "sequential", "block-stm 2", "root", "analyze"];

/// A time below this has no exponent, since fixed costs dominate it.
const SHORT: Duration = Duration::from_micros(50);

fn main() {
    let rounds = rounds::rounds(5);
    let wanted = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!(
        "{:22} {:>6}  {}  {:>7} {:>6}",
        "ms, exponent",
        "txs",
        STEPS.map(|step| format!("{step:>14}")).join(" "),
        "speedup",
        "MiB"
    );
    for (kind, largest) in Kind::ALL {
        for traffic in [Traffic::Independent, Traffic::Hot] {
            let name = format!("{kind:?}, {traffic:?}");
            if wanted.as_ref().is_none_or(|wanted| name.contains(wanted)) {
                grow(&name, (kind, traffic), largest, rounds);
            }
        }
    }
}

/// Measures blocks of one kind, the smallest first.
fn grow(name: &str, (kind, traffic): (Kind, Traffic), largest: usize, rounds: usize) {
    let pools = [1, 2].map(|threads| {
        WorkerPool::new(NonZeroUsize::new(threads).expect("it is not zero")).expect("they start")
    });
    let mut before = None;
    for row in (0..ROWS).rev() {
        let transactions = largest / FACTOR.pow(row);
        reset_peak();
        let laps = measure(|| kind.block(transactions, traffic), &pools, rounds);
        let times = laps.each_ref().map(Laps::median);
        let cells = std::array::from_fn::<_, { STEPS.len() }, _>(|step| {
            cell(times[step], before.map(|before: [Duration; STEPS.len()]| before[step]))
        });
        let peak = peak_mebibytes().map_or_else(|| "-".into(), |peak| peak.to_string());
        let speedup = laps[2].speedup(&laps[1]);
        println!("{name:22} {transactions:6}  {}  {speedup:7.2} {peak:>6}", cells.join(" "));
        before = Some(times);
    }
}

/// Times of each step.
fn measure(
    make: impl Fn() -> ReplayJob,
    [one, two]: &[WorkerPool; 2],
    rounds: usize,
) -> [Laps; STEPS.len()] {
    let job = make();
    let execute = |kind: ExecutorKind, pool: &WorkerPool| {
        let executor = kind.prepare(&job, pool.threads()).expect("the block is valid");
        executor.execute(&job, pool).expect("the block is valid").outcome
    };
    let outcome = execute(ExecutorKind::SEQUENTIAL, one);
    rounds::race(
        rounds,
        [
            &|| drop(black_box(make())),
            &|| drop(black_box(execute(ExecutorKind::SEQUENTIAL, one))),
            &|| drop(black_box(execute(ExecutorKind::BLOCK_STM, two))),
            &|| _ = black_box(job.root_after(&outcome.post_state).expect("the state is known")),
            &|| {
                let study = Study::of(&job, NonZeroU32::MIN).expect("the block is valid");
                drop(black_box(Analysis::of(&study, &[two.threads()])));
            },
        ],
    )
}

/// A time, with the exponent of its growth.
fn cell(time: Duration, before: Option<Duration>) -> String {
    let exponent = before.filter(|before| *before >= SHORT).map(|before| {
        let growth = time.div_duration_f64(before);
        format!("{:5.2}", growth.ln() / (FACTOR as f64).ln())
    });
    format!("{:8.2} {:>5}", time.as_secs_f64() * 1e3, exponent.unwrap_or_default())
}

/// Lets the peak of resident memory begin anew, on Linux.
fn reset_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn peak_mebibytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes >> 10)
}
