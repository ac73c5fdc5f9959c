//! Temporary files of writers that were killed.
//!
//! A writer holds a lock on its temporary file as long as it lives. The system releases the lock
//! when the writer dies. So a temporary file that can be locked has no writer. A new file that is
//! not locked yet looks the same. Removal is safe even then, because it happens under the lock.
//! When the writer gets the lock, it sees that the file is gone, and creates another.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use alloy_primitives::ChainId;

use super::{Cache, CacheError, atomic, folder};
use crate::input;

/// A temporary file without a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Path of the file.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
}

impl Cache {
    /// The temporary files that killed writers left in a chain's folder. No writer puts them into the
    /// folders of chunks, so that this lists one folder only. A bucket has none, since an object appears whole.
    ///
    /// # Errors
    ///
    /// [`CacheError::List`], and [`CacheError::Read`] if it cannot be found out whether a writer
    /// lives.
    pub fn leftovers(&self, chain_id: ChainId) -> Result<Vec<Leftover>, CacheError> {
        if self.folder_on_disk().is_none() {
            return Ok(Vec::new());
        }
        let folder = self.folder(chain_id);
        let names = folder::names(&folder)?.into_iter().filter(|name| atomic::is_temporary(name));
        names.filter_map(|name| abandoned(folder.join(name)).transpose()).collect()
    }

    /// Removes all leftovers of a chain. A file that cannot be removed only takes space.
    pub fn sweep(&self, chain_id: ChainId) {
        for leftover in self.leftovers(chain_id).into_iter().flatten() {
            let _ = self.remove_leftover(&leftover);
        }
    }

    /// Removes a leftover. It is not an error if the file is already gone.
    ///
    /// # Errors
    ///
    /// [`CacheError::Remove`].
    pub fn remove_leftover(&self, leftover: &Leftover) -> Result<(), CacheError> {
        let removed = with_lock(&leftover.path, |_| fs::remove_file(&leftover.path));
        let failed = |source| CacheError::Remove { path: leftover.path.clone(), source };
        removed.map(|_| ()).map_err(failed)
    }
}

/// The file, if it exists and has no writer.
fn abandoned(path: PathBuf) -> Result<Option<Leftover>, CacheError> {
    match with_lock(&path, |file| Ok(file.metadata()?.len())) {
        Ok(size) => Ok(size.map(|size| Leftover { path, size })),
        Err(source) => Err(CacheError::Read { path, source }),
    }
}

/// Calls `act` on a file while its lock is held. Returns `None` if the file is gone or has a
/// writer.
pub(super) fn with_lock<T>(
    path: &Path,
    act: impl FnOnce(&File) -> io::Result<T>,
) -> io::Result<Option<T>> {
    let file = match input::open(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A FIFO or a device of this name is not from a writer.
        Err(other) if other.kind() == io::ErrorKind::InvalidInput => return Ok(None),
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => match act(&file) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
            done => done.map(Some),
        },
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::full_block;

    #[test]
    fn only_files_of_dead_writers_are_leftovers() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        cache.put(&full_block(7)).unwrap();
        let folder = cache.folder(1);
        let [dead, alive] = [".put-dead.tmp", ".put-alive.tmp"].map(|name| folder.join(name));
        fs::write(&dead, b"half").unwrap();
        let writer = File::create(&alive).unwrap();
        writer.lock().unwrap();
        fs::write(folder.join("notes.tmp"), b"not ours").unwrap();

        let found = cache.leftovers(1).unwrap();
        assert_eq!(found, [Leftover { path: dead.clone(), size: 4 }]);
        for _ in 0..2 {
            cache.remove_leftover(&found[0]).unwrap();
        }
        assert!(!dead.exists() && alive.exists());

        drop(writer);
        assert_eq!(cache.leftovers(1).unwrap().len(), 1);
    }

    #[test]
    fn removing_leftovers_during_writes_loses_no_block() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let blocks: Vec<_> = (0..50).map(full_block).collect();
        std::thread::scope(|scope| {
            let writer =
                scope.spawn(|| blocks.iter().try_for_each(|block| cache.put(block).map(|_| ())));
            while !writer.is_finished() {
                for leftover in cache.leftovers(1).unwrap() {
                    cache.remove_leftover(&leftover).unwrap();
                }
            }
            writer.join().unwrap().unwrap();
        });
        assert_eq!(cache.list(1).unwrap().len(), blocks.len());
    }
}
