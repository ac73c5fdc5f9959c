//! `blockrace cache check`: proves, executes and verifies cached blocks, with the checks that a fetched block passes.

use super::{
    Context, Found, Outcome, Source,
    checking::{CheckResult, CheckTotals, check_all},
};
use crate::{cli::CheckArgs, executors::ExecutorKind, output::print};

pub(super) fn run(args: CheckArgs, context: &Context) -> eyre::Result<Outcome> {
    let found = Found::new(args.blocks, context)?;
    let asked = found.ids.iter().map(|id| (id.number, Ok(Source::Cached(*id)))).collect();
    let checked = check_all(asked, ExecutorKind::SEQUENTIAL, args.side_by_side, context)?;
    let totals = totals(&checked);
    let outcome = totals.outcome.and(found.report_missing());
    print(totals.conclusion())?;
    Ok(outcome)
}

/// Counts the results. Prints one line for each failed block.
fn totals(checked: &[CheckResult]) -> CheckTotals {
    let mut totals = CheckTotals::new();
    checked.iter().for_each(|block| totals.add(block));
    totals
}
