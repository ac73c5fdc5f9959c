//! `blockrace compare`: compares two runs and reports regressions.
//!
//! Each side is one or several files of `replay --json`. The command prints every difference in machine, settings
//! or blocks on standard error. It refuses the runs unless `--ignore` names these differences. [`Comparison`] decides
//! whether a change is a regression. Regressions, and rows of the new run that do not match, lead to exit code 1.

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
        bail!("the runs share no block and executor with times, so there is nothing to compare");
    }
    compared::write(&comparison, context.detail(), context.stdout())?;
    if new.mismatches > 0 {
        writeln!(
            context.stdout(),
            "WRONG: rows of the new run that do not match: {}",
            new.mismatches
        )?;
    }
    let is_worse = comparison.is_regression() || new.mismatches > 0;
    Ok(if is_worse { Outcome::Mismatch } else { Outcome::Verified })
}

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
    let file = File::open(path).wrap_err_with(|| format!("cannot open {}", path.display()))?;
    let run = Run::read(file).wrap_err_with(|| format!("cannot read {}", path.display()))?;
    if run.mismatches > 0 {
        eprintln!("{}: {} rows do not match and have no times", path.display(), run.mismatches);
    }
    Ok(run)
}

/// Prints the differences. Returns an error unless all of them are ignored.
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
    bail!("the runs are not comparable; to compare them anyway: --ignore {names}");
}
