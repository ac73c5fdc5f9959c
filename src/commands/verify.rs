//! `blockrace verify`: verifies blocks without a race.
//!
//! One executor executes each block once, on one thread. Several blocks run in parallel, so the printed times are no
//! measurement. They only show which phase takes long.

use super::{
    Context, Outcome,
    cached::select,
    checking::{CheckResult, CheckTotals, Checked, Times, check_all},
};
use crate::{
    cli::VerifyArgs,
    output::{OutputError, print},
    report::Detail,
};

pub(super) fn run(args: VerifyArgs, context: &Context) -> eyre::Result<Outcome> {
    let selection = select(args.blocks, context)?;
    let checked = check_all(selection.blocks, args.executor, args.side_by_side, context)?;
    let mut tally = CheckTotals::new();
    checked.iter().for_each(|block| tally.add(block));
    if context.detail() == Detail::Blocks {
        print_table(&checked)?;
    }
    print(tally.conclusion())?;
    Ok(tally.outcome)
}

/// Prints one line for each checked block, and one with the totals.
fn print_table(checked: &[CheckResult]) -> Result<(), OutputError> {
    let mut total = Times::default();
    let line = |block: &str, fork: &str, txs: &str| format!("{block:>10}  {fork:<14} {txs:>5}");
    let (heading, times) = (line("block", "fork", "txs"), Times::heading());
    print(format_args!("{heading}  {times}  {:<10}  verdict", "to"))?;
    for (number, result) in checked {
        let Ok(Checked { fork, transactions, verdict, verified_to, times }) = result else {
            continue;
        };
        let block = line(&number.to_string(), fork, &transactions.to_string());
        print(format_args!("{block}  {times}  {:<10}  {verdict}", verified_to.name()))?;
        total.add_all(times);
    }
    print(format_args!("{}  {total}", line("all", "", "")))
}
