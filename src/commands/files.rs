//! Opens and writes result files.
//!
//! A path is checked before the work, so that a bad path fails early. The result is written after the work: to a
//! temporary file beside the path, which takes its place when it is complete. So an interrupt or a full disk leaves
//! the result of an earlier run as it was. Only regular files are replaced. A device or a FIFO is written to, and a
//! link stays and is followed. `-` is standard output.

use crate::{
    cache::atomic::{Replacement, is_replaceable},
    output::{Output, Stream},
    report::ReportError,
};
use eyre::{WrapErr, ensure};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// The path that names standard output.
const STDOUT: &str = "-";

/// Another name of standard output.
const STDOUT_DEVICE: &str = "/dev/stdout";

/// Places of the system's own links. Following them leads out of the file system.
const SYSTEM_LINKS: [&str; 4] = ["/proc", "/dev/fd", "/dev/stdin", "/dev/stderr"];

/// Maximum number of links from a path to its file, as in Linux.
const MOST_LINKS: usize = 40;

/// The writer of a result.
pub(super) type ResultWriter = BufWriter<Box<dyn Write>>;

/// A result file without its new contents.
pub(super) struct ResultFile {
    /// The path of the user, for messages.
    path: PathBuf,
    target: Target,
}

/// The place of a result.
enum Target {
    /// Standard output.
    Stdout,
    /// A regular file, or none yet, without links in its last part.
    File(PathBuf),
    /// An open device or FIFO.
    Special(File),
}

impl ResultFile {
    /// Checks that the result can be written. Existing contents are kept.
    pub(super) fn open(path: &Path) -> eyre::Result<Self> {
        let target = target(path).wrap_err_with(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path: path.to_owned(), target })
    }

    /// The stream for the text of the command: standard error if the result goes to standard output.
    pub(super) const fn text(&self) -> Stream {
        match self.target {
            Target::Stdout => Stream::Stderr,
            Target::File(_) | Target::Special(_) => Stream::Stdout,
        }
    }

    /// Writes the whole contents.
    pub(super) fn write<E: std::error::Error + Send + Sync + 'static>(
        self,
        contents: impl FnOnce(ResultWriter) -> Result<(), E>,
    ) -> eyre::Result<()> {
        let Self { path, target } = self;
        let written = match target {
            Target::Stdout => contents(buffered(Output::bytes())).map_err(Into::into),
            Target::Special(file) => contents(buffered(file)).map_err(Into::into),
            Target::File(place) => replace(place, contents),
        };
        written.wrap_err_with(|| format!("cannot write {}", path.display()))
    }

    /// Whether both results would be at the same place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (Target::Stdout, Target::Stdout) => true,
            (Target::File(one), Target::File(other)) => real(one) == real(other),
            _ => self.path == other.path,
        }
    }
}

fn buffered(out: impl Write + 'static) -> ResultWriter {
    BufWriter::new(Box::new(out))
}

fn replace<E: std::error::Error + Send + Sync + 'static>(
    place: PathBuf,
    contents: impl FnOnce(ResultWriter) -> Result<(), E>,
) -> eyre::Result<()> {
    let mut replacement = Replacement::beside(place)?;
    contents(buffered(replacement.file().try_clone()?))?;
    Ok(replacement.commit()?)
}

/// Finds the place of a path, and checks that it can be written.
fn target(path: &Path) -> io::Result<Target> {
    if path == Path::new(STDOUT) || path == Path::new(STDOUT_DEVICE) {
        return Ok(Target::Stdout);
    }
    let place = behind_links(path);
    let there = match fs::metadata(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        there => Some(there?),
    };
    let is_file = there.as_ref().is_none_or(|there| is_replaceable(there.file_type()));
    if !is_file || is_of_system(&place) {
        return OpenOptions::new().write(true).open(&place).map(Target::Special);
    }
    if there.is_some() {
        // A file that the user has protected is not replaced.
        OpenOptions::new().write(true).open(&place)?;
    }
    // The temporary file is removed again. It shows that the folder can be written.
    Replacement::beside(place.clone())?;
    Ok(Target::File(place))
}

