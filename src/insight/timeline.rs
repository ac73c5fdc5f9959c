//! Times transactions and their reads, and runs executors in profiled runs. No other module of `insight` reads
//! the clock.
//!
//! Times come from runs of the baseline in block order on one thread. The clock is read between transactions.
//! On request, a worker of `block-stm` on a single thread is timed too, which is mostly faster. A single run is
//! noisy. The shortest of several runs counts, because noise only adds time.
//!
//! The positions of reads come from the same number of further runs. They read the clock at every read, which
//! makes them slower. Only the share of the transaction's time is therefore kept.

use super::trace::Trace;
use crate::{
    block::ReplayJob,
    evm::run_block,
    execution::{ExecuteError, Execution, Executor, observe::Record},
    executors::{BlockStm, ExecutorKind},
    state::{BlockState, Read, Watched},
    threads::WorkerPool,
};
use std::{
    cell::RefCell,
    collections::HashMap,
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// By read: the share of the transaction's time after which it first happens, from 0 to 1.
pub type ReadShares = HashMap<Read, f64>;

/// Times of the parts of a block, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// System calls before the first transaction.
    pub before: u64,
    /// Times of the baseline, by transaction.
    pub transactions: Vec<u64>,
    /// Shortest times, by transaction: of the baseline, and after [`Times::take_worker`] also of a worker.
    pub least: Vec<u64>,
    /// Rewards, withdrawals and requests after the last transaction, and the post-state.
    pub after: u64,
    /// Positions of reads, by transaction.
    pub reads: Vec<ReadShares>,
}

impl Times {
    /// Time of all transactions by the baseline, one after the other.
    pub fn all_transactions(&self) -> Duration {
        Duration::from_nanos(self.total())
    }

    /// Time of all transactions by the baseline, in nanoseconds.
    pub fn total(&self) -> u64 {
        self.transactions.iter().sum()
    }

    /// Time of all transactions on one thread. Each one counts with its shortest time.
    pub fn alone(&self) -> Duration {
        Duration::from_nanos(self.least.iter().sum())
    }

    /// Also times every transaction by a worker of `block-stm`, as the shortest of `runs` runs. The pool has
    /// one thread, so that no transaction is executed twice.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state is incomplete.
    pub fn take_worker(
        &mut self,
        job: &ReplayJob,
        alone: &WorkerPool,
        runs: NonZeroU32,
    ) -> Result<(), ExecuteError> {
        for _ in 0..runs.get() {
            shorten(&mut self.least, &time_worker(job, alone)?);
        }
        Ok(())
    }

    fn shorten(&mut self, other: &Self) {
        self.before = self.before.min(other.before);
        self.after = self.after.min(other.after);
        shorten(&mut self.transactions, &other.transactions);
    }
}

/// Keeps the shorter of each pair of times.
fn shorten(times: &mut [u64], others: &[u64]) {
    for (time, other) in times.iter_mut().zip(others) {
        *time = (*time).min(*other);
    }
}

/// Times every part of the block, as the shortest of `runs` runs.
///
/// # Errors
/// The block is invalid, or the pre-state is incomplete.
pub fn times(job: &ReplayJob, runs: NonZeroU32) -> Result<Times, ExecuteError> {
    let mut shortest = time_once(job)?;
    let mut watched = watch_reads(job)?;
    for _ in 1..runs.get() {
        shortest.shorten(&time_once(job)?);
        for (reads, again) in watched.iter_mut().zip(watch_reads(job)?) {
            if again.0 < reads.0 {
                *reads = again;
            }
        }
    }
    shortest.least.clone_from(&shortest.transactions);
    shortest.reads = watched.into_iter().map(|(_, reads)| reads).collect();
    Ok(shortest)
}

