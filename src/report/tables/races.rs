//! The tables of `replay`: those of its JSON, and the machine of each row.

use super::{BlockResult, Column, Table, decimal, header_columns, or_null, text, whole};
use crate::report::{
    Mode, PreparationRow, ProfiledRun, ReportError, Row, SelfCheckRow, Verdict,
    json::{PreparationRecord, ProfiledRecord},
    record::{DetailRecord, Record, nanoseconds, sample_records},
};
use serde::Serialize;
use serde_json::Value;

pub(super) const RESULTS: &str = "results";
pub(super) const SAMPLES: &str = "samples";
pub(super) const SELF_CHECKS: &str = "self_checks";
pub(super) const SELF_CHECK_SAMPLES: &str = "self_check_samples";
pub(super) const PREPARATION: &str = "preparation";
pub(super) const PROFILED: &str = "profiled";

/// The columns of the CSV, those of the header, and those that only the JSON has.
const RESULT_COLUMNS: [Column; 42] = [
    text("fork"),
    whole("timestamp"),
    whole("gas_limit"),
    whole("gas_used"),
    whole("transactions"),
    text("executor"),
    whole("threads"),
    text("schedule"),
    text("mode"),
    whole("iterations"),
    or_null(whole("execute_ns_median")),
    or_null(whole("execute_ns_ci_low")),
    or_null(whole("execute_ns_ci_high")),
    or_null(decimal("execute_mgas_per_s")),
    or_null(decimal("speedup")),
    or_null(decimal("speedup_ci_low")),
    or_null(decimal("speedup_ci_high")),
    or_null(decimal("efficiency")),
    or_null(whole("root_ns_median")),
    or_null(whole("total_ns_median")),
    or_null(decimal("total_speedup")),
    or_null(decimal("total_speedup_in_turn")),
    or_null(decimal("bound_speedup")),
    or_null(decimal("total_bound_speedup")),
    or_null(whole("incarnations")),
    or_null(decimal("re_execution_rate")),
    or_null(whole("wasted_gas")),
    or_null(decimal("cross_shard_share")),
    or_null(whole("early_slots")),
    or_null(whole("early_slots_again")),
    or_null(whole("cpu_ns_median")),
    text("verdict"),
    text("verified_to"),
    text("header"),
    or_null(text("confirmed_by")),
    or_null(whole("outliers")),
    or_null(decimal("drift")),
    or_null(whole("instructions_median")),
    or_null(whole("cycles_median")),
    or_null(decimal("energy_uj_mean")),
    or_null(text("what")),
    text("machine"),
];

const SAMPLE_COLUMNS: [Column; 11] = [
    text("executor"),
    whole("threads"),
    whole("iteration"),
    whole("execute_ns"),
    or_null(whole("root_ns")),
    or_null(whole("whole_ns")),
    or_null(whole("cpu_ns")),
    or_null(whole("instructions")),
    or_null(whole("cycles")),
    or_null(whole("energy_uj")),
    text("machine"),
];

const SELF_CHECK_COLUMNS: [Column; 5] =
    [whole("threads"), decimal("ratio"), decimal("ci_low"), decimal("ci_high"), text("machine")];

const SELF_CHECK_SAMPLE_COLUMNS: [Column; 4] =
    [whole("threads"), whole("iteration"), whole("execute_ns"), text("machine")];

const PREPARATION_COLUMNS: [Column; 6] = [
    or_null(text("rules_digest")),
    whole("decode_ns"),
    whole("senders_ns"),
    whole("witness_ns"),
    whole("flatten_ns"),
    text("machine"),
];

const PROFILED_COLUMNS: [Column; 19] = [
    text("executor"),
    whole("threads"),
    whole("total_ns"),
    or_null(whole("alone_ns")),
    whole("useful_ns"),
    whole("wasted_ns"),
    whole("prefetching_ns"),
    whole("validating_ns"),
    whole("committing_ns"),
    whole("waiting_ns"),
    whole("searching_ns"),
    whole("tail_ns"),
    whole("outside_ns"),
    whole("idle_outside_ns"),
    or_null(decimal("final_first")),
    or_null(decimal("final_p50")),
    or_null(decimal("final_p90")),
    or_null(decimal("final_p99")),
    text("machine"),
];

