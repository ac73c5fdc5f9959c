//! Opens and writes result files.
//!
//! A file is opened before the work, so that a bad path fails early. It is written after the work, so that the
//! results of an earlier run are kept until new ones exist. A new file that was never written is removed, unless
//! the process is killed.

use crate::report::ReportError;
use eyre::{WrapErr, ensure};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

/// An open result file without its new contents.
pub(super) struct ResultFile {
    path: PathBuf,
    file: File,
    unwritten: Unwritten,
}

impl ResultFile {
    /// Opens the file, or creates it. Existing contents are kept.
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

    /// Replaces the contents of the file.
    pub(super) fn write<E: std::error::Error + Send + Sync + 'static>(
        self,
        contents: impl FnOnce(BufWriter<File>) -> Result<(), E>,
    ) -> eyre::Result<()> {
        let Self { path, file, mut unwritten } = self;
        unwritten.0 = None;
        let written = empty(&file)
            .wrap_err("the old contents cannot be removed")
            .and_then(|()| Ok(contents(BufWriter::new(file))?));
        written.wrap_err_with(|| format!("cannot write {}", path.display()))
    }
}

/// Removes a file on drop if this process created it and it is still empty. `None` for other files.
struct Unwritten(Option<PathBuf>);

impl Drop for Unwritten {
    fn drop(&mut self) {
        let is_empty = |path: &&PathBuf| {
            fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
        };
        // Another process may have written to the file meanwhile, so a file with contents is kept.
        if let Some(path) = self.0.as_ref().filter(is_empty) {
            // A failure leaves an empty file. The error that caused the drop matters more.
            let _ = fs::remove_file(path);
        }
    }
}

/// Truncates a regular file. A device or a pipe has no contents to remove.
fn empty(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) }
}

/// A function that writes a report in one format.
type Format<R> = fn(&R, BufWriter<File>) -> Result<(), ReportError>;

/// Open result files for a report of type `R`.
pub(super) struct ResultFiles<R>(Vec<(ResultFile, Format<R>)>);

impl<R> Default for ResultFiles<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> ResultFiles<R> {
    /// Opens the file of a flag, if the flag is set.
    pub(super) fn add(&mut self, path: Option<&Path>, format: Format<R>) -> eyre::Result<()> {
        if let Some(path) = path {
            let is_taken = self.0.iter().any(|(other, _)| other.path == path);
            ensure!(!is_taken, "{} cannot hold two results; name two files", path.display());
            self.0.push((ResultFile::open(path)?, format));
        }
        Ok(())
    }

    /// Writes the report to all files, even if one of them fails. The caller must do this before it prints, since a
    /// closed pipe on standard output ends the command.
    pub(super) fn write(self, report: &R) -> eyre::Result<()> {
        let write = |(file, format): (ResultFile, Format<R>)| file.write(|out| format(report, out));
        self.0.into_iter().map(write).fold(Ok(()), Result::and)
    }
}
