//! `blockrace cache check`: proves, executes and verifies cached blocks, with the checks that a fetched block passes.

use super::{
    Context, Found, Outcome, Source,
    checking::{CheckResult, CheckTotals, check_all},
};
use crate::{cli::CheckArgs, executor::ExecutorKind};

pub(super) fn run(args: CheckArgs, context: &Context) -> eyre::Result<Outcome> {
    let found = Found::new(args.blocks, context)?;
    let asked = found.ids.iter().map(|id| (id.number, Ok(Source::Cached(*id)))).collect();
    let checked = check_all(asked, ExecutorKind::SEQUENTIAL, args.side_by_side, context)?;
    Ok(print(&checked).and(found.report_missing()))
}

/// Prints one line for each failed block, and one with the totals.
fn print(checked: &[CheckResult]) -> Outcome {
    let mut tally = CheckTotals::new();
    checked.iter().for_each(|block| tally.add(block));
    println!("{}", tally.conclusion());
    tally.outcome
}
