//! `blockrace trace`: writes a timeline of an executor's threads over one block.
//!
//! The command profiles several runs and takes the one of median length. This run is verified, and it is not written
//! if it does not match. A profiled run takes longer than a sample, since each event costs some dozens of nanoseconds.

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
    measure::Readiness,
    report::{
        counted,
        trace::{self, Subject},
    },
    threads::Watchdog,
    verify::{Verdict, VerifiedTo},
};
use eyre::{WrapErr, bail};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

/// Number of profiled runs, and the state of the workers before each.
const RUNS: Runs =
    Runs { count: NonZeroUsize::new(9).expect("not zero"), readiness: Readiness::Awake };

/// All runs together exceed this only if the executor hangs.
const LIMIT: Duration = Duration::from_secs(300);

pub(super) fn run(args: TraceArgs, context: &Context) -> eyre::Result<Outcome> {
    let file = ResultFile::open(&args.output)?;
    let source = only(CachedBlocks { blocks: Some(args.block), chain: args.chain }, context)?;
    let threads = args.threads.unwrap_or_else(machine::cores);
    let mut watchdog = Watchdog::new(threads, LIMIT)?;
    let place = source.place(context);
    let recorded = source.load(context)?;
    let prepared = watchdog.run(|pool| pool.install(|| prepare(recorded, |_| ())))?;
    let job = Arc::new(prepared.wrap_err_with(|| format!("{place} cannot be replayed"))?);
    let (kind, shared) = (args.executor, job.clone());
    let (trace, verdict) = watchdog.run(move |pool| {
        let executor = kind.prepare(&shared, pool.threads())?;
        watched(kind, &*executor, &shared, pool, RUNS)
    })??;
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
    stream.print(format_args!("{}: match, verified to {verified_to}", subject.title))?;
    stream.print(trace::summary(&trace).join("\n"))?;
    stream.print(format_args!("open {} in https://ui.perfetto.dev", args.output.display()))?;
    Ok(Outcome::Verified)
}

fn only(blocks: CachedBlocks, context: &Context) -> eyre::Result<Source> {
    let mut selected = select(blocks, context)?.blocks;
    match (selected.pop(), selected.is_empty()) {
        (Some((number, source)), true) => source.wrap_err_with(|| format!("block {number}")),
        (Some(_), false) => bail!("a trace needs exactly one block; name a single one"),
        (None, _) => bail!("no block given; name one"),
    }
}
