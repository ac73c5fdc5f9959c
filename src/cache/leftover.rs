//! Temporary files of writers that were killed.
//!
//! A writer holds a lock on its temporary file for as long as it lives, and the system takes the lock
//! back when it dies. So a temporary file that can be locked is nobody's. One that was made a moment
//! ago and is not locked yet looks the same; but whoever removes a file holds its lock, so that the
//! writer, once it has the lock, sees that the file is gone, and makes another.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use alloy_primitives::ChainId;

use super::{Cache, CacheError, atomic, store};

/// A temporary file without a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes it has.
    pub size: u64,
}

impl Cache {
    /// The temporary files that killed writers left in a chain's folder.
    ///
    /// # Errors
    ///
    /// [`CacheError::List`], and [`CacheError::Read`] where it cannot be told whether a writer lives.
    pub fn leftovers(&self, chain_id: ChainId) -> Result<Vec<Leftover>, CacheError> {
        let folder = self.folder(chain_id);
        let names = store::names(&folder)?.into_iter().filter(|name| atomic::is_temporary(name));
        names.filter_map(|name| abandoned(folder.join(name)).transpose()).collect()
    }

    /// Removes such a file. That it is gone already is fine.
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

/// The file, if it is there and its writer is not.
fn abandoned(path: PathBuf) -> Result<Option<Leftover>, CacheError> {
    match with_lock(&path, |file| Ok(file.metadata()?.len())) {
        Ok(size) => Ok(size.map(|size| Leftover { path, size })),
        Err(source) => Err(CacheError::Read { path, source }),
    }
}

/// Does something to a file while its lock is held; nothing if the file is gone or has a writer.
fn with_lock<T>(path: &Path, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(None),
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
    fn only_what_a_dead_writer_left_is_a_leftover() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let folder = cache.put(&full_block(7)).unwrap().parent().unwrap().to_owned();
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
    fn tidying_up_while_others_write_loses_nothing() {
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
