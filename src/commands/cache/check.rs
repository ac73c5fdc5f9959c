//! `blockrace cache check`: every block once more through all that a fetched block goes through.

use super::{
    Context, Found, Outcome, Source, blocks,
    checking::{CheckResult, check_all},
};
use crate::{cli::CheckArgs, executor::ExecutorKind, verify::Verdict};

pub(super) fn run(args: CheckArgs, context: &Context) -> eyre::Result<Outcome> {
    let found = Found::new(args.blocks, context)?;
    let asked = found.ids.iter().map(|id| (id.number, Ok(Source::Cached(*id)))).collect();
    let checked = check_all(asked, ExecutorKind::Sequential, args.side_by_side, context)?;
    Ok(print(checked).and(found.report_missing()))
}

/// A line for each block that failed, and one for all.
fn print(checked: Vec<CheckResult>) -> Outcome {
    let (count, mut outcome, mut good) = (checked.len(), Outcome::Verified, 0);
    for (number, result) in checked {
        match result.map(|checked| checked.verdict) {
            Ok(Verdict::Match) => good += 1,
            Ok(mismatch @ Verdict::Mismatch { .. }) => {
                eprintln!("error: block {number} does not match: {mismatch}");
                outcome = outcome.and(Outcome::Mismatch);
            }
            Err(error) => {
                eprintln!("error: block {number}: {error:#}");
                outcome = outcome.and(Outcome::Failed);
            }
        }
    }
    println!("{good} of {} match their headers, up to the state root", blocks(count));
    outcome
}
