//! `blockrace cache import`: imports blocks from an archive, or from blockchain tests with execution witnesses. Each block
//! is proved before it is stored, and stored without what it does not need.

use super::{Context, Outcome, blocks, print_errors, rules};
use crate::{
    block::RecordedBlock,
    cache::archive::Archive,
    cli::ImportArgs,
    conformance::{
        exchange::{ExchangeError, blocks_of},
        read_tests, tests,
    },
    evm::ChainRules,
    input,
    output::print,
    progress::Progress,
    session::{is_whole, machine},
    threads::Watchdog,
    verify::{Verdict, verify_and_reduce},
};
use eyre::WrapErr;
use serde_json::value::RawValue;
use std::{
    fmt,
    io::{self, BufRead as _, BufReader, Read},
    path::Path,
    time::Duration,
};

/// Imports all blocks. An error of one block does not stop the others.
pub(super) fn run(args: ImportArgs, context: &Context) -> eyre::Result<Outcome> {
    let path = args.archive.display();
    let rules = rules::given(&args.rules)?;
    let rules = rules.as_deref();
    let mut file = BufReader::new(open(&args.archive).wrap_err_with(|| cannot_open(&path))?);
    if is_of_tests(file.fill_buf().wrap_err_with(|| cannot_open(&path))?) {
        let file = read_tests(&args.archive, file)?;
        let tests = tests(&file.content).wrap_err_with(|| format!("{path} cannot be imported"))?;
        let blocks = tests.into_iter().flat_map(|test| blocks_of_test(test, rules));
        return take_all(blocks, None, context, args.limit.time());
    }
    let mut archive = Archive::new(file);
    let members = archive.members().wrap_err_with(|| format!("{path} cannot be imported"))?;
    let ruled = |recorded: RecordedBlock| match rules {
        Some(rules) => recorded.with_rules(rules),
        None => recorded,
    };
    let listed = members.awaited();
    take_all(members.map(|member| Ok(ruled(member?))), Some(listed), context, args.limit.time())
}

fn cannot_open(path: &impl fmt::Display) -> String {
    format!("cannot open {path}")
}

/// Whether a file that starts with these bytes holds tests: JSON, or compressed. An archive starts with the name of its
/// manifest.
fn is_of_tests(start: &[u8]) -> bool {
    start.first().is_some_and(|byte| matches!(byte, b'{' | 0x1f) || byte.is_ascii_whitespace())
}

/// The blocks of a test that carry a witness.
fn blocks_of_test(
    (name, test): (String, &RawValue),
    rules: Option<&ChainRules>,
) -> Vec<eyre::Result<RecordedBlock>> {
    let named = |error: ExchangeError| eyre::Report::from(error).wrap_err(format!("test {name}"));
    match blocks_of(test, rules) {
        Ok(blocks) => blocks.into_iter().map(|block| block.map_err(named)).collect(),
        Err(error) => vec![Err(named(error))],
    }
}

/// Takes all blocks. `listed` is their number, if it is known beforehand.
fn take_all(
    members: impl Iterator<Item = eyre::Result<RecordedBlock>>,
    listed: Option<usize>,
    context: &Context,
    limit: Duration,
) -> eyre::Result<Outcome> {
    let watchdog = Watchdog::new(machine::cores(), limit)?;
    let mut desk = Desk { context, watchdog, stored: 0, there: 0 };
    let progress = Progress::new(context.chatter, listed.unwrap_or_default() as u64, "blocks");
    let (mut outcome, mut errors, mut seen) = (Outcome::Verified, Vec::new(), 0);
    for member in members {
        seen += 1;
        if listed.is_none() {
            progress.expect(1);
        }
        let taken = member.map(|recorded| desk.take(recorded));
        let (result, error) = taken.unwrap_or_else(|error| failed(&error));
        outcome = outcome.and(result);
        errors.extend(error);
        progress.step();
    }
    progress.finish();
    print_errors(&errors);
    context.cache.flush()?;
    let Desk { stored, there, .. } = desk;
    let (listed, dir) = (blocks(listed.unwrap_or(seen)), context.cache_dir.display());
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
    watchdog: Watchdog,
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
        match self.prove_and_store(recorded) {
            Ok(Verdict::Match) => (Outcome::Verified, None),
            Ok(mismatch @ Verdict::Mismatch { .. }) => {
                (Outcome::Mismatch, Some(format!("block {} does not match: {mismatch}", id.number)))
            }
            Err(error) => failed(&error.wrap_err(format!("block {}", id.number))),
        }
    }

    fn prove_and_store(&mut self, recorded: RecordedBlock) -> eyre::Result<Verdict> {
        let (_, verdict, reduced) =
            self.watchdog.run(move |pool| verify_and_reduce(recorded, pool, |_| ()))??;
        if verdict == Verdict::Match {
            self.context.cache.put(&reduced.recorded)?;
            self.context.cache.note_checked(&reduced.recorded);
            self.stored += 1;
        }
        Ok(verdict)
    }
}

/// The outcome of one archive member, and an error to print.
type Taken = (Outcome, Option<String>);

fn failed(error: &eyre::Report) -> Taken {
    (Outcome::of(error), Some(format!("{error:#}")))
}
