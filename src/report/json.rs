//! Writes a whole report as JSON (RFC 8259), for programs and for comparing runs.
//!
//! `data/replay.schema.json` is the schema and describes every field. Tests check that both agree. The rows
//! have the columns of [`csv`](super::csv) as fields. A value that does not apply is `null`. Durations are
//! integers in nanoseconds. The seed may exceed 2⁵³, so readers must not store it as a double.

use std::io;

use serde::Serialize;

use super::record::{DetailRecord, Record, SampleRecord, SpentRecord, nanoseconds, sample_records};
use super::{
    Failure, Machine, Mode, PreparationRow, ProfiledRun, Provenance, Report, ReportError, Row,
    SelfCheckRow, Settings, Verdict,
};
use crate::measure::{stats::Speedup, warnings::Warning};

/// Increases if a field is removed or changes its meaning. New fields do not increase it.
pub const SCHEMA_VERSION: u32 = 3;

/// Writes `report` as one indented JSON document, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(report: &Report, out: impl io::Write) -> Result<(), ReportError> {
    write_document(&Document::new(report), out)
}

/// Writes the document of [`write`] without blanks.
pub(super) fn write_compact(report: &Report, out: impl io::Write) -> Result<(), ReportError> {
    serde_json::to_writer(out, &Document::new(report)).map_err(ReportError::Json)
}

/// Writes a document in the format of [`write`].
pub(super) fn write_document(
    document: &impl Serialize,
    mut out: impl io::Write,
) -> Result<(), ReportError> {
    serde_json::to_writer_pretty(&mut out, document).map_err(ReportError::Json)?;
    writeln!(out).and_then(|()| out.flush()).map_err(ReportError::ContenderResult)
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    provenance: &'a Provenance,
    machine: &'a Machine,
    settings: &'a Settings,
    warnings: Vec<WarningRecord>,
    results: Vec<Record<'a, f64>>,
    details: Vec<DetailRecord<'a>>,
    self_checks: Vec<SelfCheckRecord>,
    preparation: Vec<PreparationRecord>,
    profiled: Vec<ProfiledRecord<'a>>,
    mismatches: Vec<ReasonRecord<'a>>,
    fallbacks: Vec<ReasonRecord<'a>>,
    failures: &'a [Failure],
    samples: Vec<SampleRecord<'a>>,
}

impl<'a> Document<'a> {
    fn new(report: &'a Report) -> Self {
        let rows = &report.rows;
        Self {
            schema_version: SCHEMA_VERSION,
            provenance: &report.provenance,
            machine: &report.machine,
            settings: &report.settings,
            warnings: report.warnings.iter().map(WarningRecord::new).collect(),
            results: rows.iter().map(|row| Record::new(row, |value| value)).collect(),
            details: rows.iter().filter_map(DetailRecord::new).collect(),
            self_checks: report.self_checks.iter().map(SelfCheckRecord::new).collect(),
            preparation: report.preparation.iter().map(PreparationRecord::new).collect(),
            profiled: report.profiled.iter().map(ProfiledRecord::new).collect(),
            mismatches: rows.iter().filter_map(ReasonRecord::mismatch).collect(),
            fallbacks: rows.iter().filter_map(ReasonRecord::fallback).collect(),
            failures: &report.failures,
            samples: rows.iter().flat_map(sample_records).collect(),
        }
    }
}

/// A condition that makes figures less reliable, and its remedy.
#[derive(Debug, Serialize)]
struct WarningRecord {
    kind: &'static str,
    what: String,
    remedy: &'static str,
}

impl WarningRecord {
    fn new(warning: &Warning) -> Self {
        Self { kind: warning.kind(), what: warning.to_string(), remedy: warning.remedy() }
    }
}

/// The reason of a mismatch or a fallback. Rows have no column for it.
#[derive(Debug, Serialize)]
struct ReasonRecord<'a> {
    chain_id: u64,
    block_number: u64,
    executor: &'a str,
    threads: usize,
    what: &'a str,
}

impl<'a> ReasonRecord<'a> {
    fn mismatch(row: &'a Row) -> Option<Self> {
        let Verdict::Mismatch(what) = &row.verdict else { return None };
        Some(Self::new(row, what))
    }

    fn fallback(row: &'a Row) -> Option<Self> {
        let Mode::FellBack(what) = &row.mode else { return None };
        Some(Self::new(row, what))
    }

