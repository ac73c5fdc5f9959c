//! Checks many blocks in parallel: proves them, executes them, computes state roots and compares with the headers.
//!
//! The times are no measurement, since several blocks run at once. They only show which step takes long.

use super::{BlockSource, Observer, SelectedBlock, caught::caught, machine, race::rows::facts};
use crate::{
    block::Phase,
    executors::ExecutorKind,
    measure::Stopwatch,
    report::BlockFacts,
    threads::{ExecutionLimit, Watchdog},
    verify::{Step, Verdict, VerifiedTo, VerifyError, verify_block},
};
use alloy_primitives::{B256, BlockNumber};
use eyre::eyre;
use std::{num::NonZeroUsize, thread, time::Duration};

/// A block number and the result of its check.
pub type CheckResult = (BlockNumber, eyre::Result<Checked>);

/// Settings of a check.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// The executor.
    pub executor: ExecutorKind,
    /// Number of blocks to check in parallel, each on one thread.
    pub jobs: NonZeroUsize,
    /// Time limit per block.
    pub time_limit: Duration,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            executor: ExecutorKind::SEQUENTIAL,
            jobs: machine::cores(),
            time_limit: ExecutionLimit::default().time,
        }
    }
}

/// Checks all `blocks`, one block per job at a time. The results are in the order of the blocks.
///
/// # Errors
/// If the threads cannot be started. An error of a block is part of its result.
pub fn check_all(
    blocks: Vec<SelectedBlock>,
    options: &CheckOptions,
    observer: &dyn Observer,
) -> eyre::Result<Vec<CheckResult>> {
    let shares = deal(blocks, options.jobs.get());
    let mut checked: Vec<_> = thread::scope(|scope| {
        let work = |share| scope.spawn(move || check_share(share, options, observer));
        let workers: Vec<_> = shares.into_iter().map(work).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| eyre!("a worker panicked"))?)
            .collect::<eyre::Result<Vec<_>>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    checked.sort_by_key(|(position, ..)| *position);
    Ok(checked.into_iter().map(|(_, number, result)| (number, result)).collect())
}

/// A block to check, with its position in the result.
type Asked = (usize, BlockNumber, eyre::Result<BlockSource>);

/// Deals the blocks to the jobs in turn. Neighbouring blocks cost about the same, so the shares do as well.
fn deal(blocks: Vec<SelectedBlock>, jobs: usize) -> Vec<Vec<Asked>> {
    let mut shares: Vec<_> = (0..jobs.min(blocks.len())).map(|_| Vec::new()).collect();
    for (position, (number, found)) in blocks.into_iter().enumerate() {
        let share = position % shares.len().max(1);
        shares[share].push((position, number, found));
    }
    shares
}

/// Checks one job's share of the blocks, one after the other. Each block runs on one thread, so that the jobs keep
/// all cores busy. A panic or a timeout affects only its block.
fn check_share(
    share: Vec<Asked>,
    options: &CheckOptions,
    observer: &dyn Observer,
) -> eyre::Result<Vec<(usize, BlockNumber, eyre::Result<Checked>)>> {
    let mut watchdog = Watchdog::new(NonZeroUsize::MIN, options.time_limit)?;
    let check_one = |(position, number, found): Asked| {
        let checked =
            caught(|| found.and_then(|source| check(source, options.executor, &mut watchdog)));
        observer.step();
        (position, number, checked)
    };
    Ok(share.into_iter().map(check_one).collect())
}

/// The result of a check. The verdict states whether the block matches its header. A block that could not be
/// checked has an error instead.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The block.
    pub facts: BlockFacts,
    /// Digest of the chain's rules; `None` for a chain of a test.
    pub rules: Option<B256>,
    /// Whether the block matches its header.
    pub verdict: Verdict,
    /// Depth of the verification.
    pub verified_to: VerifiedTo,
    /// Time of each step.
    pub times: StepTimes,
}

/// Reads a block on the calling thread. Proves, executes and verifies it on the one thread of `watchdog`.
fn check(
    source: BlockSource,
    executor: ExecutorKind,
    watchdog: &mut Watchdog,
) -> eyre::Result<Checked> {
    let mut times = StepTimes::default();
    let mut stopwatch = Stopwatch::start();
    let recorded = source.load()?;
    let mut running = Part::Decode;
    let checked = watchdog.run(move |pool| {
        let (job, verdict) = verify_block(recorded, executor, pool, |step| {
            times.add(running, stopwatch.lap());
            running = Part::of(step);
        })?;
        times.add(running, stopwatch.lap());
        let (facts, verified_to) = (facts(&job), VerifiedTo::of(&job));
        let rules = job.chain.digest();
        Ok::<_, VerifyError>(Checked { facts, rules, verdict, verified_to, times })
    })?;
    Ok(checked?)
}

/// A timed step of the check.
#[derive(Clone, Copy)]
enum Part {
    Decode,
    Senders,
    Witness,
    Flatten,
    Execute,
    Root,
    Check,
}

impl Part {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Decode, "decode"),
        (Self::Senders, "senders"),
        (Self::Witness, "witness"),
        (Self::Flatten, "flatten"),
        (Self::Execute, "execute"),
        (Self::Root, "root"),
        (Self::Check, "check"),
    ];

    const fn of(step: Step) -> Self {
        match step {
            Step::Prepare(Phase::Senders) => Self::Senders,
            Step::Prepare(Phase::Witness) => Self::Witness,
            Step::Prepare(Phase::Flatten) => Self::Flatten,
            Step::Execute => Self::Execute,
            Step::Root => Self::Root,
            Step::Check => Self::Check,
        }
    }
}

/// Time by step of one block, or of several blocks together.
#[derive(Clone, Debug, Default)]
pub struct StepTimes([Duration; Part::ALL.len()]);

impl StepTimes {
    fn add(&mut self, part: Part, time: Duration) {
        self.0[part as usize] += time;
    }

    /// Adds the times of other blocks.
    pub fn add_all(&mut self, other: &Self) {
        for (sum, time) in self.0.iter_mut().zip(&other.0) {
            *sum += *time;
        }
    }

    /// The steps in order, with their names.
    pub fn steps(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        Part::ALL.into_iter().zip(self.0).map(|((_, name), time)| (name, time))
    }
}
