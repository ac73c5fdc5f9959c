//! The table of `verify`: a row per block.

use super::{
    BLOCK_COLUMNS, BlockResult, Column, Table, TableRow, header_columns, or_null, text, whole,
};
use crate::report::{
    ReportError,
    record::nanoseconds,
    verdict_table::VerdictLine,
    verification::{BlockRecord, VerifiedBlock},
};
use crate::verify::Verdict;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

pub(super) const VERDICTS: &str = "verdicts";

const COLUMNS: [Column; 18] = [
    text("fork"),
    whole("timestamp"),
    whole("gas_limit"),
    whole("gas_used"),
    whole("transactions"),
    or_null(text("rules_digest")),
    text("verdict"),
    or_null(text("what")),
    text("verified_to"),
    text("header"),
    or_null(text("confirmed_by")),
    whole("decode_ns"),
    whole("senders_ns"),
    whole("witness_ns"),
    whole("flatten_ns"),
    whole("execute_ns"),
    whole("root_ns"),
    whole("check_ns"),
];

/// The steps of a verification, each of which has a column with its time.
pub const VERDICT_STEPS: [&str; 7] =
    ["decode", "senders", "witness", "flatten", "execute", "root", "check"];

pub(super) const TABLES: [Table; 1] = [Table { name: VERDICTS, columns: &COLUMNS }];

/// A row, as far as the table of the terminal shows it.
#[derive(Deserialize)]
struct VerdictRow {
    fork: String,
    transactions: u64,
    what: Option<String>,
    verdict: String,
    verified_to: String,
    header: String,
    #[serde(flatten)]
    others: TableRow,
}

impl BlockResult {
    /// The lines of a verified block in the table of the terminal.
    ///
    /// # Errors
    /// If a row lacks a value, or has one of another type.
    pub fn verdict_lines(&self) -> Result<Vec<VerdictLine>, serde_json::Error> {
        let rows = self.tables.get(VERDICTS).into_iter().flatten();
        let rows = rows.map(|row| VerdictRow::deserialize(Value::Object(row.clone())));
        rows.map(|row| Ok(self.verdict_line(row?))).collect()
    }

    fn verdict_line(&self, row: VerdictRow) -> VerdictLine {
        let time = |step| {
            let time = row.others.get(&format!("{step}_ns")).and_then(Value::as_u64);
            Duration::from_nanos(time.unwrap_or_default())
        };
        VerdictLine {
            number: self.block_number,
            times: VERDICT_STEPS.map(time),
            fork: row.fork,
            transactions: row.transactions,
            verified_to: row.verified_to,
            header: row.header,
            verdict: row.what.unwrap_or(row.verdict),
        }
    }

    /// The records of a verified block in a JSON document.
    ///
    /// # Errors
    /// If a row lacks a value, or has one of another type.
    pub fn verdict_records(&self) -> Result<Vec<BlockRecord>, serde_json::Error> {
        let rows = self.tables.get(VERDICTS).into_iter().flatten();
        rows.map(|row| self.verdict_record(row.clone())).collect()
    }

    fn verdict_record(&self, mut row: TableRow) -> Result<BlockRecord, serde_json::Error> {
        let columns = VERDICT_STEPS.map(|step| format!("{step}_ns"));
        let times: TableRow =
            columns.into_iter().filter_map(|column| row.remove_entry(&column)).collect();
        row.insert("times".to_owned(), times.into());
        let block = BLOCK_COLUMNS.iter().zip(self.block_values());
        row.extend(block.map(|(column, value)| (column.name.to_owned(), value)));
        serde_json::from_value(Value::Object(row))
    }

    /// The row of a verified block.
    ///
    /// # Errors
    /// [`ReportError::Json`].
    pub fn of_verdict(block: &VerifiedBlock) -> Result<Self, ReportError> {
        let mismatch = !matches!(block.verdict, Verdict::Match);
        let mut result = Self::new(&block.facts, mismatch);
        result.add(VERDICTS, [BlockRecord::new(block)])?;
        let times = block.times.iter();
        let times: Vec<_> =
            times.map(|(step, time)| (format!("{step}_ns"), nanoseconds(*time).into())).collect();
        let times: Vec<_> = times
            .iter()
            .map(|(name, time): &(_, serde_json::Value)| (name.as_str(), time.clone()))
            .collect();
        result.set(VERDICTS, &times);
        result.set(VERDICTS, &header_columns(&block.facts));
        result.tables.values_mut().flatten().for_each(|row| drop(row.remove("times")));
        Ok(result)
    }
}
