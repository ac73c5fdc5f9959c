//! `blockrace trace`: writes a timeline of an executor's threads over one block.
//!
//! The command profiles several runs and takes the one of median length. This run is verified, and it is not written
//! if it does not match. A profiled run takes longer than a sample, since each event costs some dozens of nanoseconds.

use super::{Context, Outcome, files::ResultFile, select};
use crate::{
    cli::{RulesArgs, TraceArgs},
    report::{
        counted,
        trace::{self, Subject},
    },
    session::{BlockQuery, BlockSource, Profiled, machine, profile_block},
    verify::{Verdict, VerifiedTo},
};
use eyre::{WrapErr, bail};

pub(super) fn run(args: TraceArgs, context: &Context) -> eyre::Result<Outcome> {
    let file = ResultFile::open(&args.output)?;
    let query = BlockQuery { blocks: Some(args.block), chain: args.chain, shard: None };
    let source = only(query, &args.rules, context)?;
    let threads = args.threads.unwrap_or_else(machine::cores);
    let Profiled { job, trace, verdict } =
        profile_block(source, args.executor, threads, args.limit.time().into())?;
    let title = format!(
        "block {}, {} on {}",
        job.header.number,
        args.executor,
        counted(trace.threads.len(), "thread")
    );
    let verified_to = VerifiedTo::of(&job).name();
    if let Verdict::Mismatch { .. } = &verdict {
        file.text().print(format_args!("{title}: {verdict}"))?;
        return Ok(Outcome::Mismatch);
    }
    if !trace.has_events() {
        bail!("{} reports no events, so it has no timeline", args.executor);
    }
    let subject = Subject { chain_id: job.chain.id(), title, names: job.indexed_state.names() };
    let stream = file.text();
    file.write(|out| trace::write(&trace, &subject, out))?;
    stream.print_text(format_args!("{}: match, verified to {verified_to}", subject.title))?;
    stream.print_text(trace::summary(&trace).join("\n"))?;
    stream.print_text(format_args!("open {} in https://ui.perfetto.dev", args.output.display()))?;
    Ok(Outcome::Verified)
}

fn only(query: BlockQuery, rules: &RulesArgs, context: &Context) -> eyre::Result<BlockSource> {
    let mut selected = select(query, rules, context)?.blocks;
    match (selected.pop(), selected.is_empty()) {
        (Some((number, source)), true) => source.wrap_err_with(|| format!("block {number}")),
        (Some(_), false) => bail!("a trace needs exactly one block; name a single one"),
        (None, _) => bail!("no block given; name one"),
    }
}
