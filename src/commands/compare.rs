//! `blockrace compare`: what became slower or faster between two runs.
//!
//! Reads files of `replay --json`, one or several for each side. Runs that differ in machine, settings or blocks are
//! refused, each difference on a line of its own on standard error, unless `--ignore` names it. A regression is the
//! outcome of a mismatch, so that the exit code is 1; what is one is [`Comparison`]'s to say. So are new rows that do not
//! match: wrong is worse than slow.

use super::{Context, Outcome};
use crate::{
    cli::CompareArgs,
    report::{
        compare::{Aspect, Comparison, Difference, differences},
        compared,
        run::Run,
    },
};
use eyre::{WrapErr, bail, eyre};
use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

pub(super) fn run(args: CompareArgs, context: &Context) -> eyre::Result<Outcome> {
    let ignored: Vec<Aspect> = args.ignore.iter().copied().map(Aspect::from).collect();
    let (base, new) = (read_all(&args.base.0, &ignored)?, read_all(&args.new.0, &ignored)?);
    refuse(&differences(&base, &new), &ignored)?;
    let comparison = Comparison::new(&base, &new, args.by.into(), args.threshold / 100.0);
    if comparison.contenders.is_empty() && new.mismatches == 0 {
        bail!("the two runs have no block and executor in common that could be compared");
    }
    compared::write(&comparison, context.detail(), context.stdout())?;
    if new.mismatches > 0 {
        writeln!(context.stdout(), "WRONG: new rows that do not match: {}", new.mismatches)?;
    }
    let is_worse = comparison.is_regression() || new.mismatches > 0;
    Ok(if is_worse { Outcome::Mismatch } else { Outcome::Verified })
}

/// The runs of one side, joined.
fn read_all(paths: &[PathBuf], ignored: &[Aspect]) -> eyre::Result<Run> {
    let (first, others) = paths.split_first().ok_or_else(|| eyre!("there is no file to read"))?;
    let mut joined = read(first)?;
    for path in others {
        let run = read(path)?;
        refuse(&differences(&joined, &run), ignored)?;
        joined.join(run);
    }
    Ok(joined)
}

fn read(path: &Path) -> eyre::Result<Run> {
    let file = File::open(path).wrap_err_with(|| format!("cannot open {}", path.display()))?;
    let run = Run::read(file).wrap_err_with(|| format!("cannot read {}", path.display()))?;
    if run.mismatches > 0 {
        eprintln!("{}: {} rows did not match and have no times", path.display(), run.mismatches);
    }
    Ok(run)
}

/// Says what differs; an error unless all of it is to be ignored.
fn refuse(found: &[Difference], ignored: &[Aspect]) -> eyre::Result<()> {
    for Difference { aspect, what } in found {
        eprintln!("the {aspect} differ: {what}");
    }
    let mut aspects: Vec<_> = found.iter().map(|difference| difference.aspect).collect();
    aspects.retain(|aspect| !ignored.contains(aspect));
    aspects.dedup();
    if aspects.is_empty() {
        return Ok(());
    }
    let names = aspects.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    bail!("these runs cannot be compared; if they are to be all the same: --ignore {names}");
}
