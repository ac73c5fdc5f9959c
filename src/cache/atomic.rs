//! Writes a file completely or not at all.
//!
//! The bytes go to a temporary file on the same file system, which is synced and then renamed. A reader
//! sees the old file, the new one, or none, also after a crash. Each writer of a name has its own
//! temporary file, so writers do not disturb each other. The last rename wins. A killed writer
//! leaves its temporary file behind, under a name that no reader uses. A live writer holds a lock
//! on its temporary file. `leftover` uses the lock to distinguish the two.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, FileType},
    io,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

use super::leftover;

/// Prefix of the names of temporary files.
const PREFIX: &str = ".put-";

/// Suffix of the names of temporary files.
const SUFFIX: &str = ".tmp";

/// Writes `bytes` to `path`, and replaces an existing file. Creates missing folders. The temporary
/// file is in the folder `work`, which must be on the same file system.
pub(super) fn write(work: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    for folder in [work, folder_of(path)] {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(path).is_ok_and(|there| !is_replaceable(there.file_type())) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not a regular file"));
    }
    let file = locked_file(work, PREFIX.as_ref())?;
    let mut replacement = Replacement { file, path: path.to_owned() };
    replacement.file().write_all(bytes)?;
    replacement.commit()
}

/// Whether a new file may take the place of this one. Devices, FIFOs and folders stay.
pub(crate) fn is_replaceable(there: FileType) -> bool {
    there.is_file()
}

/// A new file that takes the place of `path` when it is complete. Without [`commit`](Self::commit), it is removed.
#[derive(Debug)]
pub(crate) struct Replacement {
    file: NamedTempFile,
    path: PathBuf,
}

impl Replacement {
    /// Creates the new file beside `path`, with the permissions of the file that is there. Removes what killed
    /// writers of the same path left.
    pub(crate) fn beside(path: PathBuf) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::Error::from(io::ErrorKind::InvalidFilename))?;
        let prefix: OsString =
            [OsStr::new("."), name, OsStr::new(PREFIX)].iter().copied().collect();
        sweep(folder_of(&path), &prefix);
        let replacement = Self { file: locked_file(folder_of(&path), &prefix)?, path };
        if let Ok(there) = fs::metadata(&replacement.path) {
            replacement.file.as_file().set_permissions(there.permissions())?;
        }
        Ok(replacement)
    }

    /// The new file.
    pub(crate) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Puts the new file in place, unless there is a file already.
    pub(crate) fn commit_new(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        match self.file.persist_noclobber(&self.path).map_err(io::Error::from) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => sync_folder(folder_of(&self.path)),
        }
    }

    /// Puts the new file in place.
    pub(crate) fn commit(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path).map_err(io::Error::from)?;
        sync_folder(folder_of(&self.path))
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Removes the temporary files with this prefix that killed writers left.
fn sweep(folder: &Path, prefix: &OsString) {
    let is_ours = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        name.starts_with(prefix.as_encoded_bytes()) && name.ends_with(SUFFIX.as_bytes())
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_ours(&entry.file_name()) {
            // A file that cannot be removed only takes space.
            let _ = leftover::with_lock(&entry.path(), |_| fs::remove_file(entry.path()));
        }
    }
}

/// Whether the name has the form of a temporary file of this module.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// A temporary file with a lock. The lock shows that its writer is alive.
fn locked_file(folder: &Path, prefix: &OsStr) -> io::Result<NamedTempFile> {
    loop {
        let file = temporary_file(folder, prefix)?;
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
fn temporary_file(folder: &Path, prefix: &OsStr) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;

    // Temporary files are private by default. A cache may be shared, as far as the umask allows.
    let permissions = fs::Permissions::from_mode(0o666);
    Builder::new().prefix(prefix).suffix(SUFFIX).permissions(permissions).tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary_file(folder: &Path, prefix: &OsStr) -> io::Result<NamedTempFile> {
    Builder::new().prefix(prefix).suffix(SUFFIX).tempfile_in(folder)
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
        let work = root.path().join("a");
        let path = work.join("b/name");

        write(&work, &path, b"bytes").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        for folder in [work.clone(), work.join("b")] {
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_write_replaces_the_old_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("name");
        write(root.path(), &path, b"a longer old content").unwrap();
        write(root.path(), &path, b"new").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"new");
    }

    #[test]
    fn a_refused_rename_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("name/occupied")).unwrap();
        assert!(write(root.path(), &root.path().join("name"), b"bytes").is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_replacement_removes_what_a_killed_writer_of_the_same_path_left() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("result");
        let [dead, other] = [".result.put-dead.tmp", ".other.put-dead.tmp"];
        for name in [dead, other] {
            fs::write(root.path().join(name), b"half").unwrap();
        }
        let alive = Replacement::beside(path.clone()).unwrap();
        Replacement::beside(path.clone()).unwrap().commit().unwrap();
        assert!(!root.path().join(dead).exists() && root.path().join(other).exists());
        alive.commit().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_written_file_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;

        let root = tempfile::tempdir().unwrap();
        let plain = root.path().join("plain");
        fs::write(&plain, b"").unwrap();
        let path = root.path().join("name");
        write(root.path(), &path, b"").unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }
}
