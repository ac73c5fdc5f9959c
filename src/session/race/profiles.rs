//! Profiles the executors after a block's iterations, for the bottlenecks and the schedules of the reports.
//!
//! The profiled runs are no samples, so the overhead of profiling does not affect the speedups.

use super::charts::Charts;
use crate::{
    block::ReplayJob,
    execution::observe::Activity,
    insight::{Counted, Study, Trace},
    measure::{Contender, Race, Runner},
    report::{
        ProfiledRun, counted,
        picture::{Schedule, Span, SpanKind},
    },
    session::{
        machine,
        profile::{Runs, profile},
    },
    threads::WorkerPool,
    verify::Verdict,
};
use eyre::bail;
use std::{num::NonZeroUsize, sync::Arc};

/// Number of profiled runs. The run of median length is reported.
const COUNT: NonZeroUsize = NonZeroUsize::new(3).expect("not zero");

/// Profiles of one block.
#[derive(Default)]
pub(super) struct Profiles {
    pub(super) profiled: Vec<ProfiledRun>,
    /// Schedules for the charts; empty if no report draws them.
    pub(super) schedules: Vec<Schedule>,
}

/// Profiles every parallel executor without a mismatch, on the largest thread count that does not exceed the cores.
/// With more threads, some workers sleep on purpose, and the profile would show this as lost time.
///
/// If a profiled run fails or does not match, the executor's result in `race` becomes an error. The results of other
/// executors stay.
pub(super) fn profile_all(
    job: &Arc<ReplayJob>,
    study: &Study,
    race: &mut Race,
    runner: &mut Runner,
    charts: Charts,
) -> Profiles {
    let parallel: Vec<_> =
        race.results.iter_mut().filter(|finish| finish.contender.executor.is_parallel()).collect();
    let all = parallel.iter().map(|finish| finish.contender.threads);
    let runs = Runs { count: COUNT, readiness: runner.plan().rounds.readiness };
    let has_cores = |threads: &NonZeroUsize| *threads <= machine::cores();
    let most = all.clone().filter(has_cores).max().or_else(|| all.min());
    let mut profiles = Profiles::default();
    for finish in parallel.into_iter().filter(|finish| finish.result.is_ok()) {
        let threads = finish.contender.threads;
        if Some(threads) != most {
            continue;
        }
        match profile_one(finish.contender, job, runner, runs) {
            // An executor from outside need not report events.
            Ok(trace) if !trace.has_events() => {}
            Ok(trace) => {
                profiles.profiled.push(row(finish.contender, job, study, &trace));
                if charts == Charts::Drawn {
                    profiles.schedules.push(schedule(finish.contender, &trace));
                }
            }
            Err(error) => finish.result = Err(format!("in a profiled run: {error:#}")),
        }
    }
    profiles
}

fn profile_one(
    Contender { executor, threads }: Contender,
    job: &Arc<ReplayJob>,
    runner: &mut Runner,
    runs: Runs,
) -> eyre::Result<Trace> {
    let job = job.clone();
    let run = move |pool: &WorkerPool| {
        let contender = executor.contender(&job, pool.threads())?;
        profile(executor, &*contender, &job, pool, runs)
    };
    match runner.run_on(threads, run)?? {
        (trace, Verdict::Match) => Ok(trace),
        (_, mismatch @ Verdict::Mismatch { .. }) => bail!("{mismatch}"),
    }
}

fn row(
    Contender { executor, threads }: Contender,
    job: &ReplayJob,
    study: &Study,
    trace: &Trace,
) -> ProfiledRun {
    ProfiledRun {
        chain_id: job.chain.id(),
        number: job.header.number,
        hash: job.hash,
        executor: executor.to_string(),
        threads,
        total: trace.total,
        // The transactions' times do not include the latency of state.
        alone: job.state_latency.is_zero().then(|| study.times.alone()),
        spent: trace.spent(),
        latency: trace.latency(),
    }
}

fn schedule(Contender { executor, threads }: Contender, trace: &Trace) -> Schedule {
    let executions = trace.executions().map(|(thread, _, span, counted)| {
        let kind = match counted {
            Counted::Yes => SpanKind::Counted,
            Counted::No => SpanKind::ThrownAway,
        };
        Span { thread, start: span.from, length: span.length(), kind }
    });
    let spans = trace.threads.iter().enumerate();
    let spans = spans.flat_map(|(thread, spans)| spans.iter().map(move |span| (thread, span)));
    let others = spans.filter_map(|(thread, span)| {
        let kind = kind_of(span.activity)?;
        Some(Span { thread, start: span.from, length: span.length(), kind })
    });
    let mut spans: Vec<_> = executions.chain(others).collect();
    spans.sort_by_key(|span| (span.thread, span.start));
    let title = format!("{executor} on {}", counted(threads.get(), "thread"));
    Schedule { title, threads, total: trace.total, spans }
}

/// The kind of a span, other than an execution. `None` for spans that are not drawn here.
const fn kind_of(activity: Activity) -> Option<SpanKind> {
    match activity {
        Activity::WarmUp { .. } => Some(SpanKind::ThrownAway),
        Activity::Wait { .. } => Some(SpanKind::Waiting),
        Activity::Before | Activity::Check { .. } | Activity::Commit { .. } | Activity::After => {
            Some(SpanKind::Other)
        }
        Activity::Execute { .. } | Activity::Search | Activity::Absent => None,
    }
}
