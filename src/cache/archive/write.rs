//! Writes blocks of the cache to an archive.

use std::io::{self, Write};

use super::{
    super::Cache,
    ArchiveError, MANIFEST, Member,
    manifest::{sha256, to_json},
};

/// Writes `members` of the cache as an archive to `out`. Calls `written` after each member. The same
/// members give the same bytes on every machine.
///
/// # Errors
///
/// [`ArchiveError::Block`], [`ArchiveError::Changed`] and [`ArchiveError::Write`].
pub fn write(
    cache: &Cache,
    members: &[Member],
    out: impl Write,
    mut written: impl FnMut(&Member),
) -> Result<(), ArchiveError> {
    let mut tar = tar::Builder::new(out);
    let manifest = to_json(members).map_err(|source| ArchiveError::Manifest { source })?;
    append(&mut tar, MANIFEST, &manifest)?;
    for member in members {
        append(&mut tar, &member.name(), &bytes(cache, member)?)?;
        written(member);
    }
    Ok(tar.into_inner()?.flush()?)
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
