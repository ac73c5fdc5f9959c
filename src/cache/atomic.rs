//! Puts a file in place whole or not at all.
//!
//! The bytes go to a temporary file in the same folder, which is synced and then renamed. A reader
//! sees the old file, the new one, or none, also after a crash. Several writers of one name do not
//! disturb each other, since each has its own temporary file; the last rename stays. A writer that is
//! killed leaves its temporary file behind, under a name that no reader asks for.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// Writes `bytes` to `name` in `folder`, replacing what is there. Makes the folder if need be.
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut file = temporary_file(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;

    let path = folder.join(name);
    file.persist(&path)?;
    sync_folder(folder)?;
    Ok(path)
}

#[cfg(unix)]
fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;

    // Temporary files are private by default; a cache may be shared, as far as the umask allows.
    let permissions = fs::Permissions::from_mode(0o666);
    Builder::new().prefix(".put-").suffix(".tmp").permissions(permissions).tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    Builder::new().prefix(".put-").suffix(".tmp").tempfile_in(folder)
}

/// Makes the rename durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Folders cannot be synced here; a rename that a crash undoes costs one fetch.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_alone_in_its_folder() {
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