fn time_once(job: &ReplayJob) -> Result<Times, ExecuteError> {
    let mut marks = Vec::with_capacity(job.transactions.len() + 1);
    let between = |_, _: &BlockState<_>| -> Result<(), ExecuteError> {
        marks.push(Instant::now());
        Ok(())
    };
    let start = Instant::now();
    let state = BlockState::new(&job.pre_state);
    let (_, state) = run_block(&job.context(), &job.transactions, state, between)?;
    state.post_state()?;
    let end = Instant::now();
    let first = marks.first().copied().unwrap_or(start);
    let last = marks.last().copied().unwrap_or(start);
    let transactions = marks.windows(2).map(|pair| nanoseconds(pair[0], pair[1])).collect();
    Ok(Times {
        before: nanoseconds(start, first),
        transactions,
        after: nanoseconds(last, end),
        ..Default::default()
    })
}

/// Times of a worker, by transaction.
fn time_worker(job: &ReplayJob, alone: &WorkerPool) -> Result<Vec<u64>, ExecuteError> {
    let (_, trace) = watch(ExecutorKind::BLOCK_STM, &BlockStm::Always, job, alone)?;
    let mut times = vec![0; job.transactions.len()];
    for (_, tx, span, _) in trace.executions() {
        times[tx] += u64::try_from(span.length().as_nanos()).unwrap_or(u64::MAX);
    }
    Ok(times)
}

/// A run in which every read is timed.
#[derive(Default)]
struct Watch {
    /// Times before the first transaction and after each one.
    marks: Vec<Instant>,
    /// Reads, each with the number of marks at that time.
    reads: Vec<(usize, Read, Instant)>,
}

/// By transaction: its time in nanoseconds, and the positions of its reads.
fn watch_reads(job: &ReplayJob) -> Result<Vec<(u64, ReadShares)>, ExecuteError> {
    let watch = RefCell::new(Watch::default());
    let on_read = |read: Read| {
        let mut watch = watch.borrow_mut();
        let marks = watch.marks.len();
        watch.reads.push((marks, read, Instant::now()));
    };
    let between = |_, _: &Watched<_, _>| -> Result<(), ExecuteError> {
        watch.borrow_mut().marks.push(Instant::now());
        Ok(())
    };
    let state = Watched::new(BlockState::new(&job.pre_state), on_read);
    run_block(&job.context(), &job.transactions, state, between)?;
    Ok(watch.into_inner().by_transaction())
}

impl Watch {
    fn by_transaction(self) -> Vec<(u64, ReadShares)> {
        let pairs = self.marks.windows(2);
        let lengths = pairs.map(|pair| (nanoseconds(pair[0], pair[1]), ReadShares::new()));
        let mut transactions: Vec<_> = lengths.collect();
        for (marks, read, at) in self.reads {
            let Some(tx) = marks.checked_sub(1) else { continue };
            if let (Some(start), Some((length, shares))) =
                (self.marks.get(tx), transactions.get_mut(tx))
            {
                let share = nanoseconds(*start, at) as f64 / (*length).max(1) as f64;
                shares.entry(read).or_insert(share);
            }
        }
        transactions
    }
}

/// Executes the block once in a profiled run. It is slower than a timed one, by dozens of nanoseconds per
/// activity.
///
/// # Errors
/// The block is invalid, or the pre-state is incomplete.
pub fn watch(
    kind: ExecutorKind,
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
) -> Result<(Execution, Trace), ExecuteError> {
    let start = Instant::now();
    let clock = || start.elapsed();
    let record = Record::new(&clock, job.transactions.len());
    let execution = executor.execute_observed(job, pool, &record)?;
    let total = start.elapsed();
    let threads = if kind.is_parallel() { pool.threads().get() } else { 1 };
    Ok((execution, Trace::new(&record.into_events(), total, threads)))
}

/// The shortest time of several runs. Dropping the result is not timed.
pub(super) fn shortest<R>(runs: NonZeroU32, run: impl Fn() -> R) -> Duration {
    let time = |_| {
        let start = Instant::now();
        let result = run();
        let time = start.elapsed();
        drop(result);
        time
    };
    (0..runs.get()).map(time).min().unwrap_or_default()
}

fn nanoseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}
