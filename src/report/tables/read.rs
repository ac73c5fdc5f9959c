//! Reads the rows of a race back, so that the results of several processes become one report.

use super::{
    BlockResult,
    races::{PREPARATION, PROFILED, RESULTS, SAMPLES, SELF_CHECK_SAMPLES, SELF_CHECKS},
};
use crate::{
    executors::Schedule,
    insight::Latency,
    measure::{
        sample::{Counts, Sample},
        stats::{Speedup, Summary},
    },
    report::{
        BlockFacts, Comparison, Figures, Mode, PreparationRow, ProfiledRun, Row, SelfCheckRow,
        Verdict, record::SpentRecord,
    },
    verify::VerifiedTo,
};
use alloy_primitives::B256;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{num::NonZeroUsize, time::Duration};

/// The results of a race over one block, with their own values.
#[derive(Clone, Debug, Default)]
pub struct RaceRows {
    /// A row per contender.
    pub rows: Vec<Row>,
    /// A/A runs and concurrent baselines.
    pub self_checks: Vec<SelfCheckRow>,
    /// Preparation times.
    pub preparation: Vec<PreparationRow>,
    /// Profiled runs.
    pub profiled: Vec<ProfiledRun>,
}

impl BlockResult {
    /// The rows of `replay`. Values that a report derives from others are derived again.
    ///
    /// # Errors
    /// If a row lacks a value, or has one of another type.
    pub fn race_rows(&self) -> Result<RaceRows, serde_json::Error> {
        let samples: Vec<SampleRow> = self.rows(SAMPLES)?;
        let results: Vec<ResultRow> = self.rows(RESULTS)?;
        let checks: Vec<CheckRow> = self.rows(SELF_CHECKS)?;
        let laps: Vec<SampleRow> = self.rows(SELF_CHECK_SAMPLES)?;
        let preparation: Vec<PreparationTimes> = self.rows(PREPARATION)?;
        let profiled: Vec<ProfiledTimes> = self.rows(PROFILED)?;
        Ok(RaceRows {
            rows: results.into_iter().map(|row| self.row(row, &samples)).collect(),
            self_checks: checks.iter().map(|check| self.check(check, &laps)).collect(),
            preparation: preparation.iter().map(|times| self.preparation(times)).collect(),
            profiled: profiled.into_iter().map(|times| self.profiled(times)).collect(),
        })
    }

    pub(super) fn rows<R: DeserializeOwned>(
        &self,
        table: &str,
    ) -> Result<Vec<R>, serde_json::Error> {
        let rows = self.tables.get(table).into_iter().flatten();
        rows.map(|row| serde_json::from_value(Value::Object(row.clone()))).collect()
    }

    fn row(&self, row: ResultRow, samples: &[SampleRow]) -> Row {
        let is_own =
            |sample: &&SampleRow| sample.executor == row.executor && sample.threads == row.threads;
        let samples = samples.iter().filter(is_own).map(SampleRow::sample).collect();
        let verdict = match row.figures(samples) {
            Some(figures) if row.verdict == "match" => Verdict::Match(figures),
            _ => Verdict::Mismatch(row.what.clone().unwrap_or_default()),
        };
        Row {
            block: BlockFacts {
                chain_id: self.chain_id,
                number: self.block_number,
                hash: self.block_hash,
                fork: row.fork,
                transactions: row.transactions,
                gas_used: row.gas_used,
                gas_limit: row.gas_limit,
                timestamp: row.timestamp,
                confirmed: row.confirmed_by.and_then(|by| by.parse().ok()),
            },
            executor: row.executor,
            threads: row.threads,
            schedule: match row.schedule.as_str() {
                "in-order" => Schedule::InOrder,
                "dependencies" => Schedule::Dependencies,
                _ => Schedule::Independent,
            },
            mode: match row.mode.as_str() {
                "sequential" => Mode::Sequential,
                "parallel" => Mode::Parallel,
                _ => Mode::FellBack(row.what.unwrap_or_default()),
            },
            iterations: row.iterations,
            verdict,
            verified_to: match row.verified_to.as_str() {
                "state-root" => VerifiedTo::StateRoot,
                _ => VerifiedTo::Receipts,
            },
        }
    }

    fn check(&self, check: &CheckRow, laps: &[SampleRow]) -> SelfCheckRow {
        let CheckRow { threads, ratio, ci_low, ci_high } = *check;
        let own = laps.iter().filter(|lap| lap.threads == threads);
        SelfCheckRow {
            chain_id: self.chain_id,
            number: self.block_number,
            hash: self.block_hash,
            threads,
            ratio: Speedup { ratio, ci_low, ci_high },
            laps: own.map(|lap| Duration::from_nanos(lap.execute_ns)).collect(),
        }
    }

    fn preparation(&self, times: &PreparationTimes) -> PreparationRow {
        PreparationRow {
            chain_id: self.chain_id,
            number: self.block_number,
            rules: times.rules_digest,
            decode: Duration::from_nanos(times.decode_ns),
            senders: Duration::from_nanos(times.senders_ns),
            witness: Duration::from_nanos(times.witness_ns),
            flatten: Duration::from_nanos(times.flatten_ns),
        }
    }