pub(super) const TABLES: [Table; 6] = [
    Table { name: RESULTS, columns: &RESULT_COLUMNS },
    Table { name: SAMPLES, columns: &SAMPLE_COLUMNS },
    Table { name: SELF_CHECKS, columns: &SELF_CHECK_COLUMNS },
    Table { name: SELF_CHECK_SAMPLES, columns: &SELF_CHECK_SAMPLE_COLUMNS },
    Table { name: PREPARATION, columns: &PREPARATION_COLUMNS },
    Table { name: PROFILED, columns: &PROFILED_COLUMNS },
];

/// The results of a race over one block.
#[derive(Clone, Copy, Debug)]
pub struct RacedBlock<'a> {
    /// A row per contender, at least one.
    pub rows: &'a [Row],
    /// A/A runs and concurrent baselines.
    pub self_checks: &'a [SelfCheckRow],
    /// The times of the preparation.
    pub preparation: &'a PreparationRow,
    /// Profiled runs.
    pub profiled: &'a [ProfiledRun],
}

impl BlockResult {
    /// The rows of a raced block; `None` without any. `machine` names the machine of the race.
    ///
    /// # Errors
    /// [`ReportError::Json`].
    pub fn of_race(raced: RacedBlock<'_>, machine: &str) -> Result<Option<Self>, ReportError> {
        let RacedBlock { rows, self_checks, preparation, profiled } = raced;
        let Some(first) = rows.first() else { return Ok(None) };
        let mismatch = rows.iter().any(|row| row.verdict.figures().is_none());
        let mut result = Self::new(&first.block, mismatch);
        result.add(RESULTS, rows.iter().map(ResultRecord::new))?;
        result.set(RESULTS, &header_columns(&first.block));
        result.add(SAMPLES, rows.iter().flat_map(sample_records))?;
        result.add(SELF_CHECKS, self_checks.iter().map(CheckRecord::new))?;
        result.add(SELF_CHECK_SAMPLES, self_checks.iter().flat_map(CheckSample::all))?;
        result.add(PREPARATION, [PreparationRecord::new(preparation)])?;
        result.add(PROFILED, profiled.iter().map(ProfiledRecord::new))?;
        for table in &TABLES {
            result.set(table.name, &[("machine", Value::from(machine))]);
        }
        Ok(Some(result))
    }
}

/// The columns of a row, and its details.
#[derive(Serialize)]
struct ResultRecord<'a> {
    #[serde(flatten)]
    record: Record<'a, f64>,
    #[serde(flatten)]
    details: Option<DetailRecord<'a>>,
    what: Option<&'a str>,
}

impl<'a> ResultRecord<'a> {
    fn new(row: &'a Row) -> Self {
        let what = match (&row.verdict, &row.mode) {
            (Verdict::Mismatch(what), _) | (Verdict::Match(_), Mode::FellBack(what)) => Some(what),
            (Verdict::Match(_), Mode::Sequential | Mode::Parallel) => None,
        };
        Self {
            record: Record::new(row, |value| value),
            details: DetailRecord::new(row),
            what: what.map(String::as_str),
        }
    }
}

#[derive(Serialize)]
struct CheckRecord {
    threads: usize,
    ratio: f64,
    ci_low: f64,
    ci_high: f64,
}

impl CheckRecord {
    const fn new(row: &SelfCheckRow) -> Self {
        let (threads, ratio) = (row.threads.get(), row.ratio);
        Self { threads, ratio: ratio.ratio, ci_low: ratio.ci_low, ci_high: ratio.ci_high }
    }
}

#[derive(Serialize)]
struct CheckSample {
    threads: usize,
    iteration: usize,
    execute_ns: u64,
}

impl CheckSample {
    fn all(row: &SelfCheckRow) -> impl Iterator<Item = Self> {
        let threads = row.threads.get();
        let sample = move |(iteration, time)| Self { threads, iteration, execute_ns: time };
        row.laps.iter().map(|time| nanoseconds(*time)).enumerate().map(sample)
    }
}
