//! Reads files within limits.
//!
//! A path can name a FIFO without a writer, a link to `/dev/zero`, or a file that grows. This module opens regular
//! files only and reads at most one byte past the limit. So a read neither hangs nor exhausts memory.
//!
//! Lists that a user types may come from standard input or from a pipe of the shell, too, within the same limit.

use std::{
    fs::{self, File, FileType},
    io::{self, ErrorKind, Read},
    path::Path,
};

/// The path that names standard input.
pub const STDIN: &str = "-";

/// Places of the streams that a process inherits, as in `@<(command)` of a shell.
const INHERITED: [&str; 3] = ["/dev/stdin", "/dev/fd", "/proc/self/fd"];

/// The reason that an existing file is not read. It is the inner error of an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The path does not name a regular file.
    #[error("it is {kind}, not a regular file")]
    NotAFile {
        /// Kind of the file, with an article.
        kind: &'static str,
    },
    /// The file is larger than the limit.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
}

impl From<InputError> for io::Error {
    fn from(error: InputError) -> Self {
        let kind = match error {
            InputError::NotAFile { .. } => ErrorKind::InvalidInput,
            InputError::TooLarge { .. } => ErrorKind::FileTooLarge,
        };
        Self::new(kind, error)
    }
}

/// Opens a regular file, also through a link.
///
/// # Errors
/// [`InputError::NotAFile`], or the error of the system.
pub fn open(path: &Path) -> io::Result<File> {
    // The kind is checked before the file is opened, because opening a FIFO waits for its writer.
    require_file(fs::metadata(path)?.file_type())?;
    let file = File::open(path)?;
    require_file(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`], or [`InputError::TooLarge`].
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > limit {
        return Err(InputError::TooLarge { limit }.into());
    }
    read_all(file, size, limit)
}

/// As [`read`], but `-` is standard input, and inherited streams such as `/dev/fd/63` may be pipes.
///
/// # Errors
/// As [`read`].
pub fn read_or_stream(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if path == Path::new(STDIN) {
        read_all(io::stdin().lock(), 0, limit)
    } else if INHERITED.iter().any(|place| path.starts_with(place)) {
        read_all(File::open(path)?, 0, limit)
    } else {
        read(path, limit)
    }
}

fn read_all(from: impl Read, expected: u64, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected as usize);
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(InputError::TooLarge { limit }.into());
    }
    Ok(bytes)
}

fn require_file(found: FileType) -> Result<(), InputError> {
    if found.is_file() { Ok(()) } else { Err(InputError::NotAFile { kind: kind(found) }) }
}

/// Names the kind of a file that is not regular.
fn kind(found: FileType) -> &'static str {
    if found.is_dir() { "a folder" } else { special_kind(found) }
}

#[cfg(unix)]
fn special_kind(found: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    if found.is_fifo() {
        "a FIFO"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special_kind(_found: FileType) -> &'static str {
    "a device"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().to_string(), "it has more than 4 bytes");
        assert!(read_all(io::repeat(0), 0, 4).is_err());
    }

    #[test]
    fn other_kinds_are_named_and_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let refused = read(folder.path(), 5).unwrap_err().to_string();
        assert_eq!(refused, "it is a folder, not a regular file");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_to_an_endless_device_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(read(&link, 5).unwrap_err().to_string(), "it is a device, not a regular file");
        assert!(read_or_stream(&link, 5).is_err());
    }

    #[test]
    #[cfg(unix)]
    fn a_fifo_without_a_writer_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        for read in [read, read_or_stream] {
            let refused = read(&path, 5).unwrap_err().to_string();
            assert_eq!(refused, "it is a FIFO, not a regular file");
        }
    }
}
