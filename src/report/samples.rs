//! Writes every sample as one line of CSV, for custom statistics.
//!
//! Column `round` is the iteration, counted from 0 within a block. Samples of the same block and iteration
//! ran one after the other. Durations are in nanoseconds. An unknown value is empty. Rows that did not
//! match have no samples.

use std::io;

use super::record::sample_records;
use super::{Report, ReportError};

/// The columns, in order.
const COLUMNS: [&str; 10] = [
    "chain_id",
    "block_number",
    "executor",
    "threads",
    "round",
    "execute_ns",
    "root_ns",
    "cpu_ns",
    "instructions",
    "cycles",
];

/// Writes the samples of `report` below a header. The header is written even without samples.
///
/// # Errors
/// [`ReportError::Csv`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(report: &Report, out: impl io::Write) -> Result<(), ReportError> {
    let mut writer = ::csv::WriterBuilder::new().has_headers(false).from_writer(out);
    writer.write_record(COLUMNS).map_err(ReportError::Csv)?;
    for sample in report.rows.iter().flat_map(sample_records) {
        writer.serialize(sample).map_err(ReportError::Csv)?;
    }
    writer.flush().map_err(ReportError::ContenderResult)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn every_sample_has_a_line_and_unknown_values_are_empty() {
        let mut out = Vec::new();
        let rows = vec![testing::contender(), testing::mismatch(), testing::receipts_only()];
        write(&testing::report_of(rows), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1..],
            [
                "1,19426587,block-stm,8,0,4900000,2345000,31000000,40000000,50000000",
                "1,19426587,block-stm,8,1,5100000,2345000,31000000,40000000,50000000",
                "1,46147,sequential,1,0,8000000,,,,",
            ]
        );
    }
}
