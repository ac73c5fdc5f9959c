//! Why an archive could not be read or written.
//!
//! An [`ArchiveError`] concerns the whole archive, a [`MemberError`] one of its members.

use std::io;

use alloy_primitives::{B256, hex};

use super::super::{BlockId, CacheError, ContainerError};

/// Why an archive cannot be used, or was not written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ArchiveError {
    /// The file is not a tar file, or is cut short in its first member.
    #[error("it does not begin like a tar file")]
    NotATar { source: io::Error },

    /// Another tar file.
    #[error("its first member is not manifest.json, so it is not a blockrace archive")]
    NoManifest,

    /// The manifest is many times larger than any archive needs.
    #[error("its manifest has {size} bytes, over the limit of {limit}")]
    HugeManifest { size: u64, limit: u64 },

    /// The manifest cannot be read.
    #[error("its manifest cannot be read")]
    Manifest { source: serde_json::Error },

    /// The manifest of another program.
    #[error("its manifest does not name the format of a blockrace archive")]
    OtherFormat,

    /// Another release wrote the archive.
    #[error("it is an archive of version {found}; this release reads version {known}")]
    UnknownVersion { found: u64, known: u64 },

    /// The manifest lists the same block twice.
    #[error("its manifest lists block {} ({}) of chain {} twice", .id.number, .id.hash, .id.chain_id)]
    ListedTwice { id: BlockId },

    /// The checksum is not 64 hex digits.
    #[error("its manifest has no SHA-256 for block {number}")]
    Checksum { number: u64, source: hex::FromHexError },

    /// A block became unreadable after it was listed and before it was written.
    #[error("a block can no longer be read")]
    Block { source: CacheError },

    /// A block's file was replaced after it was listed and before it was written.
    #[error("block {number} changed while it was exported; export again")]
    Changed { number: u64 },

    /// The archive could not be written. An existing file is unchanged.
    #[error("the archive could not be written")]
    Write(#[from] io::Error),
}

/// Why a member of an archive is not a usable block.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum MemberError {
    /// The tar file is damaged from here on, or cut short.
    #[error("the archive cannot be read further")]
    Unreadable { source: io::Error },

    /// The member is not in the manifest, for example because its name leads out of the folder.
    #[error("member {name:?} is not in the manifest, and was skipped")]
    Unlisted { name: String },

    /// The member is a link, a device or a folder.
    #[error("member {name:?} is not a plain file, and was skipped")]
    NotAFile { name: String },

    /// The second member of the same name.
    #[error("block {number} is in the archive more than once; only the first was read")]
    Repeated { number: u64 },

    /// The block is in the manifest and has no member.
    #[error("block {number} is in the manifest but not in the archive")]
    Missing { number: u64 },

    /// The tar file and its manifest disagree.
    #[error("block {number} has {found} bytes, the manifest says {listed}")]
    WrongSize { number: u64, listed: u64, found: u64 },

    /// The archive ends inside the member, or could not be read there.
    #[error("block {number} is cut short")]
    CutShort { number: u64, source: io::Error },

    /// The member does not match its checksum.
    #[error("block {number} has SHA-256 {found}, the manifest says {listed}")]
    WrongChecksum { number: u64, listed: B256, found: B256 },

    /// The member is not a container of this release.
    #[error("block {number} is not in a readable container")]
    Container { number: u64, source: ContainerError },

    /// The container holds another block than the manifest lists.
    #[error(
        "the member listed as block {} ({}) of chain {} is block {} ({}) of chain {}",
        .listed.number, .listed.hash, .listed.chain_id, .found.number, .found.hash, .found.chain_id
    )]
    WrongBlock { listed: BlockId, found: BlockId },
}
