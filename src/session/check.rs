//! Checks many blocks in parallel: proves them, executes them, computes state roots and compares with the headers.
//!
//! The times are no measurement, since several blocks run at once. They only show which step takes long.

use super::{
    BlockSource, Keep, Observer, SelectedBlock, caught::caught, machine, race::rows::facts,
};
use crate::{
    block::{Phase, Unneeded},
    executors::ExecutorKind,
    measure::Stopwatch,
    report::BlockFacts,
    threads::{ExecutionLimit, Watchdog},
    verify::{Step, Verdict, VerifiedTo, VerifyError, verify_and_reduce, verify_block},
};
use alloy_primitives::{B256, BlockNumber};
use eyre::eyre;
use std::{
    num::NonZeroUsize,
    sync::mpsc::{self, SyncSender},
    thread,
    time::Duration,
};

/// A block number and the result of its check.
pub type CheckResult = (BlockNumber, eyre::Result<Checked>);

/// Settings of a check.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The executor.
    pub executor: ExecutorKind,
    /// Number of blocks to check in parallel, each on one thread.
    pub jobs: NonZeroUsize,
    /// Limit of each execution. Its interrupt ends the check.
    pub execution_limit: ExecutionLimit,
    /// Whether to count the items of each witness that its block does not need. The sequential executor counts them.
    pub counts_unneeded: bool,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            executor: ExecutorKind::SEQUENTIAL,
            jobs: machine::cores(),
            execution_limit: ExecutionLimit::default(),
            counts_unneeded: false,
        }
    }
}

/// Checks all `blocks`, one block per job at a time. The results are in the order of the blocks. An interrupted
/// check lacks the results of its last blocks.
///
/// `keep` receives each result at once, in the order in which the blocks are done.
///
/// # Errors
/// If the threads cannot be started, and the error of `keep`. An error of a block is part of its result.
pub fn check_all(
    blocks: Vec<SelectedBlock>,
    options: &CheckOptions,
    observer: &dyn Observer,
    keep: Keep<'_, CheckResult>,
) -> eyre::Result<Vec<CheckResult>> {
    let shares = deal(blocks, options.jobs.get());
    let (sender, done) = mpsc::sync_channel(shares.len().max(1));
    let mut checked = Vec::new();
    thread::scope(|scope| {
        let work = |share| {
            let sender = sender.clone();
            scope.spawn(move || check_share(share, options, observer, &sender))
        };
        let workers: Vec<_> = shares.into_iter().map(work).collect();
        drop(sender);
        for (position, result) in done {
            keep(&result)?;
            checked.push((position, result));
        }
        let join = |worker: thread::ScopedJoinHandle<'_, eyre::Result<()>>| {
            worker.join().map_err(|_| eyre!("a worker panicked"))?
        };
        workers.into_iter().try_for_each(join)
    })?;
    checked.sort_by_key(|(position, _)| *position);
    Ok(checked.into_iter().map(|(_, result)| result).collect())
}

/// A block to check, with its position in the result.
type IndexedBlock = (usize, BlockNumber, eyre::Result<BlockSource>);

/// Deals the blocks to the jobs in turn. Neighbouring blocks cost about the same, so the shares do as well.
fn deal(blocks: Vec<SelectedBlock>, jobs: usize) -> Vec<Vec<IndexedBlock>> {
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
    share: Vec<IndexedBlock>,
    options: &CheckOptions,
    observer: &dyn Observer,
    done: &SyncSender<(usize, CheckResult)>,
) -> eyre::Result<()> {
    let interrupt = &options.execution_limit.interrupt;
    let mut watchdog = Watchdog::new(NonZeroUsize::MIN, options.execution_limit.clone())?;
    for (position, number, found) in share {
        let checked = caught(|| found.and_then(|source| check(source, options, &mut watchdog)));
        // The block in work is not done. The receiver is gone after an error of another block.
        let ends = checked.is_err() && interrupt.is_raised();
        if ends || done.send((position, (number, checked))).is_err() {
            break;
        }
        observer.step();
        if interrupt.is_raised() {
            break;
        }
    }
    Ok(())
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
    /// Items of the witness that the block does not need, if they are counted.
    pub unneeded: Unneeded,
    /// Time of each step.
    pub times: StepTimes,
}

/// Reads a block on the calling thread. Proves, executes and verifies it on the one thread of `watchdog`.
fn check(
    source: BlockSource,
    options: &CheckOptions,
    watchdog: &mut Watchdog,
) -> eyre::Result<Checked> {
    let CheckOptions { executor, counts_unneeded, .. } = *options;
    let mut times = StepTimes::default();
    let mut stopwatch = Stopwatch::start();
    let confirmed = source.confirmation().cloned();
    let recorded = source.load()?;
    let mut running = Part::Decode;
    let checked = watchdog.run(move |pool| {
        let entering = |step| {
            times.add(running, stopwatch.lap());
            running = Part::of(step);
        };
        let (job, verdict, unneeded) = match counts_unneeded {
            true => {
                let (job, verdict, reduced) = verify_and_reduce(recorded, pool, entering)?;
                (job, verdict, reduced.unneeded)
            }
            false => {
                let (job, verdict) = verify_block(recorded, executor, pool, entering)?;
                (job, verdict, Unneeded::default())
            }
        };
        times.add(running, stopwatch.lap());
        let (facts, verified_to) = (facts(&job, confirmed), VerifiedTo::of(&job));
        let rules = job.chain.digest();
        Ok::<_, VerifyError>(Checked { facts, rules, verdict, verified_to, unneeded, times })
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
