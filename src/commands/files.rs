//! Result files: opened before the work, so that a bad path fails early, and written after it.

use crate::report::ReportError;
use eyre::WrapErr;
use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

/// How a report becomes a file.
type Format<R> = fn(&R, BufWriter<File>) -> Result<(), ReportError>;

/// Files that wait for a report of type `R`.
pub(super) struct ResultFiles<R>(Vec<(PathBuf, File, Format<R>)>);

impl<R> Default for ResultFiles<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> ResultFiles<R> {
    /// Creates the file, if one is asked for.
    pub(super) fn add(&mut self, path: Option<&Path>, format: Format<R>) -> eyre::Result<()> {
        if let Some(path) = path {
            let file =
                File::create(path).wrap_err_with(|| format!("cannot create {}", path.display()))?;
            self.0.push((path.to_owned(), file, format));
        }
        Ok(())
    }

    /// Writes the report to all of them, even where one cannot be written. To be called before anything is printed, as
    /// whoever reads that may be gone.
    pub(super) fn write(self, report: &R) -> eyre::Result<()> {
        let write = |(path, file, format): (PathBuf, File, Format<R>)| {
            format(report, BufWriter::new(file))
                .wrap_err_with(|| format!("cannot write {}", path.display()))
        };
        self.0.into_iter().map(write).fold(Ok(()), Result::and)
    }
}
