//! Writes the results of `fetch` as JSON (RFC 8259). `data/fetch.schema.json` is the schema.

use std::io;

use alloy_primitives::{B256, BlockNumber};
use serde::Serialize;

use super::{Provenance, ReportError, json::write_document};

/// Increases if a field is removed or changes its meaning. New fields do not increase it.
pub const SCHEMA_VERSION: u32 = 1;

/// The results of a fetch.
#[derive(Clone, Debug, Serialize)]
pub struct FetchReport {
    /// Version of the format.
    pub schema_version: u32,
    /// The date of the fetch and the build of the program.
    pub provenance: Provenance,
    /// EIP-155 chain id of the node.
    pub chain_id: u64,
    /// Folder of the cache.
    pub cache_dir: String,
    /// Number of selected blocks.
    pub selected: u64,
    /// Number of blocks that were cached before.
    pub already_cached: u64,
    /// Whether the fetch was interrupted.
    pub interrupted: bool,
    /// Number of blocks that are not stored.
    pub refused: u64,
    /// The stored blocks.
    pub blocks: Vec<StoredBlock>,
    /// The blocks that are not stored.
    pub failures: Vec<RefusedBlock>,
}

/// A block that was fetched, proved and stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredBlock {
    /// Block number.
    pub block_number: BlockNumber,
    /// Block hash.
    pub block_hash: B256,
    /// Level of the header: `confirmed` or `consistent`.
    pub header: &'static str,
    /// Source that confirms the header; `None` if it is only consistent with its block.
    pub confirmed_by: Option<String>,
    /// Depth of the verification: `state-root` or `receipts`.
    pub verified_to: &'static str,
    /// Origin of the block access list: `node` or `derived`; `None` before Amsterdam.
    pub access_list: Option<&'static str>,
    /// Assumptions of a flat pre-state.
    pub assumed: Option<String>,
}

/// A block that is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedBlock {
    /// Block number.
    pub block_number: BlockNumber,
    /// Whether the block was executed and does not match its header.
    pub is_mismatch: bool,
    /// The reason.
    pub what: String,
}

/// Writes `report` as one indented JSON document, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(report: &FetchReport, out: impl io::Write) -> Result<(), ReportError> {
    write_document(report, out)
}
