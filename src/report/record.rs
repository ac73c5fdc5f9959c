//! Flattens a row into named columns of integers and decimals.
//!
//! CSV and JSON share this list of columns in this order. They choose the format of a decimal. This
//! module converts durations to nanoseconds and computes the figures that follow from a single row.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};

use super::{BlockFacts, Comparison, Figures, Row, Speedup};
use crate::{block::Confirmation, insight::Spent, units};

/// The columns of a row. `N` is the type of a decimal. `None` is a value that does not apply. Measured
/// values do not apply unless the verdict is `match`.
///
/// Durations are in nanoseconds of wall-clock time, `cpu_ns_median` in nanoseconds of CPU time. Gas is in
/// gas.
#[derive(Debug, Serialize)]
pub(super) struct Record<'a, N> {
    chain_id: u64,
    block_number: u64,
    block_hash: String,
    fork: &'a str,
    transactions: usize,
    gas_used: u64,
    executor: &'a str,
    threads: usize,
    schedule: &'static str,
    mode: &'static str,
    iterations: u32,
    execute_ns_median: Option<u64>,
    execute_ns_ci_low: Option<u64>,
    execute_ns_ci_high: Option<u64>,
    execute_mgas_per_s: Option<N>,
    speedup: Option<N>,
    speedup_ci_low: Option<N>,
    speedup_ci_high: Option<N>,
    efficiency: Option<N>,
    root_ns_median: Option<u64>,
    total_ns_median: Option<u64>,
    total_speedup: Option<N>,
    total_speedup_in_turn: Option<N>,
    bound_speedup: Option<N>,
    total_bound_speedup: Option<N>,
    incarnations: Option<u64>,
    re_execution_rate: Option<N>,
    wasted_gas: Option<u64>,
    cross_shard_share: Option<N>,
    early_slots: Option<u64>,
    early_slots_again: Option<u64>,
    cpu_ns_median: Option<u64>,
    verdict: &'static str,
    verified_to: &'static str,
    header: &'static str,
    confirmed_by: Option<String>,
}

impl<'a, N> Record<'a, N> {
    /// The columns of `row`. `decimal` converts decimals.
    ///
    /// The function is long because it names every column.
    pub(super) fn new(row: &'a Row, decimal: impl Fn(f64) -> N) -> Self {
        let block = &row.block;
        let figures = row.verdict.figures();
        let ratio = figures.and_then(speedup_ratio);
        let interval = figures.and_then(measured_speedup);
        let number = |value: Option<f64>| value.filter(|value| value.is_finite()).map(&decimal);
        Self {
            chain_id: block.chain_id,
            block_number: block.number,
            block_hash: block.hash.to_string(),
            fork: &block.fork,
            transactions: block.transactions,
            gas_used: block.gas_used,
            executor: &row.executor,
            threads: row.threads.get(),
            schedule: row.schedule.name(),
            mode: row.mode.name(),
            iterations: row.iterations,
            execute_ns_median: figures.map(|figures| nanoseconds(figures.execute.median)),
            execute_ns_ci_low: figures.map(|figures| nanoseconds(figures.execute.ci_low)),
            execute_ns_ci_high: figures.map(|figures| nanoseconds(figures.execute.ci_high)),
            execute_mgas_per_s: number(mgas_per_s(row)),
            speedup: number(ratio),
            speedup_ci_low: number(interval.map(|speedup| speedup.ci_low)),
            speedup_ci_high: number(interval.map(|speedup| speedup.ci_high)),
            efficiency: number(ratio.map(|ratio| ratio / row.threads.get() as f64)),
            root_ns_median: figures.and_then(|figures| figures.root_median).map(nanoseconds),
            total_ns_median: figures.and_then(|figures| figures.total_median).map(nanoseconds),
            total_speedup: number(figures.and_then(total_speedup)),
            total_speedup_in_turn: number(
                figures.and_then(|figures| figures.total_speedup_in_turn),
            ),
            bound_speedup: number(figures.and_then(|figures| figures.bound_speedup)),
            total_bound_speedup: number(figures.and_then(|figures| figures.total_bound)),
            incarnations: figures.and_then(|figures| figures.incarnations),
            re_execution_rate: number(re_execution_rate(row)),
            wasted_gas: figures.and_then(|figures| figures.wasted_gas),
            cross_shard_share: number(cross_shard_share(row)),
            early_slots: figures.and_then(|figures| figures.early_slots),
            early_slots_again: figures.and_then(|figures| figures.early_slots_again),
            cpu_ns_median: figures.and_then(|figures| figures.cpu_median).map(nanoseconds),
            verdict: row.verdict.name(),
            verified_to: row.verified_to.name(),
            header: Confirmation::level(block.confirmed.as_ref()),
            confirmed_by: block.confirmed.as_ref().map(ToString::to_string),
        }
    }
}

