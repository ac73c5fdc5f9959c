//! Converts a finished race to rows of a report.

use crate::{
    block::{Confirmation, ReplayJob},
    execution::ExecutionMode,
    insight::Study,
    measure::{
        Contender, ContenderResult, Measured, Race,
        sample::{Counts, Sample},
        spread,
        stats::{Speedup, StatsError, Summary, median},
    },
    report::{BlockFacts, Comparison, Figures, Mode, Row, SelfCheckRow, Verdict},
    verify::VerifiedTo,
};
use std::{num::NonZeroUsize, time::Duration};

/// A raced block, and the inputs of its rows.
pub(super) struct Block<'a> {
    pub(super) job: &'a ReplayJob,
    pub(super) race: &'a Race,
    /// Measured transactions, from which the bounds are computed.
    pub(super) study: &'a Study,
    /// Seed of the bootstrap.
    pub(super) seed: u64,
    /// Source that confirms the header.
    pub(super) confirmed: Option<Confirmation>,
}

impl Block<'_> {
    /// One row for each contender, the baseline first.
    ///
    /// # Errors
    /// If the clock did not advance during a sample, so that no ratio exists.
    pub(super) fn rows(&self) -> Result<Vec<Row>, StatsError> {
        self.race.results.iter().map(|finish| self.row(finish)).collect()
    }

    /// The A/A runs of the baseline. Runs that do not match are omitted.
    ///
    /// # Errors
    /// As [`Block::rows`].
    pub(super) fn self_checks(&self) -> Result<Vec<SelfCheckRow>, StatsError> {
        let Some(baseline) = self.baseline() else { return Ok(vec![]) };
        let right = |finish: &ContenderResult| {
            let measured = finish.result.as_ref().ok()?;
            Some((finish.contender.threads, execute(measured)))
        };
        let BlockFacts { chain_id, number, hash, .. } = facts(self.job, None);
        let row = |(threads, laps): (_, Vec<_>)| {
            let ratio = Speedup::paired(&execute(baseline), &laps, self.seed)?;
            Ok(SelfCheckRow { chain_id, number, hash, threads, ratio, laps })
        };
        self.race.self_checks.iter().filter_map(right).map(row).collect()
    }

    fn baseline(&self) -> Option<&Measured> {
        self.race.results.first().and_then(|finish| finish.result.as_ref().ok())
    }

    fn row(&self, finish: &ContenderResult) -> Result<Row, StatsError> {
        let (mode, verdict) = match &finish.result {
            Ok(measured) => {
                let comparison = self.compare(finish, measured)?;
                let mut figures = figures(measured, comparison, self.seed)?;
                let Contender { executor, threads } = finish.contender;
                // The bounds do not model the latency of state, which can overlap freely.
                let knows_all = self.job.state_latency.is_zero();
                let bound = || self.study.bound(executor, threads, self.race.baseline);
                figures.bound_speedup = knows_all.then(bound).flatten();
                figures.total_bound = self.total_bound(figures.bound_speedup, threads);
                figures.total_speedup_in_turn = self.total_speedup_in_turn(measured);
                (mode(measured.mode), Verdict::Match(figures))
            }
            Err(wrong) => (expected_mode(finish), Verdict::Mismatch(wrong.clone())),
        };
        Ok(Row {
            block: facts(self.job, self.confirmed.clone()),
            executor: finish.contender.executor.to_string(),
            threads: finish.contender.threads,
            schedule: finish.contender.executor.schedule(),
            mode,
            iterations: self.race.rounds,
            verdict,
            verified_to: VerifiedTo::of(self.job),
        })
    }

    /// Bound of the whole block, given the bound of its execution.
    fn total_bound(&self, bound: Option<f64>, threads: NonZeroUsize) -> Option<f64> {
        let baseline = self.baseline()?;
        let [execute, root] = [execute(baseline), times(baseline, |sample| sample.root)]
            .map(|times| median(&times).ok().map(|time| time.as_secs_f64()));
        total_bound([execute?, root?], bound?, threads)
    }

    /// Speedup of execution and root one after the other; `None` unless the executor has them at the same time.
    fn total_speedup_in_turn(&self, measured: &Measured) -> Option<f64> {
        let is_beside = measured.samples.iter().any(|sample| sample.whole.is_some());
        let [base, own] =
            [self.baseline()?, measured].map(|measured| times(measured, Sample::in_turn));
        let speedup = is_beside.then(|| Speedup::paired(&base, &own, self.seed));
        speedup?.ok().map(|speedup| speedup.ratio)
    }

    fn compare(
        &self,
        finish: &ContenderResult,
        measured: &Measured,
    ) -> Result<Comparison, StatsError> {
        if self.race.baseline == finish.contender.executor {
            return Ok(Comparison::Baseline);
        }
        let Some(baseline) = self.baseline() else { return Ok(Comparison::NoBaseline) };
        let speedup = Speedup::paired(&execute(baseline), &execute(measured), self.seed)?;
        let total = |measured: &Measured| times(measured, Sample::total);
        // Without state roots, no iteration has a total.
        let total_speedup = Speedup::paired(&total(baseline), &total(measured), self.seed).ok();
        Ok(Comparison::Against { speedup, total_speedup: total_speedup.map(|total| total.ratio) })
    }
}

