//! The writers for standard output and standard error. No other module prints.
//!
//! Standard output holds the result of a command. A closed pipe, as `head` leaves it, drops the rest without an
//! error: the command finishes its work, and its exit code is that of the work. Every other failure, such as a full
//! disk, is an error.
//!
//! Standard error holds diagnostics. A diagnostic that cannot be written is dropped, because the work matters more.

use anstream::{AutoStream, ColorChoice};
use std::{
    fmt,
    io::{self, ErrorKind, StderrLock, StdoutLock, Write},
};

/// Standard output does not accept the result.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[from] io::Error);

/// The stream for the text of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error, while standard output holds a result file.
    Stderr,
}

impl Stream {
    /// A writer for text with colours.
    pub fn text(self, color: ColorChoice) -> Output {
        Output(match self {
            Self::Stdout => Writer::Text(AutoStream::new(io::stdout().lock(), color)),
            Self::Stderr => Writer::Diagnostic(AutoStream::new(io::stderr().lock(), color)),
        })
    }

    /// Prints a line.
    ///
    /// # Errors
    /// If standard output fails, unless its reader has closed it.
    pub fn print(self, line: impl fmt::Display) -> Result<(), OutputError> {
        match self {
            Self::Stdout => print(line),
            Self::Stderr => {
                diagnose(line);
                Ok(())
            }
        }
    }
}

/// Prints a line on standard output.
///
/// # Errors
/// As [`Stream::print`].
pub fn print(line: impl fmt::Display) -> Result<(), OutputError> {
    let mut out = Output::bytes();
    out.write_all(format!("{line}\n").as_bytes())?;
    Ok(out.flush()?)
}

/// Prints a line on standard error, if possible.
pub fn diagnose(line: impl fmt::Display) {
    // There is no place left to report that standard error fails.
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// A writer for one of the streams, with the rules of this module for failures.
#[derive(Debug)]
pub struct Output(Writer);

#[derive(Debug)]
enum Writer {
    Bytes(StdoutLock<'static>),
    Text(AutoStream<StdoutLock<'static>>),
    Diagnostic(AutoStream<StderrLock<'static>>),
}

impl Output {
    /// Standard output for the bytes of a result file.
    pub fn bytes() -> Self {
        Self(Writer::Bytes(io::stdout().lock()))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Writer::Bytes(out) => unless_closed(out.write_all(bytes))?,
            Writer::Text(out) => unless_closed(out.write_all(bytes))?,
            // A lost diagnostic is no error.
            Writer::Diagnostic(err) => drop(err.write_all(bytes)),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Writer::Bytes(out) => unless_closed(out.flush()),
            Writer::Text(out) => unless_closed(out.flush()),
            Writer::Diagnostic(_) => Ok(()),
        }
    }
}

/// Completes text that another library has printed on standard output.
///
/// # Errors
/// As [`Stream::print`].
pub fn complete(printed: io::Result<()>) -> Result<(), OutputError> {
    Ok(unless_closed(printed.and_then(|()| io::stdout().flush()))?)
}

/// Accepts the failure of a pipe without a reader.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_pipe_is_accepted() {
        assert!(unless_closed(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(unless_closed(Err(ErrorKind::StorageFull.into())).is_err());
        assert!(unless_closed(Ok(())).is_ok());
    }
}
