//! `blockrace cache check`: proves, executes and verifies cached blocks, with the checks that a fetched block passes.

use super::{Context, Outcome, checking::CheckTotals, report_missing, rules};
use crate::{
    cli::CheckArgs,
    executors::ExecutorKind,
    output::print_text,
    progress::Progress,
    session::{BlockSource, CachedSelection, CheckOptions, CheckResult, check_all},
};

pub(super) fn run(args: CheckArgs, context: &Context) -> eyre::Result<Outcome> {
    let found = CachedSelection::new(args.blocks.into(), &context.cache)?;
    let source = |id| {
        let cached = BlockSource::Cached(context.cache.clone(), id);
        cached.confirmed(found.confirmed.get(&id))
    };
    let selected = found.ids.iter().map(|id| (id.number, Ok(source(*id)))).collect();
    let selected = rules::replace(selected, &args.rules)?;
    let progress = Progress::new(context.chatter, found.ids.len() as u64, "blocks");
    let options = CheckOptions {
        counts_unneeded: true,
        ..args.side_by_side.options(ExecutorKind::SEQUENTIAL)
    };
    let checked = check_all(selected, &options, &progress, &mut |_| Ok(()))?;
    progress.finish();
    let totals = totals(&checked);
    let outcome = totals.outcome.and(report_missing(&found));
    print_text(totals.conclusion())?;
    if let Some(unneeded) = totals.unneeded() {
        print_text(unneeded)?;
    }
    Ok(outcome)
}

/// Counts the results. Prints one line for each failed block.
fn totals(checked: &[CheckResult]) -> CheckTotals {
    let mut totals = CheckTotals::new();
    checked.iter().for_each(|block| totals.add(block));
    totals
}
