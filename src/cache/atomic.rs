//! Writes a file completely or not at all.
//!
//! The bytes go to a temporary file in the same folder, which is synced and then renamed. A reader
//! sees the old file, the new one, or none, also after a crash. Each writer of a name has its own
//! temporary file, so writers do not disturb each other. The last rename wins. A killed writer
//! leaves its temporary file behind, under a name that no reader uses. A live writer holds a lock
//! on its temporary file. `leftover` uses the lock to distinguish the two.

use std::{
    fs::{self, File},
    io,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// Prefix of the names of temporary files.
const PREFIX: &str = ".put-";

/// Suffix of the names of temporary files.
const SUFFIX: &str = ".tmp";

/// Writes `bytes` to `name` in `folder`, and replaces an existing file. Creates the folder if it is
/// missing.
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    write_with(folder, name, |file| file.write_all(bytes))
}

/// Like [`write`], but `fill` writes the content.
pub(super) fn write_with<E: From<io::Error>>(
    folder: &Path,
    name: impl AsRef<Path>,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<PathBuf, E> {
    fs::create_dir_all(folder)?;
    let mut file = locked_file(folder)?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all()?;

    let path = folder.join(name);
    file.persist(&path).map_err(io::Error::from)?;
    sync_folder(folder)?;
    Ok(path)
}

/// Whether the name has the form of a temporary file of this module.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// A temporary file with a lock. The lock shows that its writer is alive.
fn locked_file(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = temporary_file(folder)?;
        // Some file systems have no locks. There, `leftover` gets an error when it tries to lock
        // the file, and removes nothing.
        let _ = file.as_file().lock();
        // Until the lock was held, the file looked like a leftover and may have been removed. A
        // process that removes a leftover holds its lock.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;

    // Temporary files are private by default. A cache may be shared, as far as the umask allows.
    let permissions = fs::Permissions::from_mode(0o666);
    Builder::new().prefix(PREFIX).suffix(SUFFIX).permissions(permissions).tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder)
}

/// Makes the rename durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Folders cannot be synced on this system. If a crash undoes the rename, the block must be fetched
/// again.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_leaves_only_the_file_itself() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");

        let path = write(&folder, "name", b"bytes").unwrap();

        assert_eq!(path, folder.join("name"));
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_write_replaces_the_old_file() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "name", b"a longer old content").unwrap();
        let path = write(root.path(), "name", b"new").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"new");
    }

    #[test]
    fn a_refused_rename_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("name/occupied")).unwrap();
        assert!(write(root.path(), "name", b"bytes").is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_written_file_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;

        let root = tempfile::tempdir().unwrap();
        let plain = root.path().join("plain");
        fs::write(&plain, b"").unwrap();
        let path = write(root.path(), "name", b"").unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }
}