/// Follows the links of the path's last part, up to the links of the system.
fn behind_links(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Some(target) = fs::read_link(&place).ok().filter(|_| !is_of_system(&place)) else {
            break;
        };
        place = place.parent().unwrap_or(Path::new("")).join(target);
    }
    place
}

fn is_of_system(path: &Path) -> bool {
    SYSTEM_LINKS.iter().any(|place| path.starts_with(place))
}

/// The absolute path without links, also of a file that does not exist yet.
fn real(place: &Path) -> Option<PathBuf> {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
    Some(folder.join(place.file_name()?))
}

/// A function that writes a report in one format.
type Format<R> = fn(&R, ResultWriter) -> Result<(), ReportError>;

/// Result files for a report of type `R`.
pub(super) struct ResultFiles<R>(Vec<(ResultFile, Format<R>)>);

impl<R> Default for ResultFiles<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> ResultFiles<R> {
    /// Adds the file of a flag, if the flag is set.
    pub(super) fn add(&mut self, path: Option<&Path>, format: Format<R>) -> eyre::Result<()> {
        if let Some(path) = path {
            let file = ResultFile::open(path)?;
            let is_taken = self.0.iter().any(|(other, _)| other.is_same(&file));
            ensure!(!is_taken, "{} cannot hold two results; name two files", path.display());
            self.0.push((file, format));
        }
        Ok(())
    }

    /// Whether no flag asks for a file.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The stream for the table: standard error if a result goes to standard output.
    pub(super) fn text(&self) -> Stream {
        let takes_stdout = self.0.iter().any(|(file, _)| file.text() == Stream::Stderr);
        if takes_stdout { Stream::Stderr } else { Stream::Stdout }
    }

    /// Writes the report to all files, even if one of them fails. The caller does this before it prints, so that the
    /// files are written in any case.
    pub(super) fn write(self, report: &R) -> eyre::Result<()> {
        let write = |(file, format): (ResultFile, Format<R>)| file.write(|out| format(report, out));
        self.0.into_iter().map(write).fold(Ok(()), Result::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) -> eyre::Result<()> {
        ResultFile::open(path)?
            .write(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    #[test]
    fn an_earlier_result_stays_until_the_new_one_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        fs::write(&path, "old").unwrap();
        let file = ResultFile::open(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let full = file.write(|mut out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(full.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write(&path, "new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_checked_path_is_not_created() {
        let folder = tempfile::tempdir().unwrap();
        drop(ResultFile::open(&folder.path().join("result")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    #[cfg(unix)]
    fn links_stay_and_are_followed() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let [file, link, outer] = ["file", "link", "outer"].map(|name| folder.path().join(name));
        symlink("file", &link).unwrap();
        symlink(&link, &outer).unwrap();
        for path in [&link, &outer] {
            write(path, "result").unwrap();
            assert!(fs::symlink_metadata(path).unwrap().is_symlink());
        }
        assert_eq!(fs::read(&file).unwrap(), b"result");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn one_place_under_two_names_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("folder");
        fs::create_dir(&inside).unwrap();
        let paths = [folder.path().join("a"), inside.join("../a")];
        let mut files = ResultFiles::<()>::default();
        let format: Format<()> = |_, _| Ok(());
        files.add(Some(&paths[0]), format).unwrap();
        let refused = files.add(Some(&paths[1]), format).unwrap_err().to_string();
        assert!(refused.ends_with("cannot hold two results; name two files"), "{refused}");
        files.add(Some(Path::new("-")), format).unwrap();
        assert_eq!(files.text(), Stream::Stderr);
        assert!(files.add(Some(Path::new("/dev/stdout")), format).is_err());
    }
}
