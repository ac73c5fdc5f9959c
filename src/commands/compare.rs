//! `blockrace compare`: what became slower or faster between two runs.
//!
//! Reads two files of `replay --json`. Runs that differ in machine, settings or blocks are refused, each difference
//! on a line of its own on standard error, unless `--ignore` names it. A regression is the outcome of a mismatch, so
//! that the exit code is 1; what is one is [`Comparison`]'s to say.

use super::{Context, Outcome};
use crate::{
    cli::CompareArgs,
    report::{
        compare::{Aspect, Comparison, Difference, differences},
        compared,
        run::Run,
    },
};
use eyre::{WrapErr, bail};
use std::{fs::File, path::Path};

pub(super) fn run(args: CompareArgs, context: &Context) -> eyre::Result<Outcome> {
    let (base, new) = (read(&args.base)?, read(&args.new)?);
    let ignored: Vec<Aspect> = args.ignore.iter().copied().map(Aspect::from).collect();
    refuse(&differences(&base, &new), &ignored)?;
    for (path, run) in [(&args.base, &base), (&args.new, &new)] {
        if run.mismatches > 0 {
            eprintln!(
                "{}: {} rows did not match and have no times",
                path.display(),
                run.mismatches
            );
        }
    }
    let comparison = Comparison::new(&base, &new, args.by.into(), args.threshold / 100.0);
    if comparison.contenders.is_empty() {
        bail!("the two runs have no block and executor in common that could be compared");
    }
    compared::write(&comparison, context.stdout())?;
    Ok(if comparison.is_regression() { Outcome::Mismatch } else { Outcome::Verified })
}

fn read(path: &Path) -> eyre::Result<Run> {
    let file = File::open(path).wrap_err_with(|| format!("cannot open {}", path.display()))?;
    Run::read(file).wrap_err_with(|| format!("cannot read {}", path.display()))
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
