//! `blockrace cache import`: imports blocks from an archive. Each block is proved before it is stored.

use super::{Context, Outcome, blocks, print_errors, rules};
use crate::{
    block::RecordedBlock,
    cache::archive::Archive,
    cli::ImportArgs,
    executors::ExecutorKind,
    input,
    output::print,
    progress::Progress,
    session::{is_whole, machine},
    threads::WorkerPool,
    verify::{Verdict, verify_block},
};
use eyre::WrapErr;
use std::{
    io::{self, BufReader, Read},
    path::Path,
};

/// Imports all blocks. An error of one block does not stop the others.
pub(super) fn run(args: ImportArgs, context: &Context) -> eyre::Result<Outcome> {
    let path = args.archive.display();
    let file = open(&args.archive).wrap_err_with(|| format!("cannot open {path}"))?;
    let mut archive = Archive::new(BufReader::new(file));
    let members = archive.members().wrap_err_with(|| format!("{path} cannot be imported"))?;
    let listed = members.awaited();

    let given = rules::given(&args.rules)?;
    let mut desk = Desk { context, pool: WorkerPool::new(machine::cores())?, stored: 0, there: 0 };
    let progress = Progress::new(context.chatter, listed as u64, "blocks");
    let (mut outcome, mut errors) = (Outcome::Verified, Vec::new());
    for member in members {
        let ruled = |recorded: RecordedBlock| match &given {
            Some(rules) => recorded.with_rules(rules),
            None => recorded,
        };
        let taken = member.map_err(eyre::Report::from).map(|recorded| desk.take(ruled(recorded)));
        let (result, error) = taken.unwrap_or_else(|error| failed(&error));
        outcome = outcome.and(result);
        errors.extend(error);
        progress.step();
    }
    progress.finish();
    print_errors(&errors);
    let Desk { stored, there, .. } = desk;
    let (listed, dir) = (blocks(listed), context.cache_dir.display());
    print(format_args!("{stored} of {listed} proved and stored in {dir}"))?;
    if there > 0 {
        print(format_args!("{} already cached", blocks(there)))?;
    }
    Ok(outcome)
}

/// Opens the archive, or standard input for `-`.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new(input::STDIN) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(input::open(path)?))
}

/// The import: the target cache, and counts of the blocks so far.
struct Desk<'a> {
    context: &'a Context,
    pool: WorkerPool,
    stored: usize,
    /// Number of blocks with a complete file in the cache.
    there: usize,
}

impl Desk<'_> {
    /// Proves and stores a block, unless the cache has it.
    fn take(&mut self, recorded: RecordedBlock) -> Taken {
        let id = recorded.id();
        if is_whole(&self.context.cache, &id) {
            self.there += 1;
            return (Outcome::Verified, None);
        }
        match self.prove_and_store(&recorded) {
            Ok(Verdict::Match) => (Outcome::Verified, None),
            Ok(mismatch @ Verdict::Mismatch { .. }) => {
                (Outcome::Mismatch, Some(format!("block {} does not match: {mismatch}", id.number)))
            }
            Err(error) => failed(&error.wrap_err(format!("block {}", id.number))),
        }
    }

    fn prove_and_store(&mut self, recorded: &RecordedBlock) -> eyre::Result<Verdict> {
        let executor = ExecutorKind::SEQUENTIAL;
        let (_, verdict) = verify_block(recorded.clone(), executor, &self.pool, |_| ())?;
        if verdict == Verdict::Match {
            self.context.cache.put(recorded)?;
            self.stored += 1;
        }
        Ok(verdict)
    }
}

/// The outcome of one archive member, and an error to print.
type Taken = (Outcome, Option<String>);

fn failed(error: &eyre::Report) -> Taken {
    (Outcome::Failed, Some(format!("{error:#}")))
}
