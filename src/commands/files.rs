//! Result files: opened before the work, so that a bad path fails early, and written after it, so that what an
//! earlier run left there is kept until there is something better, and a new file does not stay behind with nothing
//! in it, unless the program is killed.

use crate::report::ReportError;
use eyre::{WrapErr, ensure};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

/// A file that waits for its contents.
pub(super) struct ResultFile {
    path: PathBuf,
    file: File,
    unwritten: Unwritten,
}

impl ResultFile {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> eyre::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        let opened = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                options.create(true).truncate(false).open(path).map(|file| (file, Unwritten(None)))
            }
            made => made.map(|file| (file, Unwritten(Some(path.to_owned())))),
        };
        let (file, unwritten) =
            opened.wrap_err_with(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file, unwritten })
    }

    /// Replaces what is in it.
    pub(super) fn write<E: std::error::Error + Send + Sync + 'static>(
        self,
        contents: impl FnOnce(BufWriter<File>) -> Result<(), E>,
    ) -> eyre::Result<()> {
        let Self { path, file, mut unwritten } = self;
        unwritten.0 = None;
        let written = empty(&file)
            .wrap_err("what was there cannot be removed")
            .and_then(|()| Ok(contents(BufWriter::new(file))?));
        written.wrap_err_with(|| format!("cannot write {}", path.display()))
    }
}

/// A file that was made and has nothing in it yet, if it is one: removed when this is dropped.
struct Unwritten(Option<PathBuf>);

impl Drop for Unwritten {
    fn drop(&mut self) {
        let is_empty = |path: &&PathBuf| {
            fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
        };
        // Meanwhile somebody else may have written there.
        if let Some(path) = self.0.as_ref().filter(is_empty) {
            // If it cannot be removed, an empty file stays: worth no error beside the one that brought us here.
            let _ = fs::remove_file(path);
        }
    }
}

/// A device or a pipe holds nothing.
fn empty(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) }
}

/// How a report becomes a file.
type Format<R> = fn(&R, BufWriter<File>) -> Result<(), ReportError>;

/// Files that wait for a report of type `R`.
pub(super) struct ResultFiles<R>(Vec<(ResultFile, Format<R>)>);

impl<R> Default for ResultFiles<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> ResultFiles<R> {
    /// Opens the file, if one is asked for.
    pub(super) fn add(&mut self, path: Option<&Path>, format: Format<R>) -> eyre::Result<()> {
        if let Some(path) = path {
            let is_taken = self.0.iter().any(|(other, _)| other.path == path);
            ensure!(!is_taken, "{} cannot hold two results; name two files", path.display());
            self.0.push((ResultFile::open(path)?, format));
        }
        Ok(())
    }

    /// Writes the report to all of them, even where one cannot be written. To be called before anything is printed, as
    /// whoever reads that may be gone.
    pub(super) fn write(self, report: &R) -> eyre::Result<()> {
        let write = |(file, format): (ResultFile, Format<R>)| file.write(|out| format(report, out));
        self.0.into_iter().map(write).fold(Ok(()), Result::and)
    }
}
