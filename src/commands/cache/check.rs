//! `blockrace cache check`: every block once more through all that a fetched block goes through.

use super::{
    Context, Found, Outcome, Source, blocks,
    checking::{CheckResult, Checked, check_all, depth},
};
use crate::{
    cli::CheckArgs,
    executor::ExecutorKind,
    verify::{Verdict, VerifiedTo},
};

pub(super) fn run(args: CheckArgs, context: &Context) -> eyre::Result<Outcome> {
    let found = Found::new(args.blocks, context)?;
    let asked = found.ids.iter().map(|id| (id.number, Ok(Source::Cached(*id)))).collect();
    let checked = check_all(asked, ExecutorKind::Sequential, args.side_by_side, context)?;
    Ok(print(checked).and(found.report_missing()))
}

/// A line for each block that failed, and one for all.
fn print(checked: Vec<CheckResult>) -> Outcome {
    let (count, mut outcome) = (checked.len(), Outcome::Verified);
    let (mut good, mut to_receipts) = (0, 0);
    for (number, result) in checked {
        match result {
            Ok(Checked { verdict: Verdict::Match, verified_to, .. }) => {
                good += 1;
                to_receipts += usize::from(verified_to == VerifiedTo::Receipts);
            }
            Ok(Checked { verdict: mismatch, .. }) => {
                eprintln!("error: block {number} does not match: {mismatch}");
                outcome = outcome.and(Outcome::Mismatch);
            }
            Err(error) => {
                eprintln!("error: block {number}: {error:#}");
                outcome = outcome.and(Outcome::Failed);
            }
        }
    }
    let depth = depth(good, to_receipts);
    println!("{good} of {} match their headers, {depth}", blocks(count));
    outcome
}
