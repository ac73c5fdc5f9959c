//! Writes the rows of a report as CSV (RFC 4180): a header, then one line per block, executor and thread
//! count.
//!
//! Decimals have no exponent and keep all their digits, so that other tools read the exact value. A value
//! that does not apply is empty. `record` defines the columns. The machine, the settings, the samples and
//! the failures are only in [`json`](super::json).

use std::io;

use super::record::Record;
use super::{Report, ReportError, Row};

/// The columns, in order.
const COLUMNS: [&str; 36] = [
    "chain_id",
    "block_number",
    "block_hash",
    "fork",
    "transactions",
    "gas_used",
    "executor",
    "threads",
    "schedule",
    "mode",
    "iterations",
    "execute_ns_median",
    "execute_ns_ci_low",
    "execute_ns_ci_high",
    "execute_mgas_per_s",
    "speedup",
    "speedup_ci_low",
    "speedup_ci_high",
    "efficiency",
    "root_ns_median",
    "total_ns_median",
    "total_speedup",
    "total_speedup_in_turn",
    "bound_speedup",
    "total_bound_speedup",
    "incarnations",
    "re_execution_rate",
    "wasted_gas",
    "cross_shard_share",
    "early_slots",
    "early_slots_again",
    "cpu_ns_median",
    "verdict",
    "verified_to",
    "header",
    "confirmed_by",
];

/// Writes the rows of `report` below a header. The header is written even without rows.
///
/// # Errors
/// [`ReportError::Csv`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(report: &Report, out: impl io::Write) -> Result<(), ReportError> {
    let mut writer = ::csv::WriterBuilder::new().has_headers(false).from_writer(out);
    writer.write_record(COLUMNS).map_err(ReportError::Csv)?;
    for row in &report.rows {
        writer.serialize(plain(row)).map_err(ReportError::Csv)?;
    }
    writer.flush().map_err(ReportError::ContenderResult)
}

/// The columns of a row. `Display` never writes an exponent, unlike the CSV library.
fn plain(row: &Row) -> Record<'_, String> {
    Record::new(row, |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    const HEADER: &str = "chain_id,block_number,block_hash,fork,transactions,gas_used,executor,\
        threads,schedule,mode,iterations,execute_ns_median,execute_ns_ci_low,execute_ns_ci_high,\
        execute_mgas_per_s,speedup,speedup_ci_low,speedup_ci_high,efficiency,root_ns_median,\
        total_ns_median,total_speedup,total_speedup_in_turn,bound_speedup,total_bound_speedup,incarnations,re_execution_rate,wasted_gas,\
        cross_shard_share,early_slots,early_slots_again,cpu_ns_median,verdict,verified_to,header,confirmed_by";

    fn written(rows: Vec<Row>) -> Vec<String> {
        let mut out = Vec::new();
        write(&testing::report_of(rows), &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_header_is_written_even_without_rows() {
        assert_eq!(written(vec![]), [HEADER]);
    }

    #[test]
    fn the_header_names_the_fields_of_a_record_in_order() {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.serialize(plain(&testing::baseline())).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        assert_eq!(text.lines().next(), Some(HEADER));
    }

    #[test]
    fn a_match_has_all_its_figures() {
        let lines = written(vec![testing::contender()]);
        let expected = format!(
            "1,19426587,{},Cancun,167,12900000,block-stm,8,dependencies,parallel,10,\
             5000000,4900000,5100000,2580,1.6,1.55,1.65,0.2,2345000,7345000,1.375,,,,\
             175,1.0479041916167664,310000,,,,31000000,match,state-root,confirmed,given hash",
            testing::HASH
        );
        assert_eq!(lines.get(1), Some(&expected));
    }

    #[test]
    fn the_baseline_has_a_speedup_of_one_without_an_interval() {
        let lines = written(vec![testing::baseline()]);
        assert!(
            lines[1].contains(",1,in-order,sequential,10,8000000,7900000,8100000,1612.5,1,,,1,")
        );
    }

    #[test]
    fn a_mismatch_has_only_the_numbers_of_its_block() {
        let lines = written(vec![testing::mismatch()]);
        let expected = format!(
            "1,19426587,{},Cancun,167,12900000,two-phase,8,dependencies,parallel,10,\
             ,,,,,,,,,,,,,,,,,,,,,mismatch,state-root,confirmed,given hash",
            testing::HASH
        );
        assert_eq!(lines.get(1), Some(&expected));
    }

    #[test]
    fn a_row_verified_to_the_receipts_has_no_root() {
        let lines = written(vec![testing::receipts_only()]);
        let expected = format!(
            "1,46147,{},Frontier,1,21000,sequential,1,in-order,sequential,10,\
             8000000,7900000,8100000,2.625,1,,,1,,,,,,,,,,,,,,match,receipts,confirmed,given hash",
            testing::FRONTIER_HASH
        );
        assert_eq!(lines.get(1), Some(&expected));
    }

    #[test]
    fn small_decimals_have_no_exponent() {
        let mut row = testing::baseline();
        row.block.gas_used = 1;
        assert!(written(vec![row])[1].contains(",0.000125,"));
    }
}
