//! Reads test files from tar archives.
//!
//! An archive can name its entries in extension headers of any size. They are read here within a limit, because the
//! tar library reads them whole. An archive that ends without its end mark is an error, because entries may be missing.

use super::{FilesError, Found, SkipReason, Skipped, Visit, is_test, read};
use std::{
    cell::Cell,
    io::{self, BufReader, Read},
    ops::ControlFlow,
    path::Path,
};
use tar::{Entry, EntryType, PaxExtensions};

/// Size of a block of an archive in bytes.
const BLOCK: u64 = 512;

/// Maximum size of an extension header in bytes.
const MOST_EXTENSION_BYTES: u64 = 64 << 10;

/// Maximum length of a name in bytes, as for a path in the file system.
const MOST_NAME_BYTES: usize = 4096;

/// Passes every entry of an archive to `visit`, but for folders.
///
/// # Errors
/// The archive is damaged, or has an extension beyond the limit. Entries before the damage were passed.
pub(super) fn visit(
    archive: &Path,
    from: impl Read,
    visit: Visit<'_>,
) -> io::Result<ControlFlow<()>> {
    let tail = Cell::new(Tail::default());
    let mut tar = tar::Archive::new(Tailed { from, tail: &tail });
    // Archives can be joined, as members of one gzip file or plainly.
    tar.set_ignore_zeros(true);
    let (mut long_name, mut end) = (None, 0);
    for entry in tar.entries()?.raw(true) {
        let mut entry = entry?;
        end = entry.raw_file_position() + entry.size().next_multiple_of(BLOCK);
        if let Some(extension) = extension(&mut entry)? {
            long_name = extension.name.or(long_name);
            continue;
        }
        let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        if let Some(found) = open(archive, &name, entry)?
            && visit(found).is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
    }
    let Tail { read, zeros } = tail.get();
    if long_name.is_some() || read < end.saturating_add(BLOCK) || zeros < BLOCK {
        return Err(damaged("it ends without its end mark, so that entries may be missing"));
    }
    Ok(ControlFlow::Continue(()))
}

/// An extension header. It describes the entry after it.
struct Extension {
    /// The name of that entry, if the extension has it.
    name: Option<Vec<u8>>,
}

/// Reads the entry if it is an extension header.
fn extension(entry: &mut Entry<'_, impl Read>) -> io::Result<Option<Extension>> {
    let kind = entry.header().entry_type();
    let is_extension = kind.is_gnu_longname()
        || kind.is_gnu_longlink()
        || kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions();
    if !is_extension {
        return Ok(None);
    }
    if entry.size() > MOST_EXTENSION_BYTES {
        let size = entry.size();
        return Err(damaged(format!(
            "an extension header has {size} bytes, more than {MOST_EXTENSION_BYTES}"
        )));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    let name = match kind {
        EntryType::GNULongName => {
            let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            bytes.truncate(length);
            Some(bytes)
        }
        EntryType::XHeader => pax_name(&bytes)?,
        _ => None,
    };
    Ok(Some(Extension { name }))
}

/// The name in a pax header.
fn pax_name(header: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut name = None;
    for record in PaxExtensions::new(header) {
        let record = record?;
        match record.key_bytes() {
            b"path" => name = Some(record.value_bytes().to_vec()),
            // Sizes beyond the field of the header are no sizes of tests.
            b"size" => return Err(damaged("an entry has its size in an extension header")),
            _ => {}
        }
    }
    Ok(name)
}

/// Reads an entry, unless it is skipped; `None` for a folder.
fn open(
    archive: &Path,
    name: &[u8],
    entry: Entry<'_, impl Read>,
) -> io::Result<Option<Result<Found, FilesError>>> {
    if name.len() > MOST_NAME_BYTES {
        let length = name.len();
        return Err(damaged(format!("a name has {length} bytes, more than {MOST_NAME_BYTES}")));
    }
    let inside = String::from_utf8_lossy(name).into_owned();
    let kind = entry.header().entry_type();
    if kind.is_gnu_sparse() {
        return Err(damaged("it has a sparse file, which is not supported"));
    }
    if kind.is_dir() || inside.ends_with('/') {
        return Ok(None);
    }
    let why = if is_hidden(&inside) {
        SkipReason::Hidden
    } else if !kind.is_file() && !kind.is_contiguous() {
        SkipReason::NotAFile
    } else if !is_test(&inside) {
        SkipReason::OtherName
    } else {
        return read_entry(full_name(archive, &inside), entry).map(Some);
    };
    Ok(Some(Ok(Found::Skipped(Skipped { name: full_name(archive, &inside), why }))))
}

fn read_entry(
    name: String,
    mut entry: Entry<'_, impl Read>,
) -> io::Result<Result<Found, FilesError>> {
    let size = entry.size();
    let mut counted = Counted { from: &mut entry, read: 0 };
    let failed = |source| FilesError::Read { path: name.clone().into(), source };
    let file = read(name.clone(), BufReader::new(&mut counted)).map_err(failed).flatten();
    // The tar library passes a cut entry on as a shorter one.
    io::copy(&mut counted, &mut io::sink())?;
    if counted.read < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(file.map(Found::File))
}

/// The name of an entry, below the path of its archive.
fn full_name(archive: &Path, inside: &str) -> String {
    format!("{}/{}", archive.display(), inside.trim_start_matches('/'))
}

fn is_hidden(inside: &str) -> bool {
    inside.split('/').any(|part| part.starts_with('.') && part != "." && part != "..")
}

fn damaged(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// The bytes that were read, and how many zeros they end with.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    read: u64,
    zeros: u64,
}

/// Maintains the [`Tail`] of a stream.
struct Tailed<'a, R> {
    from: R,
    tail: &'a Cell<Tail>,
}

impl<R: Read> Read for Tailed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        let Tail { read, zeros } = self.tail.get();
        let last = buffer[..count].iter().rev().take_while(|byte| **byte == 0).count();
        let zeros = if last == count { zeros + last as u64 } else { last as u64 };
        self.tail.set(Tail { read: read + count as u64, zeros });
        Ok(count)
    }
}

/// Counts the bytes of a stream.
struct Counted<R> {
    from: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.read += count as u64;
        Ok(count)
    }
}
