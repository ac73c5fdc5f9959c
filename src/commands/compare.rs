//! `blockrace compare`: compares two runs and reports regressions.
//!
//! Each side is one or several files of `replay --json`. The command prints every difference in machine, settings
//! or blocks on standard error. It refuses the runs unless `--ignore` names these differences. [`Comparison`] gives one
//! of three answers: regressed, not regressed, cannot tell. Each has an exit code, which `--exit-code` changes.

use super::{Context, Outcome, baseline, files::ResultFiles};
use crate::{
    cli::CompareArgs,
    input,
    output::diagnose,
    report::{
        compare::{Answer, Aspect, Comparison, Difference, differences},
        compared::{self, json::Compared},
        run::Run,
    },
    session::provenance,
};
use eyre::{WrapErr, bail, ensure, eyre};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub(super) fn run(args: CompareArgs, context: &Context) -> eyre::Result<Outcome> {
    let files = result_files(&args)?;
    let (base_files, new_files) = sides(&args, context)?;
    refuse_repeated(base_files.iter().chain(&new_files))?;
    let ignored: Vec<Aspect> = args.ignore.iter().copied().map(Aspect::from).collect();
    let (base, new) = (read_all(&base_files, &ignored)?, read_all(&new_files, &ignored)?);
    refuse(&differences(&base, &new), &ignored)?;
    let mut comparison = Comparison::new(&base, &new, args.by.into(), args.threshold / 100.0);
    if ignored.contains(&Aspect::Settings) {
        comparison.accept_other_contenders(&new);
    }
    if comparison.contenders.is_empty() && new.mismatches == 0 {
        bail!("the runs share no block and executor with times, so there is nothing to compare");
    }
    let stream = files.text();
    let compared = Compared { provenance: provenance(), comparison };
    let kept = files.write(&compared);
    let comparison = compared.comparison;
    compared::write(&comparison, context.layout(), context.table(stream))?;
    kept?;
    Ok(outcome(&comparison, &args.exit_code))
}

fn result_files(args: &CompareArgs) -> eyre::Result<ResultFiles<Compared>> {
    let mut files = ResultFiles::default();
    files.add(args.json.as_deref(), compared::json::write)?;
    files.add(args.html.as_deref(), |all: &Compared, out| {
        compared::html::write(&all.comparison, out)
    })?;
    files.add(args.markdown.as_deref(), |all: &Compared, out| {
        compared::markdown::write(&all.comparison, out)
    })?;
    Ok(files)
}

/// Files of the base side and of the new side.
fn sides(args: &CompareArgs, context: &Context) -> eyre::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let first = args.first.0.clone();
    match (&args.baseline, &args.second) {
        (Some(name), _) => Ok((vec![baseline::find(name, context)?], first)),
        (None, Some(second)) => Ok((first, second.0.clone())),
        (None, None) => bail!("name the results of the new run, or the base run with --baseline"),
    }
}

/// A wrong row of the new run leads to exit code 1, whatever the answer is.
fn outcome(comparison: &Comparison, chosen: &[(Answer, u8)]) -> Outcome {
    let answer = comparison.answer();
    let chosen = chosen.iter().rev().find(|(of, _)| *of == answer);
    match (answer, chosen) {
        _ if comparison.mismatches > 0 => Outcome::Mismatch,
        (_, Some((_, code))) => Outcome::Chosen(*code),
        (Answer::Regressed, None) => Outcome::Mismatch,
        (Answer::NotRegressed, None) => Outcome::Verified,
        (Answer::CannotTell, None) => Outcome::Failed,
    }
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
