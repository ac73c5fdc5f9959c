//! The results of blocks as rows of tables, for outputs that grow block by block.
//!
//! A [`BlockResult`] holds the rows of one block. It is one line of a journal (JSON). The rows of many blocks are a
//! Parquet file ([`parquet`]). Both have the columns that the tables name here. Columns have the names of the JSON, and
//! of cryo and xatu where these have such a column. [`races`], [`verdicts`] and [`analyses`] make the rows.

mod analyses;
mod document;
pub mod parquet;
mod races;
mod read;
mod read_analysis;
#[cfg(test)]
mod tests;
mod verdicts;

pub use self::{
    document::RaceDocument, races::RacedBlock, read::RaceRows, verdicts::VERDICT_STEPS,
};

use super::{BlockFacts, ReportError};
use alloy_primitives::{B256, BlockNumber, ChainId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Increases if a column is removed or changes its meaning. New columns do not increase it.
pub const SCHEMA_VERSION: u32 = 1;

/// A row: values by column.
pub type TableRow = Map<String, Value>;

/// A table of an output.
#[derive(Debug)]
pub struct Table {
    /// The name of the table and of its folder.
    pub name: &'static str,
    /// The columns in order, after those of the block.
    columns: &'static [Column],
}

impl Table {
    /// All columns: first those that every table has.
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> {
        BLOCK_COLUMNS.iter().chain(self.columns)
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// Whether a row may lack the value.
    pub nullable: bool,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer of 64 bits without a sign.
    Whole,
    /// A double.
    Decimal,
    /// Text in UTF-8.
    Text,
}

const fn whole(name: &'static str) -> Column {
    Column { name, kind: Kind::Whole, nullable: false }
}

const fn decimal(name: &'static str) -> Column {
    Column { name, kind: Kind::Decimal, nullable: false }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text, nullable: false }
}

const fn or_null(column: Column) -> Column {
    Column { nullable: true, ..column }
}

/// The columns of every table.
const BLOCK_COLUMNS: [Column; 3] = [whole("chain_id"), whole("block_number"), text("block_hash")];

/// The tables of a command. The first one has rows for every block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableSet {
    /// The tables of `verify`.
    Verdicts,
    /// The tables of `analyze`.
    Analyses,
    /// The tables of `replay`.
    Races,
}

impl TableSet {
    /// The command that writes these tables.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Verdicts => "verify",
            Self::Analyses => "analyze",
            Self::Races => "replay",
        }
    }

    /// The tables.
    pub const fn tables(self) -> &'static [Table] {
        match self {
            Self::Verdicts => &verdicts::TABLES,
            Self::Analyses => &analyses::TABLES,
            Self::Races => &races::TABLES,
        }
    }
}

/// The rows of one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockResult {
    /// EIP-155 chain id.
    pub chain_id: ChainId,
    /// Block number.
    pub block_number: BlockNumber,
    /// Block hash.
    pub block_hash: B256,
    /// Whether an executor has a wrong outcome for the block.
    pub mismatch: bool,
    /// Rows by table. They lack the columns of the block.
    pub tables: BTreeMap<String, Vec<TableRow>>,
}

impl BlockResult {
    fn new(facts: &BlockFacts, mismatch: bool) -> Self {
        let BlockFacts { chain_id, number, hash, .. } = *facts;
        let tables = BTreeMap::new();
        Self { chain_id, block_number: number, block_hash: hash, mismatch, tables }
    }

    /// Adds rows of a table. Columns of the block are left out, since [`BlockResult`] has them.
    fn add(
        &mut self,
        table: &str,
        rows: impl IntoIterator<Item = impl Serialize>,
    ) -> Result<(), ReportError> {
        let rows = rows.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
        self.tables.insert(table.to_owned(), rows);
        Ok(())
    }

    /// Sets columns of every row of a table.
    fn set(&mut self, table: &str, columns: &[(&str, Value)]) {
        for row in self.tables.get_mut(table).into_iter().flatten() {
            let columns = columns.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            row.extend(columns);
        }
    }

    /// The name of the machine that took the times; `None` without times.
    pub fn machine(&self) -> Option<&str> {
        self.tables.values().flatten().find_map(|row| row.get("machine")?.as_str())
    }

    /// The columns that every table has, as values.
    fn block_values(&self) -> [Value; BLOCK_COLUMNS.len()] {
        let hash = self.block_hash.to_string();
        [self.chain_id.into(), self.block_number.into(), hash.into()]
    }
}

/// A row of a record. Its fields are the columns.
fn row(record: impl Serialize) -> Result<TableRow, ReportError> {
    let mut row = match serde_json::to_value(record).map_err(ReportError::Json)? {
        Value::Object(row) => row,
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    BLOCK_COLUMNS.iter().for_each(|column| drop(row.remove(column.name)));
    Ok(row)
}

/// The columns of the header that the JSON documents lack.
fn header_columns(facts: &BlockFacts) -> [(&'static str, Value); 2] {
    [("timestamp", facts.timestamp.into()), ("gas_limit", facts.gas_limit.into())]
}
