//! The state of an output folder as JSON (RFC 8259). `data/status.schema.json` is the schema.

use std::{collections::BTreeMap, io};

use alloy_primitives::{B256, BlockNumber, ChainId};
use serde::Serialize;

use super::{Provenance, ReportError, json::write_document};

/// Increases if a field is removed or changes its meaning. New fields do not increase it.
pub const SCHEMA_VERSION: u32 = 1;

/// The state of an output folder.
#[derive(Clone, Debug, Serialize)]
pub struct OutputStatus {
    /// Version of the format.
    pub schema_version: u32,
    /// The date of the look and the build of the program.
    pub provenance: Provenance,
    /// Path of the folder.
    pub output: String,
    /// The command whose results are there.
    pub command: String,
    /// The settings by option.
    pub settings: BTreeMap<String, String>,
    /// Digest of the settings.
    pub settings_digest: B256,
    /// The chunks with results, by chain and number.
    pub chunks: Vec<ChunkStatus>,
    /// The tables with the rows of their finished chunks.
    pub tables: Vec<TableStatus>,
    /// Builds that wrote finished chunks.
    pub builds: Vec<String>,
    /// Number of blocks that the settings name; `None` if they name no numbers.
    pub asked: Option<u64>,
    /// Blocks that the settings name and that have no result; `None` if they name no numbers.
    pub missing: Option<Vec<BlockSpan>>,
    /// The state of each shard; `None` if the number of shards or the blocks are not known.
    pub shards: Option<Vec<ShardStatus>>,
}

/// A chunk with results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ChunkStatus {
    /// EIP-155 chain id.
    pub chain_id: ChainId,
    /// First number of the chunk.
    pub first: BlockNumber,
    /// Last number of the chunk.
    pub last: BlockNumber,
    /// Whether its files are complete.
    pub state: ChunkState,
    /// Number of blocks with a result.
    pub blocks: usize,
    /// Number of these blocks with a wrong outcome.
    pub mismatches: usize,
}

/// Whether a chunk is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChunkState {
    /// Each of its selected blocks has a result.
    Finished,
    /// Its results are in a journal.
    Unfinished,
}

/// A table of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableStatus {
    /// Name of the table.
    pub table: &'static str,
    /// Number of rows in finished chunks.
    pub rows: u64,
}

/// Consecutive blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BlockSpan {
    /// The first number.
    pub first: BlockNumber,
    /// The last number.
    pub last: BlockNumber,
}

/// A part of the blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShardStatus {
    /// The part, as `I/N`.
    pub shard: String,
    /// Number of its blocks.
    pub asked: u64,
    /// Number of these blocks without a result.
    pub missing: u64,
}

impl OutputStatus {
    /// Number of blocks with a result.
    pub fn blocks(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.blocks).sum()
    }

    /// Number of blocks with a wrong outcome.
    pub fn mismatches(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.mismatches).sum()
    }

    /// The chunks that are not finished.
    pub fn unfinished(&self) -> impl Iterator<Item = &ChunkStatus> {
        self.chunks.iter().filter(|chunk| chunk.state == ChunkState::Unfinished)
    }
}

/// Writes `status` as one indented JSON document, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(status: &OutputStatus, out: impl io::Write) -> Result<(), ReportError> {
    write_document(status, out)
}
