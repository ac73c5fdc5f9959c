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
    cli::VerifyArgs,
    output::{OutputError, Stream, width},
    progress::{Chatter, Progress},
    report::{
        Detail, counted,
        tables::TableSet,
        verdict_table::{self, VerdictLine},
        verification::{
            self, BlockRecord, VerificationReport, VerificationSettings, VerifiedBlock,
        },
    },
    session::{BlockQuery, CheckOptions, CheckResult, Checked, check_all, failure, provenance},
};
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
    let uploaded = kept.upload();
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
    written.and(uploaded)?;
    Ok(tally.outcome.and(earlier).and(interruption.ended(left)))
}

fn settings(options: &CheckOptions, query: &BlockQuery, named: &str) -> VerificationSettings {
    let executor = options.executor.to_string();
    let words = query.arguments().into_iter().chain([format!("--executor {executor}")]);
    let words = ["blockrace verify".to_owned()].into_iter().chain(words);
    VerificationSettings {
        command: words.collect::<Vec<_>>().join(" "),
        executor,
        jobs: Some(options.jobs),
        blocks: named.to_owned(),
    }
}

fn report(settings: VerificationSettings, checked: &[CheckResult]) -> VerificationReport {
    let (mut blocks, mut failures) = (Vec::new(), Vec::new());
    for (number, result) in checked {
        match result {
            Ok(checked) => blocks.push(BlockRecord::new(&verified(checked))),
            Err(error) => failures.push(failure(*number, error)),
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

/// Prints one line for each checked block, and one with the totals. Prints nothing if no block was checked.
fn print_table(checked: &[CheckResult], stream: Stream) -> Result<(), OutputError> {
    let blocks = checked.iter().filter_map(|(_, result)| result.as_ref().ok());
    let lines: Vec<_> = blocks.map(|block| VerdictLine::new(&verified(block))).collect();
    if lines.is_empty() {
        return Ok(());
    }
    stream.print_text(verdict_table::lines(&lines, width()).join("\n"))
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
