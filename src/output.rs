//! The writers for standard output and standard error. No other module prints.
//!
//! Standard output holds the result of a command. A closed pipe, as `head` leaves it, drops the rest without an
//! error: the command finishes its work, and its exit code is that of the work. Every other failure, such as a full
//! disk, is an error.
//!
//! Standard error holds diagnostics. A diagnostic that cannot be written is dropped, because the work matters more.
//!
//! With [`MessageFormat::Json`], each line of standard error is a JSON object, and a table that would go there is
//! left out.
//!
//! Names and messages can come from files and nodes. So all text but the bytes of result files passes [`text::lines`],
//! which leaves only line breaks and colours to act on the terminal.

mod messages;

pub use messages::{MessageFormat, are_messages_json, set_message_format};

use crate::{
    report::wrap::{USUAL_WIDTH, WIDTHS, fold},
    text,
};
use anstream::{AutoStream, ColorChoice};
use serde_json::Value;
use std::{
    env, fmt,
    io::{self, ErrorKind, StderrLock, StdoutLock, Write},
};
use terminal_size::{Height, Width, terminal_size_of};

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
            Self::Stdout => {
                Writer::Text(AutoStream::new(io::stdout().lock(), color), Pending::default())
            }
            Self::Stderr => {
                Writer::Diagnostic(AutoStream::new(io::stderr().lock(), color), Pending::default())
            }
        })
    }

    /// Prints text, broken at blanks to fit the width.
    ///
    /// # Errors
    /// As [`Stream::print`].
    pub fn print_text(self, text: impl fmt::Display) -> Result<(), OutputError> {
        self.print(fold(text.to_string().lines(), width()).join("\n"))
    }

    /// Prints a line.
    ///
    /// # Errors
    /// If standard output fails, unless its reader has closed it.
    pub fn print(self, line: impl fmt::Display) -> Result<(), OutputError> {
        match self {
            Self::Stdout => print(line),
            Self::Stderr if are_messages_json() => Ok(()),
            Self::Stderr => {
                diagnose(line);
                Ok(())
            }
        }
    }
}

