//! Why an archive could not be read or written.
//!
//! [`ArchiveError`] ends the whole archive, [`MemberError`] one of its members.

use std::io;

use alloy_primitives::{B256, hex};

use super::super::{CacheError, ContainerError};
use crate::block::BlockId;

/// Why an archive is of no use, or was not written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ArchiveError {
    /// Not a tar file, or cut short in its first member.
    #[error("it does not start as a tar file does")]
    NotATar { source: io::Error },

    /// Some other tar file.
    #[error("its first member is not manifest.json, so it is no archive of blockrace")]
    NoManifest,

    /// Many times more than any archive needs.
    #[error("its manifest has {size} bytes, over the limit of {limit}")]
    HugeManifest { size: u64, limit: u64 },

    /// The manifest cannot be read.
    #[error("its manifest is not what a manifest should be")]
    Manifest { source: serde_json::Error },

    /// A manifest of some other program.
    #[error("its manifest says that it is something else than an archive of blockrace")]
    OtherFormat,

    /// Written by another release.
    #[error("it is an archive of version {found}; this release reads version {known}")]
    UnknownVersion { found: u64, known: u64 },

    /// The same block twice.
    #[error("its manifest lists block {} ({}) of chain {} twice", .id.number, .id.hash, .id.chain_id)]
    ListedTwice { id: BlockId },

    /// Not 64 hex digits.
    #[error("its manifest has no SHA-256 for block {number}")]
    Checksum { number: u64, source: hex::FromHexError },

    /// A block became unreadable between being listed and being written.
    #[error("a block cannot be read any more")]
    Block { source: CacheError },

    /// A block's file was replaced between being listed and being written.
    #[error("block {number} changed while it was exported; export again")]
    Changed { number: u64 },

    /// The archive could not be put in place. What was there before is unchanged.
    #[error("the archive could not be written")]
    Write(#[from] io::Error),
}

/// Why a member of an archive is not a block that can be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum MemberError {
    /// The tar file is damaged from here on, or cut short.
    #[error("the archive cannot be read further")]
    Unreadable { source: io::Error },

    /// Not in the manifest, e.g. because it tries to get out of the folder.
    #[error("member {name:?} is not in the manifest, and was left alone")]
    Unlisted { name: String },

    /// A link, a device, a folder.
    #[error("member {name:?} is not a plain file, and was left alone")]
    NotAFile { name: String },

    /// The second of one name.
    #[error("block {number} is in the archive more than once; only the first was looked at")]
    Repeated { number: u64 },

    /// Listed, and not there.
    #[error("block {number} is in the manifest but not in the archive")]
    Missing { number: u64 },

    /// The tar file and its manifest disagree.
    #[error("block {number} has {found} bytes, the manifest says {listed}")]
    WrongSize { number: u64, listed: u64, found: u64 },

    /// The archive ends inside the member, or could not be read there.
    #[error("block {number} is cut short")]
    CutShort { number: u64, source: io::Error },

    /// Damaged on the way.
    #[error("block {number} has SHA-256 {found}, the manifest says {listed}")]
    WrongChecksum { number: u64, listed: B256, found: B256 },

    /// Not a container of this release.
    #[error("block {number} is not in a container that can be read")]
    Container { number: u64, source: ContainerError },

    /// The container holds something else than listed.
    #[error(
        "what is listed as block {} ({}) of chain {} is block {} ({}) of chain {}",
        .listed.number, .listed.hash, .listed.chain_id, .found.number, .found.hash, .found.chain_id
    )]
    WrongBlock { listed: BlockId, found: BlockId },
}
