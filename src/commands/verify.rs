//! `blockrace verify`: verifies blocks without a race.
//!
//! One executor executes each block once, on one thread. Several blocks run in parallel, so the printed times are no
//! measurement. They only show which phase takes long.

use super::{Context, Outcome, checking::CheckTotals, select};
use crate::{
    cli::VerifyArgs,
    output::{OutputError, print},
    progress::{Chatter, Progress},
    report::{Detail, counted},
    session::{CheckResult, Checked, StepTimes, check_all},
    units,
};
use std::collections::BTreeMap;

pub(super) fn run(args: VerifyArgs, context: &Context) -> eyre::Result<Outcome> {
    let selection = select(args.blocks, &args.rules, context)?;
    let progress = Progress::new(context.chatter, selection.blocks.len() as u64, "blocks");
    let checked =
        check_all(selection.blocks, &args.side_by_side.options(args.executor), &progress)?;
    progress.finish();
    let mut tally = CheckTotals::new();
    checked.iter().for_each(|block| tally.add(block));
    if context.detail() == Detail::Blocks {
        print_table(&checked)?;
    }
    if context.chatter == Chatter::Verbose {
        print_rules(&checked)?;
    }
    print(tally.conclusion())?;
    Ok(tally.outcome)
}

/// Prints one line for each checked block, and one with the totals.
fn print_table(checked: &[CheckResult]) -> Result<(), OutputError> {
    let mut total = StepTimes::default();
    let line = |block: &str, fork: &str, txs: &str| format!("{block:>10}  {fork:<14} {txs:>5}");
    let (heading, times) = (line("block", "fork", "txs"), headings());
    print(format_args!("{heading}  {times}  {:<10}  verdict", "to"))?;
    for (number, result) in checked {
        let Ok(Checked { fork, transactions, verdict, verified_to, times, .. }) = result else {
            continue;
        };
        let block = line(&number.to_string(), fork, &transactions.to_string());
        print(format_args!("{block}  {}  {:<10}  {verdict}", cells(times), verified_to.name()))?;
        total.add_all(times);
    }
    print(format_args!("{}  {}", line("all", "", ""), cells(&total)))
}

/// Prints the rules under which the blocks were executed.
fn print_rules(checked: &[CheckResult]) -> Result<(), OutputError> {
    let mut blocks = BTreeMap::new();
    for Checked { rules, .. } in checked.iter().filter_map(|(_, result)| result.as_ref().ok()) {
        *blocks.entry(rules).or_insert(0) += 1;
    }
    for ((chain, digest), count) in blocks {
        let digest = digest.map_or_else(String::new, |digest| digest.to_string());
        print(format_args!("rules of chain {chain}: {digest}, {}", counted(count, "block")))?;
    }
    Ok(())
}

fn headings() -> String {
    let columns = StepTimes::default();
    columns.steps().map(|(name, _)| format!("{name:>10}")).collect::<Vec<_>>().join(" ")
}

fn cells(times: &StepTimes) -> String {
    let cell = |(_, time)| format!("{:>10}", units::duration(time));
    times.steps().map(cell).collect::<Vec<_>>().join(" ")
}
