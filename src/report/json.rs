//! A whole report as JSON (RFC 8259), for programs and for comparing runs.
//!
//! The rows have the columns of [`csv`](super::csv) as fields; a value that does not apply is
//! `null`. Durations are integers in nanoseconds. Integers may exceed 2⁵³: readers that hold every
//! number as a double must expect that of the seed.
//!
//! ```text
//! { "schema_version": 1, "machine": {..}, "settings": {..}, "results": [..],
//!   "samples": [{ block_number, executor, threads, round, execute_ns, root_ns, cpu_ns }],
//!   "mismatches": [{ block_number, executor, threads, what }],
//!   "failures": [{ block_number, what }] }
//! ```

use std::io;

use serde::Serialize;

use super::record::{Record, SampleRecord};
use super::{Failure, Machine, Report, ReportError, Row, Settings, Verdict};

/// Grows whenever a field changes its meaning or goes. A new field alone does not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes `report` as one JSON document, indented, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::Finish`] if `out` fails.
pub fn write(report: &Report, mut out: impl io::Write) -> Result<(), ReportError> {
    serde_json::to_writer_pretty(&mut out, &Document::new(report)).map_err(ReportError::Json)?;
    writeln!(out).and_then(|()| out.flush()).map_err(ReportError::Finish)
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    machine: &'a Machine,
    settings: &'a Settings,
    results: Vec<Record<'a, f64>>,
    samples: Vec<SampleRecord<'a>>,
    mismatches: Vec<MismatchRecord<'a>>,
    failures: &'a [Failure],
}

impl<'a> Document<'a> {
    fn new(report: &'a Report) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            machine: &report.machine,
            settings: &report.settings,
            results: report.rows.iter().map(|row| Record::new(row, |value| value)).collect(),
            samples: report.rows.iter().flat_map(samples).collect(),
            mismatches: report.rows.iter().filter_map(MismatchRecord::new).collect(),
            failures: &report.failures,
        }
    }
}

/// The reason of a mismatch, for which a row has no column.
#[derive(Debug, Serialize)]
struct MismatchRecord<'a> {
    block_number: u64,
    executor: &'a str,
    threads: usize,
    what: &'a str,
}

impl<'a> MismatchRecord<'a> {
    fn new(row: &'a Row) -> Option<Self> {
        let Verdict::Mismatch(what) = &row.verdict else { return None };
        Some(Self {
            block_number: row.block.number,
            executor: &row.executor,
            threads: row.threads.get(),
            what,
        })
    }
}

fn samples(row: &Row) -> impl Iterator<Item = SampleRecord<'_>> {
    let rounds = row.verdict.figures().map_or(&[][..], |figures| &figures.samples);
    rounds.iter().enumerate().map(|(round, sample)| SampleRecord::new(row, round, sample))
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

    #[test]
    fn the_document_describes_the_run() {
        let document = written(&testing::report());
        assert_eq!(document["schema_version"], 1);
        assert_eq!(
            document["machine"],
            json!({
                "cpu_model": "AMD EPYC 7763 64-Core Processor",
                "logical_cpus": 16,
                "kernel": "Linux 6.8.0-45-generic",
                "allocator": "mimalloc",
                "blockrace_version": "0.1.0",
            })
        );
        assert_eq!(
            document["settings"],
            json!({
                "executors": ["sequential", "block-stm", "two-phase"],
                "threads": [8],
                "iterations": 10,
                "warmup": 1,
                "seed": 42,
                "state_latency_ns": 0,
                "known_beforehand": [],
                "blocks": "19426587,46147,19426588",
            })
        );
        assert_eq!(
            document["failures"],
            json!([{ "block_number": 19426588, "what": "not cached; fetch it first" }])
        );
    }

    #[test]
    fn a_match_has_numbers_as_numbers() {
        let row = &written(&testing::report())["results"][1];
        for (field, value) in [
            ("block_hash", json!(testing::HASH.to_string())),
            ("execute_ns_median", json!(5_000_000)),
            ("execute_mgas_per_s", json!(2580.0)),
            ("speedup", json!(1.6)),
            ("speedup_ci_high", json!(1.65)),
            ("total_speedup", json!(1.375)),
            ("bound_speedup", Value::Null),
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
                "block_number": 19426587,
                "executor": "two-phase",
                "threads": 8,
                "what": testing::WHY,
            }])
        );
    }

    #[test]
    fn samples_are_numbered_by_round_and_lack_the_root_that_was_not_computed() {
        let rows = vec![testing::contender(), testing::receipts_only()];
        assert_eq!(
            written(&testing::report_of(rows))["samples"],
            json!([
                { "block_number": 19426587, "executor": "block-stm", "threads": 8, "round": 0,
                  "execute_ns": 4_900_000, "root_ns": 2_345_000, "cpu_ns": 31_000_000 },
                { "block_number": 19426587, "executor": "block-stm", "threads": 8, "round": 1,
                  "execute_ns": 5_100_000, "root_ns": 2_345_000, "cpu_ns": 31_000_000 },
                { "block_number": 46147, "executor": "sequential", "threads": 1, "round": 0,
                  "execute_ns": 8_000_000, "root_ns": null, "cpu_ns": null },
            ])
        );
    }

    #[test]
    fn a_value_that_is_no_number_does_not_apply() {
        let mut row = testing::contender();
        if let Verdict::Match(figures) = &mut row.verdict {
            figures.bound_speedup = Some(f64::INFINITY);
        }
        let document = written(&testing::report_of(vec![row]));
        assert_eq!(document["results"][0]["bound_speedup"], Value::Null);
    }
}