/// The block of a record, for JSON only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FactsRecord {
    chain_id: u64,
    block_number: u64,
    block_hash: String,
    fork: String,
    transactions: usize,
    gas_used: u64,
    header: Cow<'static, str>,
    confirmed_by: Option<String>,
}

impl FactsRecord {
    pub(super) fn new(facts: &BlockFacts) -> Self {
        Self {
            chain_id: facts.chain_id,
            block_number: facts.number,
            block_hash: facts.hash.to_string(),
            fork: facts.fork.clone(),
            transactions: facts.transactions,
            gas_used: facts.gas_used,
            header: Confirmation::level(facts.confirmed.as_ref()).into(),
            confirmed_by: facts.confirmed.as_ref().map(ToString::to_string),
        }
    }
}

/// One sample of one row. `iteration` is counted from 0. Durations are in nanoseconds.
#[derive(Debug, Serialize)]
pub(super) struct SampleRecord<'a> {
    chain_id: u64,
    block_number: u64,
    executor: &'a str,
    threads: usize,
    iteration: usize,
    execute_ns: u64,
    root_ns: Option<u64>,
    whole_ns: Option<u64>,
    cpu_ns: Option<u64>,
    instructions: Option<u64>,
    cycles: Option<u64>,
    energy_uj: Option<u64>,
}

/// The samples of a row; none if it did not match.
pub(super) fn sample_records(row: &Row) -> impl Iterator<Item = SampleRecord<'_>> {
    let samples = row.verdict.figures().map_or(&[][..], |figures| &figures.samples);
    samples.iter().enumerate().map(|(iteration, sample)| SampleRecord {
        chain_id: row.block.chain_id,
        block_number: row.block.number,
        executor: &row.executor,
        threads: row.threads.get(),
        iteration,
        execute_ns: nanoseconds(sample.execute),
        root_ns: sample.root.map(nanoseconds),
        whole_ns: sample.whole.map(nanoseconds),
        cpu_ns: sample.cpu.map(nanoseconds),
        instructions: sample.counts.map(|counts| counts.instructions),
        cycles: sample.counts.map(|counts| counts.cycles),
        energy_uj: sample.energy_uj,
    })
}

/// Further fields of a row, for JSON only.
#[derive(Debug, Serialize)]
pub(super) struct DetailRecord<'a> {
    chain_id: u64,
    block_number: u64,
    executor: &'a str,
    threads: usize,
    outliers: usize,
    drift: Option<f64>,
    instructions_median: Option<u64>,
    cycles_median: Option<u64>,
    energy_uj_mean: Option<f64>,
}

impl<'a> DetailRecord<'a> {
    /// `None` for a row that did not match.
    pub(super) fn new(row: &'a Row) -> Option<Self> {
        let figures = row.verdict.figures()?;
        Some(Self {
            chain_id: row.block.chain_id,
            block_number: row.block.number,
            executor: &row.executor,
            threads: row.threads.get(),
            outliers: figures.outliers,
            drift: figures.drift,
            instructions_median: figures.counts_median.map(|counts| counts.instructions),
            cycles_median: figures.counts_median.map(|counts| counts.cycles),
            energy_uj_mean: energy_mean(figures),
        })
    }
}

