//! `blockrace cache check`: every block once more through all that a fetched block goes through.

use super::{
    Context, Found, Outcome, Source,
    checking::{CheckResult, Tally, check_all},
};
use crate::{cli::CheckArgs, executor::ExecutorKind};

pub(super) fn run(args: CheckArgs, context: &Context) -> eyre::Result<Outcome> {
    let found = Found::new(args.blocks, context)?;
    let asked = found.ids.iter().map(|id| (id.number, Ok(Source::Cached(*id)))).collect();
    let checked = check_all(asked, ExecutorKind::Sequential, args.side_by_side, context)?;
    Ok(print(&checked).and(found.report_missing()))
}

/// A line for each block that failed, and one for all.
fn print(checked: &[CheckResult]) -> Outcome {
    let mut tally = Tally::new();
    checked.iter().for_each(|block| tally.add(block));
    println!("{}", tally.conclusion());
    tally.outcome
}