/// Whole time of one thread / the shortest possible time: no thread can do more than its share of the whole work, and
/// execution cannot take less than its bound allows.
fn total_bound([execute, root]: [f64; 2], bound: f64, threads: NonZeroUsize) -> Option<f64> {
    let whole = execute + root;
    let least = f64::max(whole / threads.get() as f64, execute / bound);
    (least > 0.0).then(|| whole / least)
}

fn execute(measured: &Measured) -> Vec<Duration> {
    times(measured, |sample| Some(sample.execute))
}

/// The facts of a block from its own data, and the source that confirms its header.
pub(crate) fn facts(job: &ReplayJob, confirmed: Option<Confirmation>) -> BlockFacts {
    BlockFacts {
        chain_id: job.chain.id(),
        number: job.header.number,
        hash: job.hash,
        fork: job.fork().to_string(),
        transactions: job.transactions.len(),
        gas_used: job.header.gas_used,
        gas_limit: job.header.gas_limit,
        timestamp: job.header.timestamp,
        confirmed,
    }
}

fn mode(mode: ExecutionMode) -> Mode {
    match mode {
        ExecutionMode::FellBack(why) => Mode::FellBack(why.to_owned()),
        ExecutionMode::Sequential => Mode::Sequential,
        ExecutionMode::Parallel => Mode::Parallel,
    }
}

/// The mode of a contender without an outcome.
fn expected_mode(finish: &ContenderResult) -> Mode {
    if finish.contender.executor.is_parallel() { Mode::Parallel } else { Mode::Sequential }
}

fn figures(measured: &Measured, comparison: Comparison, seed: u64) -> Result<Figures, StatsError> {
    let median_of = |time: fn(&Sample) -> Option<Duration>| median(&times(measured, time)).ok();
    let mut incarnations: Vec<_> = measured.stats.iter().map(|lap| lap.incarnations).collect();
    let mut wasted_gas: Vec<_> = measured.stats.iter().map(|lap| lap.wasted_gas).collect();
    let early = measured.stats.iter().filter_map(|lap| lap.early_root);
    let (mut early_slots, mut early_again): (Vec<_>, Vec<_>) =
        early.map(|early| (early.slots as u64, early.again as u64)).unzip();
    let mut cross_shard: Vec<_> = measured.stats.iter().filter_map(|lap| lap.cross_shard).collect();
    Ok(Figures {
        execute: Summary::of(&execute(measured), seed)?,
        comparison,
        root_median: median_of(|sample| sample.root),
        total_median: median_of(Sample::total),
        total_speedup_in_turn: None,
        bound_speedup: None,
        total_bound: None,
        incarnations: upper_median(&mut incarnations),
        wasted_gas: upper_median(&mut wasted_gas),
        cross_shard: upper_median(&mut cross_shard),
        early_slots: upper_median(&mut early_slots),
        early_slots_again: upper_median(&mut early_again),
        cpu_median: median_of(|sample| sample.cpu),
        counts_median: counts(measured),
        outliers: spread::outliers(&execute(measured)),
        drift: spread::drift(&execute(measured)),
        samples: measured.samples.clone(),
    })
}

fn times(measured: &Measured, time: impl Fn(&Sample) -> Option<Duration>) -> Vec<Duration> {
    measured.samples.iter().filter_map(time).collect()
}

/// The median of each count. `None` unless every sample has counts.
fn counts(measured: &Measured) -> Option<Counts> {
    let all: Option<Vec<_>> = measured.samples.iter().map(|sample| sample.counts).collect();
    let all = all?;
    let middle = |of: fn(&Counts) -> u64| upper_median(&mut all.iter().map(of).collect::<Vec<_>>());
    let instructions = middle(|counts| counts.instructions)?;
    Some(Counts { instructions, cycles: middle(|counts| counts.cycles)? })
}

/// The upper median: the larger of two middle counts, since their mean may not be an integer.
fn upper_median(counts: &mut [u64]) -> Option<u64> {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_the_whole_is_that_of_the_work_or_of_the_execution() {
        let two = NonZeroUsize::new(2).expect("it is not zero");
        // 6 and 4: no more than 2 by the work; execution alone takes at least 6 / 1.2 = 5.
        assert_eq!(total_bound([6.0, 4.0], 2.0, two), Some(2.0));
        assert_eq!(total_bound([6.0, 4.0], 1.0, two), Some(10.0 / 6.0));
        assert_eq!(total_bound([0.0, 0.0], 1.0, two), None);
    }
}
