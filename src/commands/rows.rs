//! From finished races to rows of a report.

use crate::{
    block::ReplayJob,
    executor::ExecutionMode,
    measure::{
        Finish, Measured, Plan,
        sample::Sample,
        stats::{Speedup, StatsError, Summary, median},
    },
    report::{BlockFacts, Comparison, Figures, Mode, Row, Verdict},
    verify::VerifiedTo,
};
use std::time::Duration;

/// One row for each contestant, the baseline first.
///
/// # Errors
/// If the clock did not advance during a lap, so that there is no ratio.
pub(super) fn rows(job: &ReplayJob, plan: &Plan, race: &[Finish]) -> Result<Vec<Row>, StatsError> {
    let baseline = race.first().and_then(|finish| finish.result.as_ref().ok());
    race.iter().map(|finish| row(job, plan, finish, baseline)).collect()
}

fn row(
    job: &ReplayJob,
    plan: &Plan,
    finish: &Finish,
    baseline: Option<&Measured>,
) -> Result<Row, StatsError> {
    let (mode, verdict) = match &finish.result {
        Ok(measured) => {
            let comparison = compare(plan, finish, measured, baseline)?;
            (mode(measured.mode), Verdict::Match(figures(plan, measured, comparison)?))
        }
        Err(wrong) => (expected_mode(finish), Verdict::Mismatch(wrong.clone())),
    };
    Ok(Row {
        block: facts(job),
        executor: finish.contestant.executor.to_string(),
        threads: finish.contestant.threads,
        mode,
        iterations: plan.iterations.get(),
        verdict,
        verified_to: VerifiedTo::of(job),
    })
}

/// What the block's own data say of it.
pub(super) fn facts(job: &ReplayJob) -> BlockFacts {
    BlockFacts {
        chain_id: job.chain.id(),
        number: job.header.number,
        hash: job.hash,
        fork: job.fork().to_string(),
        transactions: job.transactions.len(),
        gas_used: job.header.gas_used,
    }
}

const fn mode(mode: ExecutionMode) -> Mode {
    match mode {
        ExecutionMode::Sequential => Mode::Sequential,
        ExecutionMode::Parallel => Mode::Parallel,
    }
}

/// The mode of a contestant that gave no outcome.
const fn expected_mode(finish: &Finish) -> Mode {
    if finish.contestant.executor.is_parallel() { Mode::Parallel } else { Mode::Sequential }
}

fn compare(
    plan: &Plan,
    finish: &Finish,
    measured: &Measured,
    baseline: Option<&Measured>,
) -> Result<Comparison, StatsError> {
    if !finish.contestant.executor.is_parallel() {
        return Ok(Comparison::Baseline);
    }
    let Some(baseline) = baseline else { return Ok(Comparison::NoBaseline) };
    let execute = |measured: &Measured| times(measured, |sample| Some(sample.execute));
    let total = |measured: &Measured| times(measured, Sample::total);
    let speedup = Speedup::paired(&execute(baseline), &execute(measured), plan.seed)?;
    let total_speedup = match (median(&total(baseline)), median(&total(measured))) {
        (Ok(baseline), Ok(contender)) => Some(baseline.div_duration_f64(contender)),
        _ => None,
    };
    Ok(Comparison::Against { speedup, total_speedup })
}

fn figures(
    plan: &Plan,
    measured: &Measured,
    comparison: Comparison,
) -> Result<Figures, StatsError> {
    let median_of = |time: fn(&Sample) -> Option<Duration>| median(&times(measured, time)).ok();
    let mut incarnations: Vec<_> = measured.stats.iter().map(|lap| lap.incarnations).collect();
    let mut wasted_gas: Vec<_> = measured.stats.iter().map(|lap| lap.wasted_gas).collect();
    let mut cross_shard: Vec<_> = measured.stats.iter().filter_map(|lap| lap.cross_shard).collect();
    Ok(Figures {
        execute: Summary::of(&times(measured, |sample| Some(sample.execute)), plan.seed)?,
        comparison,
        root_median: median_of(|sample| sample.root),
        total_median: median_of(Sample::total),
        bound_speedup: None,
        incarnations: upper_median(&mut incarnations),
        wasted_gas: upper_median(&mut wasted_gas),
        cross_shard: upper_median(&mut cross_shard),
        cpu_median: median_of(|sample| sample.cpu),
        samples: measured.samples.clone(),
    })
}

fn times(measured: &Measured, time: impl Fn(&Sample) -> Option<Duration>) -> Vec<Duration> {
    measured.samples.iter().filter_map(time).collect()
}

/// Of two middle counts the greater, since the mean of two counts need not be one.
fn upper_median(counts: &mut [u64]) -> Option<u64> {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied()
}