    fn profiled(&self, times: ProfiledTimes) -> ProfiledRun {
        let time = Duration::from_nanos;
        let latency = || {
            Some(Latency {
                first: times.final_first?,
                p50: times.final_p50?,
                p90: times.final_p90?,
                p99: times.final_p99?,
            })
        };
        ProfiledRun {
            chain_id: self.chain_id,
            number: self.block_number,
            hash: self.block_hash,
            threads: times.threads,
            total: time(times.total_ns),
            alone: times.alone_ns.map(time),
            spent: times.spent.spent(),
            latency: latency(),
            executor: times.executor,
        }
    }
}

#[derive(Deserialize)]
struct ResultRow {
    fork: String,
    // The JSON of a replay has neither time nor gas limit.
    #[serde(default)]
    timestamp: u64,
    #[serde(default)]
    gas_limit: u64,
    gas_used: u64,
    transactions: usize,
    executor: String,
    threads: NonZeroUsize,
    schedule: String,
    mode: String,
    iterations: u32,
    execute_ns_median: Option<u64>,
    execute_ns_ci_low: Option<u64>,
    execute_ns_ci_high: Option<u64>,
    speedup: Option<f64>,
    speedup_ci_low: Option<f64>,
    speedup_ci_high: Option<f64>,
    root_ns_median: Option<u64>,
    total_ns_median: Option<u64>,
    total_speedup: Option<f64>,
    // Absent from earlier results.
    #[serde(default)]
    total_speedup_in_turn: Option<f64>,
    bound_speedup: Option<f64>,
    // Absent from earlier results.
    #[serde(default)]
    total_bound_speedup: Option<f64>,
    incarnations: Option<u64>,
    wasted_gas: Option<u64>,
    cross_shard_share: Option<f64>,
    // Absent from earlier results.
    #[serde(default)]
    early_slots: Option<u64>,
    #[serde(default)]
    early_slots_again: Option<u64>,
    cpu_ns_median: Option<u64>,
    verdict: String,
    verified_to: String,
    #[serde(default)]
    confirmed_by: Option<String>,
    outliers: Option<usize>,
    drift: Option<f64>,
    instructions_median: Option<u64>,
    cycles_median: Option<u64>,
    what: Option<String>,
}

impl ResultRow {
    /// The figures; `None` for a row that does not match.
    fn figures(&self, samples: Vec<Sample>) -> Option<Figures> {
        let time = Duration::from_nanos;
        let counts = self.instructions_median.zip(self.cycles_median);
        let crossing = |share: f64| (share * self.transactions as f64).round() as u64;
        Some(Figures {
            execute: Summary {
                median: time(self.execute_ns_median?),
                ci_low: time(self.execute_ns_ci_low?),
                ci_high: time(self.execute_ns_ci_high?),
            },
            comparison: self.comparison(),
            root_median: self.root_ns_median.map(time),
            total_median: self.total_ns_median.map(time),
            total_speedup_in_turn: self.total_speedup_in_turn,
            bound_speedup: self.bound_speedup,
            total_bound: self.total_bound_speedup,
            incarnations: self.incarnations,
            wasted_gas: self.wasted_gas,
            cross_shard: self.cross_shard_share.map(crossing),
            early_slots: self.early_slots,
            early_slots_again: self.early_slots_again,
            cpu_median: self.cpu_ns_median.map(time),
            counts_median: counts.map(|(instructions, cycles)| Counts { instructions, cycles }),
            outliers: self.outliers.unwrap_or_default(),
            drift: self.drift,
            samples,
        })
    }

    /// The baseline has a speedup without an interval.
    fn comparison(&self) -> Comparison {
        match (self.speedup, self.speedup_ci_low.zip(self.speedup_ci_high)) {
            (Some(ratio), Some((ci_low, ci_high))) => Comparison::Against {
                speedup: Speedup { ratio, ci_low, ci_high },
                total_speedup: self.total_speedup,
            },
            (Some(_), None) => Comparison::Baseline,
            (None, _) => Comparison::NoBaseline,
        }
    }
}

#[derive(Deserialize)]
struct SampleRow {
    #[serde(default)]
    executor: String,
    threads: NonZeroUsize,
    execute_ns: u64,
    root_ns: Option<u64>,
    // Absent from earlier results.
    #[serde(default)]
    whole_ns: Option<u64>,
    cpu_ns: Option<u64>,
    instructions: Option<u64>,
    cycles: Option<u64>,
    #[serde(default)]
    energy_uj: Option<u64>,
}

impl SampleRow {
    fn sample(&self) -> Sample {
        let counts = self.instructions.zip(self.cycles);
        Sample {
            execute: Duration::from_nanos(self.execute_ns),
            root: self.root_ns.map(Duration::from_nanos),
            whole: self.whole_ns.map(Duration::from_nanos),
            cpu: self.cpu_ns.map(Duration::from_nanos),
            counts: counts.map(|(instructions, cycles)| Counts { instructions, cycles }),
            energy_uj: self.energy_uj,
        }
    }
}

#[derive(Deserialize)]
struct CheckRow {
    threads: NonZeroUsize,
    ratio: f64,
    ci_low: f64,
    ci_high: f64,
}

#[derive(Deserialize)]
struct PreparationTimes {
    rules_digest: Option<B256>,
    decode_ns: u64,
    senders_ns: u64,
    witness_ns: u64,
    flatten_ns: u64,
}

#[derive(Deserialize)]
struct ProfiledTimes {
    executor: String,
    threads: NonZeroUsize,
    total_ns: u64,
    alone_ns: Option<u64>,
    #[serde(flatten)]
    spent: SpentRecord,
    final_first: Option<f64>,
    final_p50: Option<f64>,
    final_p90: Option<f64>,
    final_p99: Option<f64>,
}
