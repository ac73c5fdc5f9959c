//! `blockrace verify`: checks blocks without timing executors against each other.
//!
//! Blocks are worked on side by side, each on one thread, by one executor once. The times on a line are of that one
//! run with others beside it: they show which phase is long, and are no measurement.

use super::{
    Context, Outcome,
    cached::select,
    checking::{CheckResult, Checked, Times, check_all, depth},
};
use crate::{
    cli::VerifyArgs,
    verify::{Verdict, VerifiedTo},
};

pub(super) fn run(args: VerifyArgs, context: &Context) -> eyre::Result<Outcome> {
    let selection = select(args.blocks, context)?;
    Ok(print(check_all(selection.blocks, args.executor, args.side_by_side, context)?))
}

/// Prints a line for each block and one for all, and what failed.
fn print(checked: Vec<CheckResult>) -> Outcome {
    let (mut outcome, mut total) = (Outcome::Verified, Times::default());
    let (mut matched, mut to_receipts) = (0, 0);
    let count = checked.len();
    println!(
        "{:>10}  {:<14} {:>5}  {}  {:<10}  verdict",
        "block",
        "fork",
        "txs",
        Times::heading(),
        "to"
    );
    for (number, result) in checked {
        match result {
            Ok(Checked { fork, transactions, verdict, verified_to, times }) => {
                let to = verified_to.name();
                println!(
                    "{number:>10}  {fork:<14} {transactions:>5}  {times}  {to:<10}  {verdict}"
                );
                total.add_all(&times);
                match verdict {
                    Verdict::Match => {
                        matched += 1;
                        to_receipts += usize::from(verified_to == VerifiedTo::Receipts);
                    }
                    Verdict::Mismatch { .. } => outcome = outcome.and(Outcome::Mismatch),
                }
            }
            Err(error) => {
                eprintln!("error: block {number}: {error:#}");
                outcome = outcome.and(Outcome::Failed);
            }
        }
    }
    println!("{:>10}  {:<14} {:>5}  {total}", "all", "", "");
    println!("{matched} of {count} blocks match their headers, {}", depth(matched, to_receipts));
    outcome
}
