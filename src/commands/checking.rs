//! Checks many blocks in parallel: proves them, executes them, computes state roots and compares with the headers.
//!
//! The commands print the blocks that match. The times are no measurement, since several blocks run at once. They
//! only show which step takes long.

use super::{Context, Outcome, cached::Source, caught::caught, machine};
use crate::{
    block::Phase,
    cli::SideBySide,
    executors::ExecutorKind,
    measure::Stopwatch,
    output::diagnose,
    progress::Progress,
    threads::Watchdog,
    units,
    verify::{Step, Verdict, VerifiedTo, VerifyError, verify_block},
};
use eyre::eyre;
use std::{num::NonZeroUsize, thread, time::Duration};

/// A block number and the result of its check.
pub(super) type CheckResult = (u64, eyre::Result<Checked>);

/// Checks all `blocks` with a progress bar, one block per job at a time. The results are in the order of the blocks.
///
/// # Errors
/// If the threads cannot be started. An error of a block is part of its result.
pub(super) fn check_all(
    blocks: Vec<(u64, eyre::Result<Source>)>,
    executor: ExecutorKind,
    side_by_side: SideBySide,
    context: &Context,
) -> eyre::Result<Vec<CheckResult>> {
    let jobs = side_by_side.jobs.unwrap_or_else(machine::cores);
    let limit = Duration::from_secs(side_by_side.time_limit.get());
    let progress = Progress::new(context.chatter, blocks.len() as u64, "blocks");
    let shares = deal(blocks, jobs.get());
    let mut checked: Vec<_> = thread::scope(|scope| {
        let work = |share| {
            let progress = progress.clone();
            scope.spawn(move || check_share(share, (executor, limit), context, &progress))
        };
        let workers: Vec<_> = shares.into_iter().map(work).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| eyre!("a worker panicked"))?)
            .collect::<eyre::Result<Vec<_>>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    progress.finish();
    checked.sort_by_key(|(position, ..)| *position);
    Ok(checked.into_iter().map(|(_, number, result)| (number, result)).collect())
}

/// A block to check, with its position in the result.
type Asked = (usize, u64, eyre::Result<Source>);

/// Deals the blocks to the jobs in turn. Neighbouring blocks cost about the same, so the shares do as well.
fn deal(blocks: Vec<(u64, eyre::Result<Source>)>, jobs: usize) -> Vec<Vec<Asked>> {
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
    (executor, limit): (ExecutorKind, Duration),
    context: &Context,
    progress: &Progress,
) -> eyre::Result<Vec<(usize, u64, eyre::Result<Checked>)>> {
    let mut guard = Watchdog::new(NonZeroUsize::MIN, limit)?;
    let check_one = |(position, number, found): Asked| {
        let checked =
            caught(|| found.and_then(|source| check(source, executor, &mut guard, context)));
        progress.step();
        (position, number, checked)
    };
    Ok(share.into_iter().map(check_one).collect())
}

/// The result of a check. The verdict states whether the block matches its header. A block that could not be
/// checked has an error instead.
pub(super) struct Checked {
    pub(super) fork: String,
    pub(super) transactions: usize,
    pub(super) verdict: Verdict,
    pub(super) verified_to: VerifiedTo,
    pub(super) times: Times,
}

/// Reads a block on the calling thread. Proves, executes and verifies it on the one thread of `guard`.
fn check(
    source: Source,
    executor: ExecutorKind,
    guard: &mut Watchdog,
    context: &Context,
) -> eyre::Result<Checked> {
    let mut times = Times::default();
    let mut stopwatch = Stopwatch::start();
    let recorded = source.load(context)?;
    let mut running = Part::Decode;
    let checked = guard.run(move |pool| {
        let (job, verdict) = verify_block(recorded, executor, pool, |step| {
            times.add(running, stopwatch.lap());
            running = Part::of(step);
        })?;
        times.add(running, stopwatch.lap());
        let (fork, transactions) = (job.fork().to_string(), job.transactions.len());
        let verified_to = VerifiedTo::of(&job);
        Ok::<_, VerifyError>(Checked { fork, transactions, verdict, verified_to, times })
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

/// Time by step, summed over the checked blocks.
#[derive(Default)]
pub(super) struct Times([Duration; Part::ALL.len()]);

impl Times {
    fn add(&mut self, part: Part, time: Duration) {
        self.0[part as usize] += time;
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        for (sum, time) in self.0.iter_mut().zip(&other.0) {
            *sum += *time;
        }
    }

    pub(super) fn heading() -> String {
        Part::ALL.map(|(_, name)| format!("{name:>10}")).join(" ")
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.0.map(|time| format!("{:>10}", units::duration(time)));
        f.write_str(&columns.join(" "))
    }
}

/// Counts over several checked blocks.
pub(super) struct CheckTotals {
    blocks: usize,
    matched: usize,
    /// Matching blocks with a flat pre-state, which are verified to the receipts only.
    to_receipts: usize,
    pub(super) outcome: Outcome,
}

impl CheckTotals {
    /// Creates the counts of zero blocks.
    pub(super) const fn new() -> Self {
        Self { blocks: 0, matched: 0, to_receipts: 0, outcome: Outcome::Verified }
    }

    /// Adds a block. Prints mismatches and errors on standard error.
    pub(super) fn add(&mut self, (number, result): &CheckResult) {
        self.blocks += 1;
        let of_block = match result {
            Ok(Checked { verdict: Verdict::Match, verified_to, .. }) => {
                self.matched += 1;
                self.to_receipts += usize::from(*verified_to == VerifiedTo::Receipts);
                Outcome::Verified
            }
            Ok(Checked { verdict: mismatch, .. }) => {
                diagnose(format_args!("error: block {number} does not match: {mismatch}"));
                Outcome::Mismatch
            }
            Err(error) => {
                diagnose(format_args!("error: block {number}: {error:#}"));
                Outcome::Failed
            }
        };
        self.outcome = self.outcome.and(of_block);
    }

    /// States how many blocks match, and the depth of their verification.
    pub(super) fn conclusion(&self) -> String {
        let (blocks, matched) = (self.blocks, self.matched);
        let depth = match (matched - self.to_receipts, self.to_receipts) {
            (_, 0) => "verified to the state root".to_owned(),
            (0, _) => "verified to the receipts only".to_owned(),
            (proved, flat) => {
                format!("{proved} verified to the state root, {flat} to the receipts only")
            }
        };
        match blocks {
            1 => format!("{matched} of 1 block matches its header, {depth}"),
            _ => format!("{matched} of {blocks} blocks match their headers, {depth}"),
        }
    }
}
