//! The local copy of a bucket's blocks: a folder of limited size.
//!
//! The copy of an object has its e-tag, and each use asks the bucket whether the object still has it. So a block that
//! was replaced or removed is never read from the copy. The answer to this question has no content. A checksum detects
//! a damaged copy, which is downloaded again. Nothing depends on the copy: a file that cannot be written, or that
//! another process removes, is downloaded.
//!
//! A thread removes the least recently used files when the folder exceeds its limit.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
    time::SystemTime,
};

use super::{
    super::{atomic, limits::MAX_FILE_BYTES},
    sha256,
};
use crate::input;

/// Maximum length of an e-tag. An object with a longer one is not copied.
const MAX_TAG: usize = 1_000;

/// The folder of the local copies, and their limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySettings {
    /// The folder for the copies of all buckets. Each has a folder of its own in it.
    pub folder: PathBuf,
    /// Maximum size of the copy of a bucket in bytes; 0 for no copy.
    pub limit: u64,
}

impl CopySettings {
    /// No local copy.
    pub fn none() -> Self {
        Self { folder: PathBuf::new(), limit: 0 }
    }
}

/// The local copy of a bucket.
#[derive(Debug)]
pub(super) struct LocalCopy {
    folder: PathBuf,
    limit: u64,
    /// Takes the size of each new file.
    added: Option<Sender<u64>>,
    keeper: Option<JoinHandle<()>>,
}

/// A copied object.
pub(super) struct Copied {
    pub(super) tag: String,
    pub(super) bytes: Vec<u8>,
}

impl LocalCopy {
    /// The copy of the bucket with this URL. `None` if the limit is 0.
    pub(super) fn new(settings: CopySettings, url: &str) -> Option<Self> {
        let CopySettings { folder, limit } = settings;
        if limit == 0 {
            return None;
        }
        let folder = folder.join(&sha256(url.as_bytes())[..16]);
        let (added, sizes) = mpsc::channel();
        let own = folder.clone();
        let keeper = thread::Builder::new().name("local-copy".to_owned());
        let keeper = keeper.spawn(move || keep(&own, limit, &sizes)).ok()?;
        Some(Self { folder, limit, added: Some(added), keeper: Some(keeper) })
    }

    /// The copy of an object by its path below the root.
    pub(super) fn read(&self, object: &Path) -> Option<Copied> {
        let path = self.folder.join(object);
        let mut bytes = input::read(&path, MAX_FILE_BYTES + 2 * MAX_TAG as u64).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let content = bytes.split_off(end + 1);
        let (digest, tag) = std::str::from_utf8(&bytes[..end]).ok()?.split_once(' ')?;
        if digest != sha256(&content) {
            return None;
        }
        // Without the new time, the file is only removed earlier.
        let _ = touch(&path);
        Some(Copied { tag: tag.to_owned(), bytes: content })
    }

    /// Keeps a copy of an object.
    pub(super) fn write(&self, object: &Path, tag: Option<&str>, bytes: &[u8]) {
        let Some(tag) = tag.filter(|tag| tag.len() <= MAX_TAG && !tag.contains('\n')) else {
            return;
        };
        let head = format!("{} {tag}\n", sha256(bytes));
        let size = (head.len() + bytes.len()) as u64;
        if size > self.limit {
            return;
        }
        let file = [head.as_bytes(), bytes].concat();
        if let (Ok(()), Some(added)) =
            (atomic::write(&self.folder, &self.folder.join(object), &file), &self.added)
        {
            // The thread ends only with this value.
            let _ = added.send(size);
        }
    }

    /// Removes the copy of an object.
    pub(super) fn remove(&self, object: &Path) {
        let _ = fs::remove_file(self.folder.join(object));
    }
}

impl Drop for LocalCopy {
    fn drop(&mut self) {
        self.added = None;
        let _ = self.keeper.take().map(JoinHandle::join);
    }
}

/// Notes that a file was used.
#[cfg(unix)]
fn touch(path: &Path) -> io::Result<()> {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};

    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps { last_access: at(UTIME_OMIT), last_modification: at(UTIME_NOW) };
    Ok(futimens(File::options().write(true).open(path)?, &times)?)
}

/// Without the time of the last use, the files that were copied first are removed first.
#[cfg(not(unix))]
fn touch(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Adds up the sizes of new files, and removes files when there are too many bytes. Other processes may write to the
/// same folder, so its size is looked up whenever the limit seems to be reached.
fn keep(folder: &Path, limit: u64, sizes: &Receiver<u64>) {
    let mut used = None;
    for size in sizes {
        let now = used.map_or_else(
            || files(folder).iter().map(|file| file.size).sum(),
            |used: u64| used + size,
        );
        used = Some(if now > limit { evict(folder, limit) } else { now });
    }
}

/// A file of the copy.
struct CopyFile {
    used: SystemTime,
    size: u64,
    path: PathBuf,
}

/// Removes the least recently used files until an eighth of the limit is free. Returns the size of the others.
fn evict(folder: &Path, limit: u64) -> u64 {
    let mut all = files(folder);
    let mut left = all.iter().map(|file| file.size).sum();
    if left <= limit {
        return left;
    }
    all.sort_by_key(|file| file.used);
    for file in all {
        if left <= limit - limit / 8 {
            break;
        }
        if fs::remove_file(&file.path).is_ok() {
            left -= file.size;
        }
    }
    left
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<CopyFile> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if let Ok(used) = metadata.modified() {
                found.push(CopyFile { used, size: metadata.len(), path: entry.path() });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(folder: &Path, limit: u64) -> LocalCopy {
        LocalCopy::new(CopySettings { folder: folder.to_owned(), limit }, "s3://bucket").unwrap()
    }

    #[test]
    fn a_copy_is_read_back_with_its_tag_until_it_is_damaged() {
        let root = tempfile::tempdir().unwrap();
        let copy = copy(root.path(), 1 << 20);
        let object = Path::new("1/0-999/7.block");
        assert!(copy.read(object).is_none());
        copy.write(object, Some("\"tag 1\""), b"bytes\nand more");
        let read = copy.read(object).unwrap();
        assert_eq!(
            (read.tag.as_str(), read.bytes.as_slice()),
            ("\"tag 1\"", &b"bytes\nand more"[..])
        );

        copy.write(Path::new("none"), None, b"bytes");
        assert!(copy.read(Path::new("none")).is_none());

        let path = copy.folder.join(object);
        let mut damaged = fs::read(&path).unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&path, damaged).unwrap();
        assert!(copy.read(object).is_none());
    }

    #[test]
    fn the_least_recently_used_files_are_removed_first() {
        let root = tempfile::tempdir().unwrap();
        let object = |number: usize| PathBuf::from(format!("1/0-999/{number}.block"));
        let folder = {
            let copy = copy(root.path(), 16 << 10);
            for number in 0..40 {
                copy.write(&object(number), Some("tag"), &[7; 1 << 10]);
                // The system's time of a file may be coarse.
                thread::sleep(std::time::Duration::from_millis(5));
                assert!(copy.read(&object(0)).is_some(), "{number}");
            }
            copy.folder.clone()
        };
        let size: u64 = files(&folder).iter().map(|file| file.size).sum();
        assert!(size <= 16 << 10 && size > 8 << 10, "{size}");
        assert!(folder.join(object(0)).exists() && folder.join(object(39)).exists());
        assert!(!folder.join(object(1)).exists());
    }

    #[test]
    fn a_limit_of_zero_is_no_copy() {
        assert!(LocalCopy::new(CopySettings::none(), "s3://bucket").is_none());
    }
}
