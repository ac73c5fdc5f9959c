//! Reads a file of `replay --json` as the results of its blocks.

use super::{
    BlockResult, TableRow,
    races::{PREPARATION, PROFILED, RESULTS, SAMPLES, SELF_CHECK_SAMPLES, SELF_CHECKS},
};
use crate::report::{Failure, Machine, Provenance, Settings, json::SCHEMA_VERSION, run::RunError};
use alloy_primitives::{B256, BlockNumber, ChainId};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A run of `replay`.
#[derive(Clone, Debug)]
pub struct RaceDocument {
    /// Date and build.
    pub provenance: Provenance,
    /// The machine.
    pub machine: Machine,
    /// The settings.
    pub settings: Settings,
    /// Identifiers and texts of the warnings.
    pub warnings: Vec<(String, String)>,
    /// The blocks with results, by number.
    pub blocks: Vec<BlockResult>,
    /// The blocks that could not be run.
    pub failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

#[derive(Deserialize)]
struct Document {
    provenance: Provenance,
    machine: Machine,
    settings: Settings,
    warnings: Vec<WarningText>,
    results: Vec<TableRow>,
    details: Vec<TableRow>,
    self_checks: Vec<TableRow>,
    preparation: Vec<TableRow>,
    profiled: Vec<TableRow>,
    mismatches: Vec<TableRow>,
    fallbacks: Vec<TableRow>,
    failures: Vec<Failure>,
    samples: Vec<TableRow>,
}

#[derive(Deserialize)]
struct WarningText {
    kind: String,
    what: String,
}

type Blocks = BTreeMap<(ChainId, BlockNumber), BlockResult>;

impl RaceDocument {
    /// Reads a file of `replay --json`.
    ///
    /// # Errors
    /// If the text is no such file, or of another schema version.
    pub fn read(text: &[u8]) -> Result<Self, RunError> {
        let Version { schema_version: found } = serde_json::from_slice(text)?;
        if found != SCHEMA_VERSION {
            return Err(RunError::Version { found });
        }
        let document: Document = serde_json::from_slice(text)?;
        let mut blocks = Blocks::new();
        for row in document.results {
            let is_match = row.get("verdict").is_some_and(|verdict| verdict == "match");
            let block = block_of(&mut blocks, &row);
            block.mismatch |= !is_match;
            add(block, RESULTS, row);
        }
        let reasons = document.mismatches.into_iter().chain(document.fallbacks);
        for row in document.details.into_iter().chain(reasons) {
            extend_result(block_of(&mut blocks, &row), row);
        }
        for mut row in document.self_checks {
            let laps = row.remove("execute_ns");
            let block = block_of(&mut blocks, &row);
            for (iteration, time) in
                laps.iter().flat_map(|laps| laps.as_array()).flatten().enumerate()
            {
                add(block, SELF_CHECK_SAMPLES, lap(&row, iteration, time));
            }
            add(block, SELF_CHECKS, row);
        }
        let others = [
            (PREPARATION, document.preparation),
            (PROFILED, document.profiled),
            (SAMPLES, document.samples),
        ];
        for (table, rows) in others {
            rows.into_iter().for_each(|row| add(block_of(&mut blocks, &row), table, row));
        }
        Ok(Self {
            provenance: document.provenance,
            machine: document.machine,
            settings: document.settings,
            warnings: document.warnings.into_iter().map(|each| (each.kind, each.what)).collect(),
            blocks: blocks.into_values().collect(),
            failures: document.failures,
        })
    }
}

/// The block of a row. Its hash is in its result rows, which come first.
fn block_of<'a>(blocks: &'a mut Blocks, row: &TableRow) -> &'a mut BlockResult {
    let number = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (chain_id, block_number) = (number("chain_id"), number("block_number"));
    let hash = row.get("block_hash").and_then(Value::as_str).and_then(|text| text.parse().ok());
    blocks.entry((chain_id, block_number)).or_insert_with(|| BlockResult {
        chain_id,
        block_number,
        block_hash: hash.unwrap_or(B256::ZERO),
        mismatch: false,
        tables: BTreeMap::new(),
    })
}

fn add(block: &mut BlockResult, table: &str, row: TableRow) {
    block.tables.entry(table.to_owned()).or_default().push(row);
}

/// Adds further columns to the result row of the same contender.
fn extend_result(block: &mut BlockResult, more: TableRow) {
    let results = block.tables.get_mut(RESULTS).into_iter().flatten();
    let is_same = |row: &TableRow| {
        ["executor", "threads"].iter().all(|name| row.get(*name) == more.get(*name))
    };
    for row in results.filter(|row| is_same(row)) {
        row.extend(more.clone());
    }
}

fn lap(check: &TableRow, iteration: usize, time: &Value) -> TableRow {
    let threads = check.get("threads").cloned().unwrap_or_default();
    let columns =
        [("threads", threads), ("iteration", iteration.into()), ("execute_ns", time.clone())];
    Map::from_iter(columns.map(|(name, value)| (name.to_owned(), value)))
}
