//! `blockrace verify`: verifies blocks without a race.
//!
//! One executor executes each block once, on one thread. Several blocks run in parallel, so the printed times are no
//! measurement. They only show which phase takes long.

use super::{Context, Outcome, checking::CheckTotals, files::ResultFiles, select};
use crate::{
    cli::VerifyArgs,
    output::{OutputError, Stream},
    progress::{Chatter, Progress},
    report::{
        Detail, Failure, counted,
        verification::{self, VerificationReport, VerificationSettings, VerifiedBlock},
    },
    session::{BlockQuery, CheckOptions, CheckResult, Checked, StepTimes, check_all, provenance},
    units,
};
use std::collections::BTreeMap;

pub(super) fn run(args: VerifyArgs, context: &Context) -> eyre::Result<Outcome> {
    let mut files = ResultFiles::default();
    files.add(args.json.as_deref(), verification::write)?;
    let options = args.side_by_side.options(args.executor);
    let selection = select(args.blocks, &args.rules, context)?;
    let settings = settings(&options, &selection.query, &selection.named);
    let progress = Progress::new(context.chatter, selection.blocks.len() as u64, "blocks");
    let checked = check_all(selection.blocks, &options, &progress)?;
    progress.finish();
    let mut tally = CheckTotals::new();
    checked.iter().for_each(|block| tally.add(block));
    let stream = files.text();
    let kept = files.write(&report(settings, &checked));
    if context.detail() == Detail::Blocks {
        print_table(&checked, stream)?;
    }
    if context.chatter == Chatter::Verbose {
        print_rules(&checked, stream)?;
    }
    stream.print(tally.conclusion())?;
    kept?;
    Ok(tally.outcome)
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
            Ok(Checked { facts, rules, verdict, verified_to, times }) => {
                blocks.push(VerifiedBlock {
                    facts: facts.clone(),
                    rules: *rules,
                    verdict: verdict.clone(),
                    verified_to: *verified_to,
                    times: times.steps().collect(),
                })
            }
            Err(error) => failures.push(Failure { block: *number, what: format!("{error:#}") }),
        }
    }
    VerificationReport { provenance: provenance(), settings, blocks, failures }
}

/// Prints one line for each checked block, and one with the totals.
fn print_table(checked: &[CheckResult], stream: Stream) -> Result<(), OutputError> {
    let mut total = StepTimes::default();
    let line = |block: &str, fork: &str, txs: &str| format!("{block:>10}  {fork:<14} {txs:>5}");
    let (heading, times) = (line("block", "fork", "txs"), headings());
    stream.print(format_args!("{heading}  {times}  {:<10}  verdict", "to"))?;
    for (number, result) in checked {
        let Ok(Checked { facts, verdict, verified_to, times, .. }) = result else {
            continue;
        };
        let block = line(&number.to_string(), &facts.fork, &facts.transactions.to_string());
        stream.print(format_args!(
            "{block}  {}  {:<10}  {verdict}",
            cells(times),
            verified_to.name()
        ))?;
        total.add_all(times);
    }
    stream.print(format_args!("{}  {}", line("all", "", ""), cells(&total)))
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
        stream
            .print(format_args!("rules of chain {chain}: {digest}, {}", counted(count, "block")))?;
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