    fn new(row: &'a Row, what: &'a str) -> Self {
        let (chain_id, block_number) = (row.block.chain_id, row.block.number);
        Self { chain_id, block_number, executor: &row.executor, threads: row.threads.get(), what }
    }
}

/// A comparison of the baseline with itself on one block.
#[derive(Debug, Serialize)]
struct SelfCheckRecord {
    chain_id: u64,
    block_number: u64,
    threads: usize,
    ratio: f64,
    ci_low: f64,
    ci_high: f64,
    execute_ns: Vec<u64>,
}

impl SelfCheckRecord {
    fn new(row: &SelfCheckRow) -> Self {
        let SelfCheckRow { chain_id, number, threads, ratio, .. } = *row;
        let Speedup { ratio, ci_low, ci_high } = ratio;
        let execute_ns = row.laps.iter().copied().map(nanoseconds).collect();
        let threads = threads.get();
        Self { chain_id, block_number: number, threads, ratio, ci_low, ci_high, execute_ns }
    }
}

/// Preparation times of a block, in nanoseconds.
#[derive(Debug, Serialize)]
pub(super) struct PreparationRecord {
    chain_id: u64,
    block_number: u64,
    rules_digest: Option<String>,
    decode_ns: u64,
    senders_ns: u64,
    witness_ns: u64,
    flatten_ns: u64,
}

impl PreparationRecord {
    pub(super) fn new(row: &PreparationRow) -> Self {
        Self {
            chain_id: row.chain_id,
            block_number: row.number,
            rules_digest: row.rules.map(|digest| digest.to_string()),
            decode_ns: nanoseconds(row.decode),
            senders_ns: nanoseconds(row.senders),
            witness_ns: nanoseconds(row.witness),
            flatten_ns: nanoseconds(row.flatten),
        }
    }
}

/// A profiled run of one executor, in nanoseconds over all threads. The parts of
/// [`Spent`](crate::insight::Spent) add up to threads × the run's time.
#[derive(Debug, Serialize)]
pub(super) struct ProfiledRecord<'a> {
    chain_id: u64,
    block_number: u64,
    executor: &'a str,
    threads: usize,
    total_ns: u64,
    alone_ns: Option<u64>,
    #[serde(flatten)]
    spent: SpentRecord,
    final_first: Option<f64>,
    final_p50: Option<f64>,
    final_p90: Option<f64>,
    final_p99: Option<f64>,
}

