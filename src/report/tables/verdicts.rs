//! The table of `verify`: a row per block.

use super::{BlockResult, Column, Table, header_columns, or_null, text, whole};
use crate::report::{
    ReportError,
    record::nanoseconds,
    verification::{BlockRecord, VerifiedBlock},
};
use crate::verify::Verdict;

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

pub(super) const TABLES: [Table; 1] = [Table { name: VERDICTS, columns: &COLUMNS }];

impl BlockResult {
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
