//! The seam between a cache and the place of its files: a [`Folder`](super::folder::Folder) or a
//! [`Bucket`](super::bucket::Bucket).
//!
//! The cache decides which file a block has, and what its bytes mean. The storage reads and writes files. It calls
//! them by paths that begin with the root of the cache. The root of a bucket is its URL.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::CacheError;

/// Size in bytes, and nanoseconds since 1970 at the last modification. A bucket has no such time.
pub(super) type Stamp = (u64, Option<u128>);

/// The bytes of a file, unless there are more than the limit.
#[derive(Debug)]
pub(super) enum Content {
    /// All bytes.
    Whole(Vec<u8>),
    /// The size of a file that was not read.
    TooLarge(u64),
}

/// The lists about the blocks of a chunk. They consist of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Notes {
    /// Confirmed headers.
    Confirmed,
    /// Checked files.
    Checked,
}

impl Notes {
    /// Start of the name of each file with such lines.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Checked => "checked",
        }
    }

    /// Maximum size of a file in bytes: some million confirmed headers, or some lines for each block of a chunk.
    pub(super) const fn limit(self) -> u64 {
        match self {
            Self::Confirmed => 1 << 29,
            Self::Checked => 32 << 20,
        }
    }
}

/// The place of a cache's files.
pub(super) trait Storage: fmt::Debug + Send + Sync {
    /// The folder of the cache; `None` for a bucket.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Calls `take` with the position of a folder in `folders` and each name in it, in no order. A missing folder has
    /// no names. Names that are not UTF-8 are skipped.
    fn names(
        &self,
        folders: &[PathBuf],
        take: &mut dyn FnMut(usize, &str),
    ) -> Result<(), CacheError>;

    /// The names of the folders in a folder.
    fn folders(&self, folder: &Path) -> Result<Vec<String>, CacheError>;

    /// Size of a file in bytes.
    fn size(&self, file: &Path) -> io::Result<u64>;

    /// The stamps of files; `None` for a file that is missing.
    fn stamps(&self, files: &[PathBuf]) -> Vec<Option<Stamp>>;

    /// The bytes of a file of at most `limit` bytes.
    fn read(&self, file: &Path, limit: u64) -> io::Result<Content>;

    /// Writes a file completely or not at all, and replaces an existing one. A temporary file may be in the folder
    /// `work`.
    fn write(&self, work: &Path, file: &Path, bytes: Vec<u8>) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Calls `take` with all lines of the notes in each of `folders`, in the order in which they were written.
    fn notes(
        &self,
        folders: &[PathBuf],
        notes: Notes,
        take: &mut dyn FnMut(&str),
    ) -> Result<(), CacheError>;

    /// Adds whole lines to the notes in a folder. They may be kept in memory until [`Self::flush`].
    fn note(&self, folder: &Path, notes: Notes, lines: String) -> Result<(), CacheError>;

    /// Writes the lines that are in memory.
    fn flush(&self) -> Result<(), CacheError> {
        Ok(())
    }
}
