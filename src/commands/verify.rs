//! `blockrace verify`: verifies blocks without a race.
//!
//! One executor executes each block once, on one thread. Several blocks run in parallel, so the printed times are no
//! measurement. They only show which phase takes long.

use super::{
    Context, Outcome,
    checking::CheckTotals,
    files::ResultFiles,
    interrupt,
    kept::{self, Kept},
    select,
};
use crate::{
    block::Confirmation,
    cli::VerifyArgs,
    output::{OutputError, Stream, width},
    progress::{Chatter, Progress},
    report::{
        Detail, Failure, counted,
        grid::{self, Column},
        tables::TableSet,
        verification::{self, VerificationReport, VerificationSettings, VerifiedBlock},
    },
    session::{BlockQuery, CheckOptions, CheckResult, Checked, StepTimes, check_all, provenance},
    units,
};
use comfy_table::CellAlignment::{Left, Right};
use eyre::WrapErr as _;
use std::collections::BTreeMap;

pub(super) fn run(args: VerifyArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.json.as_deref(), verification::write)?;
    let interruption = interrupt::watch().wrap_err("cannot watch for signals")?;
    let mut options = args.side_by_side.options(args.executor);
    options.execution_limit = interruption.limit(args.side_by_side.limit);
    let mut selection = select(args.blocks, &args.rules, context)?;
    let settings = settings(&options, &selection.query, &selection.named);
    let set = TableSet::Verdicts;
    let of_check = kept::of_check(&options);
    let (mut kept, earlier) =
        Kept::open(args.output.as_deref(), set, of_check, None, &mut selection)?;
    let asked = selection.blocks.len();
    let progress = Progress::new(context.chatter, asked as u64, "blocks");
    let checked = check_all(selection.blocks, &options, &progress, &mut |(_, result)| {
        result.as_ref().map_or(Ok(()), |checked| kept.verdict(|| verified(checked)))
    })?;
    progress.finish();
    interruption.results_are_written.raise();
    let left = asked - checked.len();
    let mut tally = CheckTotals::new();
    checked.iter().for_each(|block| tally.add(block));
    let stream = files.text();
    let written = if left == 0 { files.write(&report(settings, &checked)) } else { Ok(()) };
    if context.detail() != Detail::Totals {
        print_table(&checked, stream)?;
    }
    if context.chatter == Chatter::Verbose {
        print_rules(&checked, stream)?;
    }
    stream.print_text(tally.conclusion())?;
    kept.finish();
    written?;
    Ok(tally.outcome.and(earlier).and(interruption.ended(left)))
}

fn settings(options: &CheckOptions, query: &BlockQuery, named: &str) -> VerificationSettings {
    let executor = options.executor.to_string();
    let words = query.arguments().into_iter().chain([format!("--executor {executor}")]);
    let words = ["blockrace verify".to_owned()].into_iter().chain(words);
    VerificationSettings {
        command: words.collect::<Vec<_>>().join(" "),
        executor,
        jobs: options.jobs,
        blocks: named.to_owned(),
    }
}

fn report(settings: VerificationSettings, checked: &[CheckResult]) -> VerificationReport {
    let (mut blocks, mut failures) = (Vec::new(), Vec::new());
    for (number, result) in checked {
        match result {
            Ok(checked) => blocks.push(verified(checked)),
            Err(error) => failures.push(Failure { block: *number, what: format!("{error:#}") }),
        }
    }
    VerificationReport { provenance: provenance(), settings, blocks, failures }
}

/// A checked block for a report.
fn verified(checked: &Checked) -> VerifiedBlock {
    let Checked { facts, rules, verdict, verified_to, times, .. } = checked;
    VerifiedBlock {
        facts: facts.clone(),
        rules: *rules,
        verdict: verdict.clone(),
        verified_to: *verified_to,
        times: times.steps().collect(),
    }
}

/// Titles of the table around the times of the steps.
const FACTS: [Column; 3] = [("block", Right), ("fork", Left), ("txs", Right)];
const RESULT: [Column; 3] = [("to", Left), ("header", Left), ("verdict", Left)];

/// Columns that may be left out, the least important first: the steps of the check, then the size and the fork.
const DROPPED: [usize; 9] = [9, 3, 4, 5, 6, 2, 8, 7, 1];

/// Prints one line for each checked block, and one with the totals.
fn print_table(checked: &[CheckResult], stream: Stream) -> Result<(), OutputError> {
    let mut total = StepTimes::default();
    let steps: Vec<_> = total.steps().map(|(name, _)| (name, Right)).collect();
    let columns = [&FACTS[..], &steps, &RESULT].concat();
    let mut rows = Vec::new();
    for (number, result) in checked {
        let Ok(Checked { facts, verdict, verified_to, times, .. }) = result else {
            continue;
        };
        let level = Confirmation::level(facts.confirmed.as_ref()).to_owned();
        let facts = [number.to_string(), facts.fork.clone(), facts.transactions.to_string()];
        let result = [verified_to.name().to_owned(), level, verdict.to_string()];
        rows.push([&facts[..], &cells(times), &result].concat());
        total.add_all(times);
    }
    rows.push([&["all", "", ""].map(str::to_owned)[..], &cells(&total)].concat());
    stream.print_text(grid::lines(&columns, &rows, &DROPPED, width()).join("\n"))
}

/// Prints the rules under which the blocks were executed.
fn print_rules(checked: &[CheckResult], stream: Stream) -> Result<(), OutputError> {
    let mut blocks = BTreeMap::new();
    let executed = checked.iter().filter_map(|(_, result)| result.as_ref().ok());
    for Checked { facts, rules, .. } in executed {
        *blocks.entry((facts.chain_id, rules)).or_insert(0) += 1;
    }
    for ((chain, digest), count) in blocks {
        let digest = digest.map_or_else(String::new, |digest| digest.to_string());
        stream.print_text(format_args!(
            "rules of chain {chain}: {digest}, {}",
            counted(count, "block")
        ))?;
    }
    Ok(())
}

fn cells(times: &StepTimes) -> Vec<String> {
    times.steps().map(|(_, time)| units::duration(time)).collect()
}
