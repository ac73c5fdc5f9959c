//! `blockrace verify`: checks blocks without timing executors against each other.

use super::{
    Context, Outcome,
    cached::select,
    checking::{CheckResult, Checked, Times, check_all},
    machine,
};
use crate::{cli::VerifyArgs, verify::Verdict};

pub(super) fn run(args: VerifyArgs, context: &Context) -> eyre::Result<Outcome> {
    let selection = select(args.blocks, context)?;
    let jobs = args.jobs.unwrap_or_else(machine::cores);
    Ok(print(check_all(selection.blocks, args.executor, jobs, context)?))
}

/// Prints a line for each block and one for all, and what failed.
fn print(checked: Vec<CheckResult>) -> Outcome {
    let (mut outcome, mut total, mut matched) = (Outcome::Verified, Times::default(), 0);
    let count = checked.len();
    println!("{:>10}  {:<14} {:>5}  {}  verdict", "block", "fork", "txs", Times::heading());
    for (number, result) in checked {
        match result {
            Ok(Checked { fork, transactions, verdict, times }) => {
                println!("{number:>10}  {fork:<14} {transactions:>5}  {times}  {verdict}");
                total.add_all(&times);
                match verdict {
                    Verdict::Match => matched += 1,
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
    println!("{matched} of {count} blocks match their headers, up to the state root");
    outcome
}
