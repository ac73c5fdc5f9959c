//! How long each transaction takes, when it reads what, and when a watched executor does what: the one
//! place of this module that reads the clock.
//!
//! Times come from the baseline's own run, in block order on one thread, with a look at the clock between
//! transactions, and on request from a worker of `block-stm` that has the block to itself, which mostly spares
//! something. A single run is noisy, so the shortest of several counts: nothing makes a transaction faster than it is.
//! When it reads what comes from as many further runs with a look at the clock at every read, which makes them slower,
//! so that only the share of the transaction's time is kept.

use super::trace::Trace;
use crate::{
    block::ReplayJob,
    evm::run_block,
    executor::{BlockStm, ExecuteError, Execution, Executor, WorkerPool, observe::Record},
    state::{BlockState, Read, Watched},
};
use std::{
    cell::RefCell,
    collections::HashMap,
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// By what was read: the share of the transaction's time after which it first was, from 0 to 1.
pub type ReadShares = HashMap<Read, f64>;

/// How long the parts of a block took, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// System calls before the first transaction.
    pub before: u64,
    /// By transaction, by the baseline.
    pub transactions: Vec<u64>,
    /// By transaction, by whoever was timed and is fastest with it: the baseline, and after
    /// [`Times::take_worker`] a worker as well.
    pub least: Vec<u64>,
    /// Rewards, withdrawals and requests after the last transaction, and the post-state.
    pub after: u64,
    /// By transaction.
    pub reads: Vec<ReadShares>,
}

impl Times {
    /// Of all transactions, one after the other, by the baseline.
    pub fn all_transactions(&self) -> Duration {
        Duration::from_nanos(self.total())
    }

    /// The same, in nanoseconds.
    pub fn total(&self) -> u64 {
        self.transactions.iter().sum()
    }

    /// Of all transactions, one after the other on one thread, each by whoever is faster with it.
    pub fn alone(&self) -> Duration {
        Duration::from_nanos(self.least.iter().sum())
    }

    /// Times every transaction by a worker of `block-stm`, too, as the shortest of so many runs. The pool has one
    /// thread, so that the worker does nothing twice.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks what it reads.
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

/// Each as long as the shorter of the two.
fn shorten(times: &mut [u64], others: &[u64]) {
    for (time, other) in times.iter_mut().zip(others) {
        *time = (*time).min(*other);
    }
}

/// Times every part of the block, as the shortest of so many runs.
///
/// # Errors
/// The block is invalid, or the pre-state lacks what it reads.
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

/// By transaction: how long a worker takes.
fn time_worker(job: &ReplayJob, alone: &WorkerPool) -> Result<Vec<u64>, ExecuteError> {
    let (_, trace) = watch(&BlockStm::Always, job, alone)?;
    let mut times = vec![0; job.transactions.len()];
    for (_, tx, span, _) in trace.executions() {
        times[tx] += u64::try_from(span.length().as_nanos()).unwrap_or(u64::MAX);
    }
    Ok(times)
}

/// A run in which every read is timed.
#[derive(Default)]
struct Watch {
    /// Before the first transaction, and after each.
    marks: Vec<Instant>,
    /// With the number of marks until then.
    reads: Vec<(usize, Read, Instant)>,
}

/// By transaction: how long it took, in nanoseconds, and when it read what.
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

/// Executes the block once, watched. That is slower than unwatched, by some dozens of nanoseconds for
/// each thing that a thread does.
///
/// # Errors
/// The block is invalid, or the pre-state lacks what it reads.
pub fn watch(
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
) -> Result<(Execution, Trace), ExecuteError> {
    let kind = executor.kind();
    let start = Instant::now();
    let clock = || start.elapsed();
    let record = Record::new(&clock, job.transactions.len());
    let execution = executor.execute_observed(job, pool, &record)?;
    let total = start.elapsed();
    let threads = if kind.is_parallel() { pool.threads().get() } else { 1 };
    Ok((execution, Trace::new(&record.into_events(), total, threads)))
}

fn nanoseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}