impl<'a> ProfiledRecord<'a> {
    pub(super) fn new(profiled: &'a ProfiledRun) -> Self {
        let latency = profiled.latency.as_ref();
        Self {
            chain_id: profiled.chain_id,
            block_number: profiled.number,
            executor: &profiled.executor,
            threads: profiled.threads.get(),
            total_ns: nanoseconds(profiled.total),
            alone_ns: profiled.alone.map(nanoseconds),
            spent: SpentRecord::new(&profiled.spent),
            final_first: latency.map(|latency| latency.first),
            final_p50: latency.map(|latency| latency.p50),
            final_p90: latency.map(|latency| latency.p90),
            final_p99: latency.map(|latency| latency.p99),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing;
    use super::*;

    fn written(report: &Report) -> Value {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    fn validator() -> jsonschema::Validator {
        testing::validator(include_str!("../../data/replay.schema.json"))
    }

    #[track_caller]
    fn assert_valid(document: &Value) {
        testing::assert_valid(&validator(), document);
    }

    #[test]
    fn every_document_conforms_to_the_schema() {
        let mut fallen = testing::contender();
        fallen.mode = Mode::FellBack("it has no access list".into());
        for report in [
            testing::report(),
            testing::full_report(),
            testing::report_of(vec![]),
            testing::report_of(vec![fallen]),
        ] {
            assert_valid(&written(&report));
        }
    }

    #[test]
    fn the_schema_requires_every_field_and_allows_no_other() {
        let document = written(&testing::full_report());
        for damage in
            ["results", "samples", "details", "self_checks", "preparation", "profiled", "warnings"]
        {
            let mut extra = document.clone();
            extra[damage][0]["no_such_field"] = json!(1);
            assert!(!validator().is_valid(&extra), "additional field in {damage}");
            let mut less = document.clone();
            let fields = less[damage][0].as_object_mut().unwrap();
            let first = fields.keys().next().unwrap().clone();
            fields.remove(&first);
            assert!(!validator().is_valid(&less), "{damage} without {first}");
        }
    }

    #[test]
    fn the_document_describes_the_run() {
        let document = written(&testing::report());
        assert_eq!(document["schema_version"], SCHEMA_VERSION);
        assert_eq!(document["machine"]["caches"], json!(["L1d 32K", "L2 512K", "L3 32M"]));
        assert_eq!(document["machine"]["libraries"], json!({ "revm": "43.0.0" }));
        assert_eq!(document["settings"]["iterations"], 10);
        assert_eq!(document["settings"]["warmup"], "auto");
        assert_eq!(
            document["failures"],
            json!([{ "block_number": 19426588, "what": "not cached; fetch it first" }])
        );
    }

    #[test]
    fn the_figures_of_a_match_are_json_numbers() {
        let row = &written(&testing::report())["results"][1];
        for (field, value) in [
            ("block_hash", json!(testing::HASH.to_string())),
            ("execute_ns_median", json!(5_000_000)),
            ("execute_mgas_per_s", json!(2580.0)),
            ("speedup", json!(1.6)),
            ("speedup_ci_high", json!(1.65)),
            ("total_speedup", json!(1.375)),
            ("bound_speedup", Value::Null),
            ("total_bound_speedup", Value::Null),
            ("cpu_ns_median", json!(31_000_000)),
            ("verdict", json!("match")),
            ("verified_to", json!("state-root")),
        ] {
            assert_eq!(row[field], value, "{field}");
        }
    }

    #[test]
    fn a_row_has_the_columns_of_the_csv() {
        let mut columns = Vec::new();
        super::super::csv::write(&testing::report_of(vec![]), &mut columns).unwrap();
        let mut columns: Vec<_> = str::from_utf8(&columns).unwrap().trim().split(',').collect();
        columns.sort_unstable();

        let document = written(&testing::report());
        let mut fields: Vec<_> = document["results"][0].as_object().unwrap().keys().collect();
        fields.sort_unstable();
        assert_eq!(fields, columns);
    }

    #[test]
    fn a_mismatch_has_a_reason_and_neither_numbers_nor_samples() {
        let document = written(&testing::report_of(vec![testing::mismatch()]));
        let row = &document["results"][0];
        assert_eq!(row["verdict"], "mismatch");
        for field in ["execute_ns_median", "speedup", "root_ns_median", "incarnations"] {
            assert_eq!(row[field], Value::Null, "{field}");
        }
        assert_eq!(document["samples"], json!([]));
        assert_eq!(
            document["mismatches"],
            json!([{
                "chain_id": 1,
                "block_number": 19426587,
                "executor": "two-phase",
                "threads": 8,
                "what": testing::WHY,
            }])
        );
    }

    #[test]
    fn samples_are_numbered_by_iteration_and_a_missing_root_is_null() {
        let rows = vec![testing::contender(), testing::receipts_only()];
        assert_eq!(
            written(&testing::report_of(rows))["samples"],
            json!([
                { "chain_id": 1, "block_number": 19426587, "executor": "block-stm", "threads": 8,
                  "iteration": 0, "execute_ns": 4_900_000, "root_ns": 2_345_000, "whole_ns": null, "cpu_ns": 31_000_000,
                  "instructions": 40_000_000, "cycles": 50_000_000, "energy_uj": null },
                { "chain_id": 1, "block_number": 19426587, "executor": "block-stm", "threads": 8,
                  "iteration": 1, "execute_ns": 5_100_000, "root_ns": 2_345_000, "whole_ns": null, "cpu_ns": 31_000_000,
                  "instructions": 40_000_000, "cycles": 50_000_000, "energy_uj": null },
                { "chain_id": 1, "block_number": 46147, "executor": "sequential", "threads": 1,
                  "iteration": 0, "execute_ns": 8_000_000, "root_ns": null, "whole_ns": null, "cpu_ns": null,
                  "instructions": null, "cycles": null, "energy_uj": 250_000 },
            ])
        );
    }

    #[test]
    fn an_infinite_value_is_null() {
        let mut row = testing::contender();
        if let Verdict::Match(figures) = &mut row.verdict {
            figures.bound_speedup = Some(f64::INFINITY);
        }
        let document = written(&testing::report_of(vec![row]));
        assert_eq!(document["results"][0]["bound_speedup"], Value::Null);
    }
}
