//! Reads test files: single files, folders, and release archives.
//!
//! Every entry of a path is passed on: a test file, an error, or a [`Skipped`] with its reason. Nothing is left out
//! silently.
//!
//! Files and archives are hostile input. File sizes and names of entries are bounded, and each folder is read once.

mod archive;

#[cfg(test)]
mod tests;

use crate::input;
use flate2::read::MultiGzDecoder;
use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Maximum size of one file in bytes. The largest test files have some tens of megabytes.
const MOST_BYTES: u64 = 1 << 30;

/// The first bytes of a compressed file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first bytes of a file that Git LFS has not replaced by its content.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// A test file that was read.
#[derive(Debug)]
pub struct TestFile {
    /// Its path. In an archive, the path of the archive comes first.
    pub name: String,
    /// The content.
    pub content: Vec<u8>,
}

/// An entry of a folder or of an archive that is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its path. In an archive, the path of the archive comes first.
    pub name: String,
    /// The reason.
    pub why: SkipReason,
}

/// Reason that an entry is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The name ends in neither `.json` nor `.json.gz`.
    OtherName,
    /// The name of the entry or of a folder above it starts with a dot.
    Hidden,
    /// A link leads to a folder that is already read.
    FolderAgain,
    /// The entry of an archive is a link, a device or the like.
    NotAFile,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherName => "the name ends in neither .json nor .json.gz",
            Self::Hidden => "it is hidden",
            Self::FolderAgain => "it leads to a folder that is already read",
            Self::NotAFile => "it is not a regular file of the archive",
        })
    }
}

/// An entry of a path.
#[derive(Debug)]
pub enum Found {
    /// A test file.
    File(TestFile),
    /// An entry that is not read.
    Skipped(Skipped),
}

/// Reason that a test file cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum FilesError {
    /// The file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file or an entry of an archive is too large for a test.
    #[error("{name} has more than {MOST_BYTES} bytes")]
    TooLarge { name: String },
    /// The checkout lacks the content of the file.
    #[error("{name} is a Git LFS pointer; run `git lfs pull` in its repository")]
    LfsPointer { name: String },
}

type Visit<'v> = &'v mut dyn FnMut(Result<Found, FilesError>) -> ControlFlow<()>;

/// Passes every entry at `path` to `visit`, in the order of names, until `visit` breaks. Entries of archives come in
/// their order. In folders and archives, only files named `.json` or `.json.gz` are tests, and hidden entries are
/// skipped. Links are followed.
pub fn visit(path: &Path, visit: Visit<'_>) -> ControlFlow<()> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    if path.is_dir() {
        visit_folder(path, &mut BTreeSet::new(), visit)
    } else if [".tar", ".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending)) {
        visit_archive(path, visit)
    } else {
        visit(read_file(path))
    }
}

fn read_file(path: &Path) -> Result<Found, FilesError> {
    let file = input::open(path);
    let file = file.map_err(|source| FilesError::Read { path: path.to_owned(), source })?;
    read_tests(path, BufReader::new(file)).map(Found::File)
}

/// Reads a test file, which may be compressed, from a stream. `path` is its name.
///
/// # Errors
/// The stream cannot be read, is too large, or is a Git LFS pointer.
pub fn read_tests(path: &Path, from: impl BufRead) -> Result<TestFile, FilesError> {
    let failed = |source| FilesError::Read { path: path.to_owned(), source };
    read(path.to_string_lossy().into_owned(), from).map_err(failed).flatten()
}

/// Reads a test file, which may be compressed.
fn read(name: String, mut from: impl BufRead) -> io::Result<Result<TestFile, FilesError>> {
    let start = from.fill_buf()?;
    if start.starts_with(LFS_POINTER) {
        return Ok(Err(FilesError::LfsPointer { name }));
    }
    let mut content = Vec::new();
    if start.starts_with(&GZIP) {
        MultiGzDecoder::new(from).take(MOST_BYTES + 1).read_to_end(&mut content)?;
    } else {
        from.take(MOST_BYTES + 1).read_to_end(&mut content)?;
    }
    if content.len() as u64 > MOST_BYTES {
        return Ok(Err(FilesError::TooLarge { name }));
    }
    Ok(Ok(TestFile { name, content }))
}

/// Visits a folder. `read` holds the folders that were visited, by their paths without links.
fn visit_folder(folder: &Path, read: &mut BTreeSet<PathBuf>, visit: Visit<'_>) -> ControlFlow<()> {
    let failed = |source| FilesError::Read { path: folder.to_owned(), source };
    let opened = fs::canonicalize(folder).and_then(|real| Ok((real, entries(folder)?)));
    let (real, entries) = match opened {
        Ok(opened) => opened,
        Err(source) => return visit(Err(failed(source))),
    };
    if !read.insert(real) {
        return visit(Ok(skipped(folder, SkipReason::FolderAgain)));
    }
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            visit(Ok(skipped(&path, SkipReason::Hidden)))?;
        } else if path.is_dir() {
            visit_folder(&path, read, visit)?;
        } else if is_test(&name) {
            visit(read_file(&path))?;
        } else {
            visit(Ok(skipped(&path, SkipReason::OtherName)))?;
        }
    }
    ControlFlow::Continue(())
}

/// The entries of a folder by name.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn skipped(path: &Path, why: SkipReason) -> Found {
    Found::Skipped(Skipped { name: path.to_string_lossy().into_owned(), why })
}

/// Whether a file of this name holds tests.
fn is_test(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".json") || name.ends_with(".json.gz")
}

fn visit_archive(path: &Path, visit: Visit<'_>) -> ControlFlow<()> {
    let flow = input::open(path).and_then(|file| open_archive(path, file, visit));
    flow.unwrap_or_else(|source| visit(Err(FilesError::Read { path: path.to_owned(), source })))
}

fn open_archive(path: &Path, file: File, visit: Visit<'_>) -> io::Result<ControlFlow<()>> {
    let mut file = BufReader::new(file);
    let start = file.fill_buf()?;
    if start.starts_with(LFS_POINTER) {
        let name = path.to_string_lossy().into_owned();
        return Ok(visit(Err(FilesError::LfsPointer { name })));
    }
    if start.starts_with(&GZIP) {
        archive::visit(path, MultiGzDecoder::new(file), visit)
    } else {
        archive::visit(path, file, visit)
    }
}
