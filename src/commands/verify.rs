//! `blockrace verify`: checks blocks without timing executors against each other.

use super::{
    Context, Outcome,
    cached::{Source, select},
    machine,
};
use crate::{
    block::Phase,
    cli::VerifyArgs,
    executor::{ExecutorKind, WorkerPool},
    measure::Stopwatch,
    progress::Progress,
    units,
    verify::{Step, Verdict, verify_block},
};
use eyre::eyre;
use std::{num::NonZeroUsize, thread, time::Duration};

pub(super) fn run(args: VerifyArgs, context: &Context) -> eyre::Result<Outcome> {
    let selection = select(args.blocks, context)?;
    let progress = Progress::new(context.chatter, selection.blocks.len() as u64, "blocks");
    let jobs = args.jobs.unwrap_or_else(machine::cores).get();
    let shares = deal(selection.blocks, jobs);
    let mut checked: Vec<_> = thread::scope(|scope| {
        let work = |share| {
            let progress = progress.clone();
            scope.spawn(move || check_share(share, args.executor, context, &progress))
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
    Ok(print(checked))
}

/// A block to check, with its place in the result.
type Asked = (usize, u64, eyre::Result<Source>);

/// Deals blocks out in turn: neighbours cost about the same, so the shares do.
fn deal(blocks: Vec<(u64, eyre::Result<Source>)>, jobs: usize) -> Vec<Vec<Asked>> {
    let mut shares: Vec<_> = (0..jobs.min(blocks.len())).map(|_| Vec::new()).collect();
    for (position, (number, found)) in blocks.into_iter().enumerate() {
        let share = position % shares.len().max(1);
        shares[share].push((position, number, found));
    }
    shares
}

/// One thread does all of a block, so that as many blocks as there are jobs keep all threads busy.
fn check_share(
    share: Vec<Asked>,
    executor: ExecutorKind,
    context: &Context,
    progress: &Progress,
) -> eyre::Result<Vec<(usize, u64, eyre::Result<Checked>)>> {
    let pool = WorkerPool::new(NonZeroUsize::MIN)?;
    let check_one = |(position, number, found): Asked| {
        let checked = found.and_then(|source| check(source, executor, &pool, context));
        progress.step();
        (position, number, checked)
    };
    Ok(share.into_iter().map(check_one).collect())
}

/// What checking one block found.
struct Checked {
    fork: String,
    transactions: usize,
    verdict: Verdict,
    times: Times,
}

fn check(
    source: Source,
    executor: ExecutorKind,
    pool: &WorkerPool,
    context: &Context,
) -> eyre::Result<Checked> {
    let mut times = Times::default();
    let mut stopwatch = Stopwatch::start();
    let recorded = source.load(context)?;
    let mut running = Part::Decode;
    let (job, verdict) = verify_block(recorded, executor.executor(), pool, |step| {
        times.add(running, stopwatch.lap());
        running = Part::of(step);
    })?;
    times.add(running, stopwatch.lap());
    let (fork, transactions) = (job.fork().to_string(), job.transactions.len());
    Ok(Checked { fork, transactions, verdict, times })
}

/// Prints a line for each block and one for all, and what failed.
fn print(checked: Vec<(usize, u64, eyre::Result<Checked>)>) -> Outcome {
    let (mut outcome, mut total, mut matched) = (Outcome::Verified, Times::default(), 0);
    let count = checked.len();
    println!("{:>10}  {:<14} {:>5}  {}  verdict", "block", "fork", "txs", Times::heading());
    for (_, number, result) in checked {
        match result {
            Ok(Checked { fork, transactions, verdict, times }) => {
                println!("{number:>10}  {fork:<14} {transactions:>5}  {times}  {verdict}");
                total.add_all(&times);
                match verdict {
                    Verdict::Match => matched += 1,
                    Verdict::Mismatch { .. } => outcome = outcome.and(Outcome::Mismatch),
                }
            }
            Err(error) => {
                eprintln!("error: block {number}: {error:#}");
                outcome = outcome.and(Outcome::Failed);
            }
        }
    }
    println!("{:>10}  {:<14} {:>5}  {total}", "all", "", "");
    println!("{matched} of {count} blocks match their headers, up to the state root");
    outcome
}

/// A part of the work that is timed.
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

/// Time by part.
#[derive(Default)]
struct Times([Duration; Part::ALL.len()]);

impl Times {
    fn add(&mut self, part: Part, time: Duration) {
        self.0[part as usize] += time;
    }

    fn add_all(&mut self, other: &Self) {
        for (sum, time) in self.0.iter_mut().zip(&other.0) {
            *sum += *time;
        }
    }

    fn heading() -> String {
        Part::ALL.map(|(_, name)| format!("{name:>10}")).join(" ")
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.0.map(|time| format!("{:>10}", units::duration(time)));
        f.write_str(&columns.join(" "))
    }
}