/// The parts of the threads' time in a profiled run, in nanoseconds.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct SpentRecord {
    useful_ns: u64,
    wasted_ns: u64,
    prefetching_ns: u64,
    validating_ns: u64,
    committing_ns: u64,
    waiting_ns: u64,
    searching_ns: u64,
    tail_ns: u64,
    outside_ns: u64,
    idle_outside_ns: u64,
}

impl SpentRecord {
    pub(super) fn new(spent: &Spent) -> Self {
        Self {
            useful_ns: nanoseconds(spent.useful),
            wasted_ns: nanoseconds(spent.wasted),
            prefetching_ns: nanoseconds(spent.warming),
            validating_ns: nanoseconds(spent.checking),
            committing_ns: nanoseconds(spent.committing),
            waiting_ns: nanoseconds(spent.waiting),
            searching_ns: nanoseconds(spent.searching),
            tail_ns: nanoseconds(spent.tail),
            outside_ns: nanoseconds(spent.outside),
            idle_outside_ns: nanoseconds(spent.idle_outside),
        }
    }

    /// The times of a record that was read back.
    pub(super) fn spent(&self) -> Spent {
        let time = Duration::from_nanos;
        Spent {
            useful: time(self.useful_ns),
            wasted: time(self.wasted_ns),
            warming: time(self.prefetching_ns),
            checking: time(self.validating_ns),
            committing: time(self.committing_ns),
            waiting: time(self.waiting_ns),
            searching: time(self.searching_ns),
            tail: time(self.tail_ns),
            outside: time(self.outside_ns),
            idle_outside: time(self.idle_outside_ns),
        }
    }
}

/// Mean energy of an execution in microjoules. Single samples are shorter than the steps of the counters.
pub(super) fn energy_mean(figures: &Figures) -> Option<f64> {
    let all = figures.samples.iter().map(|sample| sample.energy_uj);
    let sum: u64 = all.collect::<Option<Vec<_>>>()?.iter().sum();
    (!figures.samples.is_empty()).then(|| sum as f64 / figures.samples.len() as f64)
}

/// Throughput of the median execution, in Mgas/s.
pub(super) fn mgas_per_s(row: &Row) -> Option<f64> {
    let figures = row.verdict.figures()?;
    units::mgas_per_s(row.block.gas_used, figures.execute.median)
}

/// Incarnations per transaction; `None` for a block without transactions.
pub(super) fn re_execution_rate(row: &Row) -> Option<f64> {
    let incarnations = row.verdict.figures()?.incarnations?;
    let transactions = row.block.transactions;
    (transactions > 0).then(|| incarnations as f64 / transactions as f64)
}

/// Share of the transactions that accessed several shards; `None` for a block without transactions.
pub(super) fn cross_shard_share(row: &Row) -> Option<f64> {
    let crossing = row.verdict.figures()?.cross_shard?;
    let transactions = row.block.transactions;
    (transactions > 0).then(|| crossing as f64 / transactions as f64)
}

/// The measured speedup; `None` for the baseline, which has a speedup of 1 by definition.
pub(super) fn measured_speedup(figures: &Figures) -> Option<Speedup> {
    match figures.comparison {
        Comparison::Against { speedup, .. } => Some(speedup),
        Comparison::Baseline | Comparison::NoBaseline => None,
    }
}

/// The speedup. The baseline has a speedup of 1.
pub(super) fn speedup_ratio(figures: &Figures) -> Option<f64> {
    match figures.comparison {
        Comparison::Baseline => Some(1.0),
        _ => measured_speedup(figures).map(|speedup| speedup.ratio),
    }
}

/// Share of the bound: speedup / bound.
pub(super) fn bound_share(row: &Row) -> Option<f64> {
    let figures = row.verdict.figures()?;
    let share = measured_speedup(figures)?.ratio / figures.bound_speedup?;
    share.is_finite().then_some(share)
}

/// The speedup of execution and state root together.
pub(super) fn total_speedup(figures: &Figures) -> Option<f64> {
    match figures.comparison {
        Comparison::Baseline => figures.total_median.map(|_| 1.0),
        Comparison::Against { total_speedup, .. } => total_speedup,
        Comparison::NoBaseline => None,
    }
}

/// Whole nanoseconds, limited to [`u64::MAX`].
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
