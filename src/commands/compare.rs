//! `blockrace compare`: compares two runs and reports regressions.
//!
//! Each side is one or several files of `replay --json`. The command prints every difference in machine, settings
//! or blocks on standard error. It refuses the runs unless `--ignore` names these differences. [`Comparison`] decides
//! whether a change is a regression. Regressions, and rows of the new run that do not match, lead to exit code 1. Without
//! these, rows that the new run lacks lead to exit code 2.

use super::{Context, Outcome};
use crate::{
    cli::CompareArgs,
    input,
    output::{Stream, diagnose, print},
    report::{
        compare::{Aspect, Comparison, Difference, differences},
        compared,
        run::Run,
    },
};
use eyre::{WrapErr, bail, ensure, eyre};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub(super) fn run(args: CompareArgs, context: &Context) -> eyre::Result<Outcome> {
    refuse_repeated(args.base.0.iter().chain(&args.new.0))?;
    let ignored: Vec<Aspect> = args.ignore.iter().copied().map(Aspect::from).collect();
    let (base, new) = (read_all(&args.base.0, &ignored)?, read_all(&args.new.0, &ignored)?);
    refuse(&differences(&base, &new), &ignored)?;
    let mut comparison = Comparison::new(&base, &new, args.by.into(), args.threshold / 100.0);
    if ignored.contains(&Aspect::Settings) {
        comparison.accept_other_contenders(&new);
    }
    if comparison.contenders.is_empty() && new.mismatches == 0 {
        bail!("the runs share no block and executor with times, so there is nothing to compare");
    }
    compared::write(&comparison, context.detail(), context.table(Stream::Stdout))?;
    if new.mismatches > 0 {
        let count = new.mismatches;
        print(format_args!("WRONG: rows of the new run that do not match: {count}"))?;
    }
    let is_worse = comparison.is_regression() || new.mismatches > 0;
    let worse = if is_worse { Outcome::Mismatch } else { Outcome::Verified };
    let complete = if comparison.missing.is_empty() { Outcome::Verified } else { Outcome::Failed };
    Ok(worse.and(complete))
}

/// Refuses a file that is given twice. A run compared with itself never shows a change.
fn refuse_repeated<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> eyre::Result<()> {
    let mut seen = BTreeSet::new();
    for path in paths {
        // A stream has no path in the file system.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        ensure!(seen.insert(real), "{} is given twice; compare two runs", path.display());
    }
    Ok(())
}

/// Maximum size of a result file in bytes: some million samples.
const MOST_RUN_BYTES: u64 = 256 << 20;

/// Reads and joins the runs of one side.
fn read_all(paths: &[PathBuf], ignored: &[Aspect]) -> eyre::Result<Run> {
    let (first, others) = paths.split_first().ok_or_else(|| eyre!("no result file given"))?;
    let mut joined = read(first)?;
    for path in others {
        let run = read(path)?;
        refuse(&differences(&joined, &run), ignored)?;
        joined.join(run);
    }
    Ok(joined)
}

fn read(path: &Path) -> eyre::Result<Run> {
    let read = || format!("cannot read {}", path.display());
    let text = input::read_or_stream(path, MOST_RUN_BYTES).wrap_err_with(read)?;
    let run = Run::read(&text).wrap_err_with(read)?;
    if run.mismatches > 0 {
        let (path, count) = (path.display(), run.mismatches);
        diagnose(format_args!("{path}: {count} rows do not match and have no times"));
    }
    Ok(run)
}

/// Prints the differences. Returns an error unless all of them are ignored.
fn refuse(found: &[Difference], ignored: &[Aspect]) -> eyre::Result<()> {
    for Difference { aspect, what } in found {
        diagnose(format_args!("the {aspect} differ: {what}"));
    }
    let mut aspects: Vec<_> = found.iter().map(|difference| difference.aspect).collect();
    aspects.retain(|aspect| !ignored.contains(aspect));
    aspects.dedup();
    if aspects.is_empty() {
        return Ok(());
    }
    let names = aspects.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    bail!("the runs are not comparable; to compare them anyway: --ignore {names}");
}
