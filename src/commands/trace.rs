//! `blockrace trace`: what every thread of an executor does with one block.
//!
//! Of several runs under watch the one of median length. It is verified like any other, and a wrong one is not
//! written. Its time is longer than a measured one, by what telling costs: some dozens of nanoseconds for each event.

use super::{
    Context, Outcome,
    cached::{Source, select},
    files::ResultFile,
    machine,
    watching::{Runs, watched},
};
use crate::{
    block::prepare,
    cli::{CachedBlocks, TraceArgs},
    executor::WorkerPool,
    measure::Readiness,
    report::{
        counted,
        trace::{self, Subject},
    },
    verify::{Verdict, VerifiedTo},
};
use eyre::{WrapErr, bail};
use std::num::NonZeroUsize;

/// Runs of which the one of median length is shown.
const RUNS: Runs =
    Runs { count: NonZeroUsize::new(9).expect("not zero"), readiness: Readiness::Awake };

pub(super) fn run(args: TraceArgs, context: &Context) -> eyre::Result<Outcome> {
    let file = ResultFile::open(&args.output)?;
    let source = only(CachedBlocks { blocks: Some(args.block), chain: args.chain }, context)?;
    let threads = args.threads.unwrap_or_else(machine::cores);
    let pool = WorkerPool::new(threads)?;
    let place = source.place(context);
    let recorded = source.load(context)?;
    let job = pool
        .install(|| prepare(recorded, |_| ()))
        .wrap_err_with(|| format!("{place} cannot be replayed"))?;
    let executor = args.executor.prepare(&job, threads)?;
    let (trace, verdict) = watched(&*executor, &job, &pool, RUNS)?;
    let title = format!(
        "block {}, {} on {}",
        job.header.number,
        args.executor,
        counted(trace.threads.len(), "thread")
    );
    let verified_to = VerifiedTo::of(&job).name();
    if let Verdict::Mismatch { .. } = &verdict {
        println!("{title}: {verdict}");
        return Ok(Outcome::Mismatch);
    }
    let subject = Subject { chain_id: job.chain.id(), title, names: job.numbered_state.names() };
    file.write(|out| trace::write(&trace, &subject, out))?;
    println!("{}: match, verified to {verified_to}", subject.title);
    println!("{}", trace::summary(&trace).join("\n"));
    println!("open {} in https://ui.perfetto.dev", args.output.display());
    Ok(Outcome::Verified)
}

fn only(blocks: CachedBlocks, context: &Context) -> eyre::Result<Source> {
    let mut selected = select(blocks, context)?.blocks;
    match (selected.pop(), selected.is_empty()) {
        (Some((number, source)), true) => source.wrap_err_with(|| format!("block {number}")),
        (Some(_), false) => bail!("a trace is of one block; name a single one"),
        (None, _) => bail!("no block is named; name one"),
    }
}
