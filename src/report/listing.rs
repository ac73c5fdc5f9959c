//! Writes the contents of a cache as JSON (RFC 8259). `data/cache-list.schema.json` is the schema.

use std::io;

use alloy_primitives::{B256, BlockNumber};
use serde::Serialize;

use super::{Failure, Provenance, ReportError, json::write_document};

/// Increases if a field is removed or changes its meaning. New fields do not increase it.
pub const SCHEMA_VERSION: u32 = 1;

/// The contents of a cache.
#[derive(Clone, Debug, Serialize)]
pub struct CacheListing {
    /// Version of the format.
    pub schema_version: u32,
    /// The date of the listing and the build of the program.
    pub provenance: Provenance,
    /// Folder of the cache.
    pub cache_dir: String,
    /// The listed blocks.
    pub blocks: Vec<ListedBlock>,
    /// Number of selected blocks that are not cached.
    pub missing: u64,
    /// Blocks with a file that cannot be read.
    pub failures: Vec<Failure>,
    /// Temporary files of killed processes.
    pub leftovers: LeftoverFiles,
}

/// A cached block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedBlock {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Block number.
    pub block_number: BlockNumber,
    /// Block hash.
    pub block_hash: B256,
    /// Name of the active hard fork; `None` for an unknown chain.
    pub fork: Option<String>,
    /// Digest of the chain's rules; `None` for an unknown chain.
    #[serde(rename = "rules_digest")]
    pub rules: Option<B256>,
    /// Number of transactions.
    pub transactions: usize,
    /// Gas used by the block, as in the header.
    pub gas_used: u64,
    /// Number of trie nodes of the witness.
    pub nodes: usize,
    /// Number of contract codes.
    pub codes: usize,
    /// Number of headers of ancestors.
    pub ancestors: usize,
    /// Depth of the verification: `state-root` or `receipts`.
    pub verified_to: &'static str,
    /// Level of the header: `confirmed` or `consistent`.
    pub header: &'static str,
    /// Source that confirms the header; `None` if it is only consistent with its block.
    pub confirmed_by: Option<String>,
    /// The block access list: `stored` in the file, or `derived` by each replay; `None` before Amsterdam.
    pub access_list: Option<&'static str>,
    /// Size of the file in bytes.
    pub size_bytes: u64,
}

/// Temporary files of killed processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftoverFiles {
    /// Number of files.
    pub files: usize,
    /// Their size in bytes.
    pub size_bytes: u64,
}

/// Writes `listing` as one indented JSON document, with a line feed at its end.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::ContenderResult`] if `out` fails.
pub fn write(listing: &CacheListing, out: impl io::Write) -> Result<(), ReportError> {
    write_document(listing, out)
}
