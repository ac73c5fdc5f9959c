//! Why a block could not be read from the cache or written to it.
//!
//! Two layers: [`ContainerError`] speaks of bytes, wherever they came from; [`CacheError`] adds which
//! file, and what to do about it. Neither repeats its source in its own message.

use std::{
    io,
    path::{Path, PathBuf},
};

use alloy_primitives::{BlockNumber, ChainId};

use super::container::VERSION;
use crate::block::BlockId;

/// Why bytes are not a container that this version can read, or a block cannot become one.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ContainerError {
    /// Some other file.
    #[error("it does not start as a blockrace container does")]
    NotAContainer,

    /// The end is missing.
    #[error("it is cut short")]
    Truncated,

    /// Written by another release.
    #[error("it is a container of version {found}; this release reads version {VERSION}")]
    UnknownVersion { found: u16 },

    /// The zstd frame is not one, or its content does not have the checksum that it should have.
    #[error("its zstd frame is damaged")]
    Damaged { source: io::Error },

    /// The start of the zstd frame is not one.
    #[error("its zstd frame has no valid header")]
    NoFrame,

    /// The zstd frame leaves out its content size, which the format requires.
    #[error("its zstd frame does not declare the size of its content")]
    UnknownSize,

    /// Something follows the zstd frame.
    #[error("{count} bytes follow its zstd frame, where the file should end")]
    TrailingBytes { count: usize },

    /// More than any real block has. Also on writing, as nothing could read the file.
    #[error("{size} {part} are over the limit of {limit}, which no real block comes near")]
    TooLarge { part: &'static str, size: u64, limit: u64 },

    /// The content is not the RLP that the format asks for.
    #[error("its {part} cannot be decoded from RLP")]
    Malformed { part: &'static str, source: alloy_rlp::Error },

    /// A list of a flat pre-state that must be in ascending order is not. Also on writing.
    #[error("its {part} are not in ascending order, or one of them is there twice")]
    NotAscending { part: &'static str },

    /// A kind of pre-state of a later release.
    #[error("it holds a pre-state of kind {kind}, which this release does not know")]
    UnknownKind { kind: u64 },

    /// Items of a later release follow the pre-state.
    #[error("{bytes} bytes follow its pre-state, which this release does not know")]
    UnknownItems { bytes: usize },

    /// The content could not be compressed.
    #[error("its content could not be compressed")]
    Compress { source: io::Error },
}

/// Why a block could not be read from the cache or written to it. Which block that is, whoever asked for it says.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields, or whoever asked knows them")]
pub enum CacheError {
    /// Never fetched.
    #[error("it is not cached; fetch it first")]
    NotCached { number: BlockNumber },

    /// Several blocks of one number, as a reorg leaves them.
    #[error(
        "it is cached more than once; remove all but one of {}",
        .paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Ambiguous { number: BlockNumber, paths: Vec<PathBuf> },

    /// A folder of the cache exists but cannot be listed.
    #[error("cannot list {}", .path.display())]
    List { path: PathBuf, source: io::Error },

    /// The file exists but cannot be read.
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },

    /// The file could not be put in place. What was there before is unchanged.
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },

    /// The file could not be removed.
    #[error("cannot remove {}", .path.display())]
    Remove { path: PathBuf, source: io::Error },

    /// The file is damaged, foreign, or of another release.
    #[error("{} cannot be used; fetch the block again with --overwrite", .path.display())]
    Unusable { path: PathBuf, source: ContainerError },

    /// The block does not fit into a container.
    #[error("block {} ({}) cannot be cached", .id.number, .id.hash)]
    Unstorable { id: BlockId, source: ContainerError },

    /// The file holds some other block than its name says, e.g. because it was renamed.
    #[error(
        "{} holds block {} ({}), not the one in its name; fetch block {} again with --overwrite",
        .path.display(), .found.number, .found.hash, .expected.number
    )]
    WrongBlock { path: PathBuf, expected: BlockId, found: BlockId },

    /// The file holds a block of another chain than its folder says.
    #[error(
        "{} holds a block of chain {found}, not {expected}; move it to the folder {found}, \
         or fetch the block again with --overwrite",
        .path.display()
    )]
    WrongChain { path: PathBuf, expected: ChainId, found: ChainId },
}

impl CacheError {
    /// For `map_err`: a folder that cannot be listed.
    pub(super) fn list(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::List { path: path.to_owned(), source }
    }

    /// For `map_err`: a file whose content cannot be used.
    pub(super) fn unusable(path: &Path) -> impl FnOnce(ContainerError) -> Self {
        move |source| Self::Unusable { path: path.to_owned(), source }
    }
}
