//! How long each transaction takes, and when a watched executor does what: the one place of this module
//! that reads the clock.
//!
//! Times come from the baseline's own run, in block order on one thread, with a look at the clock between
//! transactions. A single run is noisy, at some microseconds per transaction more than anywhere, so the
//! shortest of several counts: nothing makes a transaction faster than it is.

use super::trace::Trace;
use crate::{
    block::ReplayJob,
    evm::run_block,
    executor::{ExecuteError, Execution, ExecutorKind, WorkerPool, observe::Record},
    state::BlockState,
};
use std::{num::NonZeroU32, time::Instant};

/// How long the parts of a block took, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// System calls before the first transaction.
    pub before: u64,
    /// By transaction.
    pub transactions: Vec<u64>,
    /// Rewards, withdrawals and requests after the last transaction, and the post-state.
    pub after: u64,
}

impl Times {
    /// Of all transactions.
    pub fn total(&self) -> u64 {
        self.transactions.iter().sum()
    }

    fn shorten(&mut self, other: &Self) {
        self.before = self.before.min(other.before);
        self.after = self.after.min(other.after);
        for (time, other) in self.transactions.iter_mut().zip(&other.transactions) {
            *time = (*time).min(*other);
        }
    }
}

/// Times every part of the block, as the shortest of so many runs.
///
/// # Errors
/// The block is invalid, or the pre-state lacks what it reads.
pub fn times(job: &ReplayJob, runs: NonZeroU32) -> Result<Times, ExecuteError> {
    let mut shortest = time_once(job)?;
    for _ in 1..runs.get() {
        shortest.shorten(&time_once(job)?);
    }
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
    let last = marks.last().copied().unwrap_or(start);
    let first = marks.first().copied().unwrap_or(start);
    let transactions = marks.windows(2).map(|pair| nanoseconds(pair[0], pair[1])).collect();
    Ok(Times { before: nanoseconds(start, first), transactions, after: nanoseconds(last, end) })
}

/// Executes the block once, watched. That is slower than unwatched, by some dozens of nanoseconds for
/// each thing that a thread does.
///
/// # Errors
/// The block is invalid, or the pre-state lacks what it reads.
pub fn watch(
    executor: ExecutorKind,
    job: &ReplayJob,
    pool: &WorkerPool,
) -> Result<(Execution, Trace), ExecuteError> {
    let start = Instant::now();
    let clock = || start.elapsed();
    let record = Record::new(&clock);
    let execution = executor.executor().execute_observed(job, pool, &record)?;
    let total = start.elapsed();
    Ok((execution, Trace::new(&record.into_events(), total)))
}

fn nanoseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}
