//! `blockrace trace`: writes a timeline of an executor's threads over one block.
//!
//! The command profiles several runs and takes the one of median length. This run is verified, and it is not written
//! if it does not match. A profiled run takes longer than a sample, since each event costs some dozens of nanoseconds.

use super::{Context, Outcome, files::ResultFile, select};
use crate::{
    block::Confirmation,
    cli::{RulesArgs, TraceArgs},
    output::Stream,
    report::{
        counted,
        trace::{self, Subject, json::TraceSummary},
    },
    session::{BlockQuery, BlockSource, Profiled, machine, profile_block, provenance},
    verify::Verdict,
};
use eyre::{WrapErr, bail};
use std::num::NonZeroUsize;

pub(super) fn run(args: TraceArgs, context: &Context) -> eyre::Result<Outcome> {
    let file = ResultFile::open(&args.output)?;
    let json = args.json.as_deref().map(ResultFile::open).transpose()?;
    if json.as_ref().is_some_and(|json| json.is_same(&file)) {
        bail!("{} cannot hold two results; name two files", args.output.display());
    }
    let takes_stdout = |file: &ResultFile| file.text() == Stream::Stderr;
    let stream = match takes_stdout(&file) || json.as_ref().is_some_and(takes_stdout) {
        true => Stream::Stderr,
        false => Stream::Stdout,
    };
    let blocks = Some(args.block.clone());
    let chain_config = args.rules.chain_config.clone();
    let query = BlockQuery { blocks, chain: args.chain, chain_config, ..BlockQuery::default() };
    let words = query.arguments().join(" ");
    let source = only(query, &args.rules, context)?;
    let threads = args.threads.unwrap_or_else(machine::cores);
    let profiled = profile_block(source, args.executor, threads, args.limit.time().into())?;
    let names = profiled.job.indexed_state.names();
    let transactions = trace::transactions(&profiled.job, &profiled.outcome);
    let summary = summary(profiled, &args, threads, words);
    let title = title(&summary);
    if summary.verdict == Verdict::Match && !summary.trace.has_events() {
        bail!("{} reports no events, so it has no timeline", args.executor);
    }
    let kept = json.map_or(Ok(()), |file| file.write(|out| trace::json::write(&summary, out)));
    if let Verdict::Mismatch { .. } = &summary.verdict {
        stream.print(format_args!("{title}: {}", summary.verdict))?;
        return kept.map(|()| Outcome::Mismatch);
    }
    let subject = Subject { chain_id: summary.facts.chain_id, title, names, transactions };
    file.write(|out| trace::write(&summary.trace, &subject, out))?;
    let verified_to = summary.verified_to.name();
    let level = Confirmation::level(summary.facts.confirmed.as_ref());
    stream.print_text(format_args!(
        "{}: match, verified to {verified_to}, header {level}",
        subject.title
    ))?;
    stream.print_text(trace::summary(&summary.trace).join("\n"))?;
    stream.print_text(format_args!("open {} in https://ui.perfetto.dev", args.output.display()))?;
    kept?;
    Ok(Outcome::Verified)
}

fn title(summary: &TraceSummary) -> String {
    let threads = counted(summary.trace.threads.len(), "thread");
    format!("block {}, {} on {threads}", summary.facts.number, summary.executor)
}

/// The summary of a profiled run. `block` are the arguments that select the block.
fn summary(
    Profiled { facts, verified_to, trace, verdict, .. }: Profiled,
    args: &TraceArgs,
    threads: NonZeroUsize,
    block: String,
) -> TraceSummary {
    let executor = args.executor.to_string();
    let command = format!("blockrace trace {block} --executor {executor} --threads {threads}");
    TraceSummary {
        provenance: provenance(),
        command: format!("{command} --output {}", args.output.display()),
        facts,
        executor,
        threads,
        verdict,
        verified_to,
        trace,
    }
}

fn only(query: BlockQuery, rules: &RulesArgs, context: &Context) -> eyre::Result<BlockSource> {
    let mut selected = select(query, rules, context)?.blocks;
    match (selected.pop(), selected.is_empty()) {
        (Some((number, source)), true) => source.wrap_err_with(|| format!("block {number}")),
        (Some(_), false) => bail!("a trace needs exactly one block; name a single one"),
        (None, _) => bail!("no block given; name one"),
    }
}