/// The width of text in characters: that of the terminal of standard output, else `COLUMNS`, else that of the terminal
/// of standard error, as before a pager, else [`USUAL_WIDTH`]. It is within [`WIDTHS`].
pub fn width() -> usize {
    let columns = |(Width(columns), _): (Width, Height)| usize::from(columns);
    let of_user = || env::var("COLUMNS").ok()?.trim().parse().ok();
    let width = terminal_size_of(io::stdout())
        .map(columns)
        .or_else(of_user)
        .or_else(|| terminal_size_of(io::stderr()).map(columns))
        .unwrap_or(USUAL_WIDTH);
    width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// Prints text on standard output, broken at blanks to fit the width.
///
/// # Errors
/// As [`Stream::print`].
pub fn print_text(text: impl fmt::Display) -> Result<(), OutputError> {
    Stream::Stdout.print_text(text)
}

/// Prints a line on standard output.
///
/// # Errors
/// As [`Stream::print`].
pub fn print(line: impl fmt::Display) -> Result<(), OutputError> {
    let mut out = Output::bytes();
    out.write_all(safe_line(line).as_bytes())?;
    Ok(out.flush()?)
}

/// Prints lines on standard error, if possible. In a terminal they are broken at blanks. Elsewhere they stay whole, for
/// programs that search them.
pub fn diagnose(line: impl fmt::Display) {
    let mut line = line.to_string();
    if let (Some((Width(columns), _)), false) =
        (terminal_size_of(io::stderr()), are_messages_json())
    {
        let width = usize::from(columns).max(*WIDTHS.start());
        line = fold(line.lines(), width).join("\n");
    }
    // There is no place left to report that standard error fails.
    let _ = io::stderr().lock().write_all(messages::line(&line).as_bytes());
}

/// Prints a line on standard error while a progress bar may stand there, whose line it takes in a terminal.
pub fn interject(line: impl fmt::Display) {
    /// Moves the cursor to the start of the line, and erases the line.
    const ERASE: &[u8] = b"\r\x1b[2K";
    if terminal_size_of(io::stderr()).is_some() && !are_messages_json() {
        let _ = io::stderr().lock().write_all(ERASE);
    }
    diagnose(line);
}

/// Prints a JSON object on a line of standard error, if messages are JSON.
pub fn message(object: &Value) {
    if are_messages_json() {
        let _ = io::stderr().lock().write_all(format!("{object}\n").as_bytes());
    }
}

fn safe_line(line: impl fmt::Display) -> String {
    format!("{}\n", text::lines(&line.to_string()))
}

/// A writer for one of the streams, with the rules of this module for failures.
#[derive(Debug)]
pub struct Output(Writer);

#[derive(Debug)]
enum Writer {
    Bytes(StdoutLock<'static>),
    Text(AutoStream<StdoutLock<'static>>, Pending),
    Diagnostic(AutoStream<StderrLock<'static>>, Pending),
}

/// The end of a text that is written in pieces: a part of a character or of a sequence for colours.
#[derive(Debug, Default)]
struct Pending(Vec<u8>);

impl Pending {
    /// Adds a piece, and returns the safe text that is complete.
    fn add(&mut self, bytes: &[u8]) -> String {
        self.0.extend_from_slice(bytes);
        let whole = complete_length(&self.0);
        let rest = self.0.split_off(whole);
        let complete = std::mem::replace(&mut self.0, rest);
        text::lines(&String::from_utf8_lossy(&complete)).to_string()
    }

    /// Returns the rest as safe text.
    fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.0);
        text::lines(&String::from_utf8_lossy(&rest)).to_string()
    }
}

/// Maximum length of a sequence for colours in bytes.
const MOST_SEQUENCE_BYTES: usize = 32;

/// Length of the text without a character or a sequence for colours that is cut at its end.
fn complete_length(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(MOST_SEQUENCE_BYTES);
    let is_cut_sequence = |at: &usize| {
        let sequence = &bytes[*at + 1..];
        let parameters = sequence.strip_prefix(b"[").unwrap_or(sequence);
        parameters.iter().all(|byte| byte.is_ascii_digit() || *byte == b';')
    };
    let escape = bytes[last..].iter().rposition(|byte| *byte == 0x1b).map(|at| last + at);
    if let Some(at) = escape.filter(is_cut_sequence) {
        return at;
    }
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
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
            Writer::Text(out, pending) => {
                unless_closed(out.write_all(pending.add(bytes).as_bytes()))?;
            }
            // A lost diagnostic is no error.
            Writer::Diagnostic(..) if are_messages_json() => {}
            Writer::Diagnostic(err, pending) => {
                drop(err.write_all(pending.add(bytes).as_bytes()));
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Writer::Bytes(out) => unless_closed(out.flush()),
            Writer::Text(out, pending) => {
                unless_closed(out.write_all(pending.finish().as_bytes()))?;
                unless_closed(out.flush())
            }
            Writer::Diagnostic(err, pending) => {
                drop(err.write_all(pending.finish().as_bytes()));
                Ok(())
            }
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

    #[test]
    fn text_in_pieces_is_printed_like_the_whole() {
        let text = "a\u{1b}[1;38;5;9mé🦀\u{1b}[0m\u{202e}\u{1b}[2Jz\u{1b}[";
        let whole = text::lines(text).to_string();
        for size in 1..text.len() {
            let mut pending = Pending::default();
            let pieces = text.as_bytes().chunks(size).map(|piece| pending.add(piece));
            let printed = pieces.collect::<String>() + &pending.finish();
            assert_eq!(printed, whole, "pieces of {size} bytes");
        }
        let mut pending = Pending::default();
        assert_eq!(pending.add(b"\xff\x9b") + &pending.finish(), "\u{fffd}\u{fffd}");
    }
}
