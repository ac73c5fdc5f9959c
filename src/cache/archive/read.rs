//! Reads blocks from an archive. Nothing in it is trusted.
//!
//! Members may come in any order. Each is read at most once. A bad member is an error of its own,
//! and reading continues with the next one, until the tar file is unreadable. Listed blocks without
//! a member are reported at the end.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use super::{
    super::{
        RecordedBlock, container,
        limits::{self, MAX_FILE_BYTES},
    },
    ArchiveError, MANIFEST, Member, MemberError,
    manifest::{from_json, sha256},
};

/// Maximum size of a manifest in bytes, enough for about 200,000 blocks.
const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// Maximum number of characters of a member's name or of an error in a message.
const MAX_QUOTED: usize = 200;

/// An archive that can be read once.
pub struct Archive<R: Read> {
    tar: tar::Archive<R>,
}

/// The blocks of an archive, and its errors.
pub struct Members<'a, R: Read> {
    /// `None` once the archive has ended or is unreadable.
    entries: Option<tar::Entries<'a, R>>,
    /// Listed blocks that have not been read yet.
    awaited: BTreeMap<String, Member>,
    /// Blocks that have been read, or had an error.
    taken: BTreeMap<String, Member>,
}

impl<R: Read> Archive<R> {
    /// An archive that begins at the reader's position. Reads nothing yet.
    pub fn new(reader: R) -> Self {
        Self { tar: tar::Archive::new(reader) }
    }

    /// Reads the manifest. The iterator reads the members.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`], but for its variants about writing.
    pub fn members(&mut self) -> Result<Members<'_, R>, ArchiveError> {
        let not_a_tar = |source| ArchiveError::NotATar { source: printable(source) };
        // Raw entries: long names and other extensions would otherwise be read into memory before
        // they could be refused.
        let mut entries = self.tar.entries().map_err(not_a_tar)?.raw(true);
        let first = entries.next().ok_or(ArchiveError::NoManifest)?.map_err(not_a_tar)?;
        let members = from_json(&manifest(first)?)?;
        let awaited = members.into_iter().map(|member| (member.name(), member)).collect();
        Ok(Members { entries: Some(entries), awaited, taken: BTreeMap::new() })
    }
}

fn manifest(mut entry: tar::Entry<'_, impl Read>) -> Result<Vec<u8>, ArchiveError> {
    if *entry.path_bytes() != *MANIFEST.as_bytes() || !entry.header().entry_type().is_file() {
        return Err(ArchiveError::NoManifest);
    }
    let (size, limit) = (entry.size(), MAX_MANIFEST_BYTES);
    if size > limit {
        return Err(ArchiveError::HugeManifest { size, limit });
    }
    read_exactly(&mut entry, size).map_err(|source| ArchiveError::NotATar { source })
}

impl<R: Read> Members<'_, R> {
    /// Number of listed blocks that have not been returned yet.
    pub fn awaited(&self) -> usize {
        self.awaited.len()
    }

    fn take(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<RecordedBlock, MemberError> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !entry.header().entry_type().is_file() {
            return Err(MemberError::NotAFile { name: quotable(name) });
        }
        let Some(member) = self.awaited.remove(&name) else {
            return Err(match self.taken.get(&name) {
                Some(member) => MemberError::Repeated { number: member.id.number },
                None => MemberError::Unlisted { name: quotable(name) },
            });
        };
        let block = block(&member, &mut entry);
        self.taken.insert(name, member);
        block
    }
}

/// Yields the next block, or the error of the next member or of the rest of the archive.
impl<R: Read> Iterator for Members<'_, R> {
    type Item = Result<RecordedBlock, MemberError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.entries.as_mut().and_then(Iterator::next) {
            Some(Ok(entry)) => Some(self.take(entry)),
            Some(Err(source)) => {
                self.entries = None;
                Some(Err(MemberError::Unreadable { source: printable(source) }))
            }
            None => {
                self.entries = None;
                let (_, Member { id, .. }) = self.awaited.pop_first()?;
                Some(Err(MemberError::Missing { number: id.number }))
            }
        }
    }
}

/// Checks a member's size and checksum, and that it holds the listed block.
fn block(
    member: &Member,
    entry: &mut tar::Entry<'_, impl Read>,
) -> Result<RecordedBlock, MemberError> {
    let (number, listed, found) = (member.id.number, member.size, entry.size());
    let container = |source| MemberError::Container { number, source };
    if found != listed {
        return Err(MemberError::WrongSize { number, listed, found });
    }
    limits::check("bytes of file", found, MAX_FILE_BYTES).map_err(container)?;
    let bytes =
        read_exactly(entry, found).map_err(|source| MemberError::CutShort { number, source })?;
    let found = sha256(&bytes);
    if found != member.sha256 {
        return Err(MemberError::WrongChecksum { number, listed: member.sha256, found });
    }
    let recorded = container::decode(&bytes).map_err(container)?;
    if recorded.id() != member.id {
        return Err(MemberError::WrongBlock { listed: member.id, found: recorded.id() });
    }
    Ok(recorded)
}

/// Reads exactly `size` bytes. Memory grows with the bytes that arrive, not with the announced
/// size.
fn read_exactly(from: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(size).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < size { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

/// Shortens a text for use in a message.
fn quotable(quoted: String) -> String {
    quoted.chars().take(MAX_QUOTED).collect()
}

/// An error that may quote a file's content, without control characters that a terminal would
/// interpret.
fn printable(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() {
        return error;
    }
    let said =
        error.to_string().chars().map(|said| if said.is_control() { '.' } else { said }).collect();
    io::Error::new(error.kind(), quotable(said))
}

impl<R: Read> std::fmt::Debug for Archive<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").finish_non_exhaustive()
    }
}

impl<R: Read> std::fmt::Debug for Members<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Members").field("awaited", &self.awaited).finish_non_exhaustive()
    }
}
