//! Why a block could not be read from the cache or written to it.
//!
//! There are two layers. [`ContainerError`] describes bytes of any origin. [`CacheError`] adds the
//! file and a remedy. Neither repeats its source in its own message.

use std::{
    io,
    path::{Path, PathBuf},
};

use alloy_primitives::{BlockNumber, ChainId};

use super::{bucket::BucketFault, container::VERSION};
use crate::block::BlockId;

/// Why this release cannot read bytes as a container, or write a block as one.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ContainerError {
    /// The file is not a container.
    #[error("it does not begin like a blockrace container")]
    NotAContainer,

    /// The end of the file is missing.
    #[error("it is cut short")]
    Truncated,

    /// Another release wrote the file.
    #[error("it is a container of version {found}; this release reads versions 1 to {VERSION}")]
    UnknownVersion { found: u16 },

    /// The zstd frame is damaged, or its content does not match the checksum.
    #[error("its zstd frame is damaged")]
    Damaged { source: io::Error },

    /// The zstd frame has no valid header.
    #[error("its zstd frame has no valid header")]
    NoFrame,

    /// The zstd frame does not declare its content size, but the format requires it.
    #[error("its zstd frame does not declare the size of its content")]
    UnknownSize,

    /// Bytes follow the zstd frame.
    #[error("{count} bytes follow its zstd frame, where the file should end")]
    TrailingBytes { count: usize },

    /// A size is larger than in any real block. Also returned on writing, because the file could
    /// not be read.
    #[error("{size} {part} are over the limit of {limit}, which is far above any real block")]
    TooLarge { part: &'static str, size: u64, limit: u64 },

    /// The content is not the RLP that the format requires.
    #[error("its {part} cannot be decoded from RLP")]
    Malformed { part: &'static str, source: alloy_rlp::Error },

    /// A list of a flat pre-state is not in ascending order. Also returned on writing.
    #[error("its {part} are not in ascending order, or one of them is repeated")]
    NotAscending { part: &'static str },

    /// A kind of pre-state of a later release.
    #[error("it holds a pre-state of kind {kind}, which this release cannot read")]
    UnknownKind { kind: u64 },

    /// Items of a later release follow the last known one.
    #[error("{bytes} bytes follow its last known item, which this release cannot read")]
    UnknownItems { bytes: usize },

    /// The content could not be compressed.
    #[error("its content could not be compressed")]
    Compress { source: io::Error },
}

/// Why a block could not be read from the cache or written to it. The caller knows the block, so
/// most messages do not name it. A path is the URL of an object if the cache is in a bucket.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields, or the caller knows them")]
pub enum CacheError {
    /// The block was never fetched.
    #[error("it is not cached; fetch it first")]
    NotCached { number: BlockNumber },

    /// Several blocks have the same number, for example after a reorg.
    #[error(
        "it is cached more than once; select one by its hash, or remove all but one of {}",
        .paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Ambiguous { number: BlockNumber, paths: Vec<PathBuf> },

    /// The settings of a bucket cannot be used.
    #[error("cannot open {}", .path.display())]
    Open { path: PathBuf, source: BucketFault },

    /// A folder of the cache exists but cannot be listed.
    #[error("cannot list {}", .path.display())]
    List { path: PathBuf, source: io::Error },

    /// The file exists but cannot be read.
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },

    /// The file could not be written. An existing file is unchanged.
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },

    /// The file could not be removed.
    #[error("cannot remove {}", .path.display())]
    Remove { path: PathBuf, source: io::Error },

    /// The file is damaged, not a container, or of another release.
    #[error("{} cannot be used; fetch the block again with --overwrite", .path.display())]
    Unusable { path: PathBuf, source: ContainerError },

    /// The block does not fit into a container.
    #[error("block {} ({}) cannot be cached", .id.number, .id.hash)]
    Unstorable { id: BlockId, source: ContainerError },

    /// The file holds another block than its name says, for example because it was renamed.
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
    /// The fault of the bucket that is the cause, if there is one.
    pub fn bucket_fault(&self) -> Option<&BucketFault> {
        match self {
            Self::Open { source, .. } => Some(source),
            Self::List { source, .. }
            | Self::Read { source, .. }
            | Self::Write { source, .. }
            | Self::Remove { source, .. } => source.get_ref()?.downcast_ref(),
            _ => None,
        }
    }

    /// Whether the same call may succeed later, since the bucket is busy or cannot be reached.
    pub fn is_transient(&self) -> bool {
        self.bucket_fault().is_some_and(BucketFault::is_transient)
    }

    /// For `map_err`: the folder cannot be listed.
    pub(super) fn list(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::List { path: path.to_owned(), source }
    }

    /// For `map_err`: the content of the file cannot be used.
    pub(super) fn unusable(path: &Path) -> impl FnOnce(ContainerError) -> Self {
        move |source| Self::Unusable { path: path.to_owned(), source }
    }
}
