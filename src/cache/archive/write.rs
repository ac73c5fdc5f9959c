//! Writes blocks of the cache to an archive.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use super::{
    super::{Cache, atomic},
    ArchiveError, MANIFEST, Member,
    manifest::{sha256, to_json},
};

/// Writes `members` of the cache to an archive at `path`, completely or not at all. Replaces an
/// existing file. Calls `written` after each member. The same members give the same bytes on every
/// machine.
///
/// # Errors
///
/// [`ArchiveError::Block`], [`ArchiveError::Changed`] and [`ArchiveError::Write`].
pub fn write(
    cache: &Cache,
    members: &[Member],
    path: &Path,
    mut written: impl FnMut(&Member),
) -> Result<(), ArchiveError> {
    let name = path.file_name().ok_or(io::Error::from(io::ErrorKind::InvalidFilename))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let fill = |file: &mut File| {
        let mut tar = tar::Builder::new(BufWriter::new(file));
        let manifest = to_json(members).map_err(|source| ArchiveError::Manifest { source })?;
        append(&mut tar, MANIFEST, &manifest)?;
        for member in members {
            append(&mut tar, &member.name(), &bytes(cache, member)?)?;
            written(member);
        }
        Ok(tar.into_inner()?.flush()?)
    };
    atomic::write_with(folder.unwrap_or(Path::new(".")), name, fill).map(|_| ())
}

/// The container of a member. It must not have changed since the member was made.
fn bytes(cache: &Cache, member: &Member) -> Result<Vec<u8>, ArchiveError> {
    let bytes = cache.bytes(&member.id).map_err(|source| ArchiveError::Block { source })?;
    if sha256(&bytes) != member.sha256 {
        return Err(ArchiveError::Changed { number: member.id.number });
    }
    Ok(bytes)
}

/// Appends a plain file of user 0, with the modification time 0.
fn append(tar: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    tar.append(&header, bytes)
}
