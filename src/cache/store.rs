//! The folder of containers: writes its files, reads them, and checks each file against its name.
//!
//! `layout` maps blocks to paths and lists them. Each call opens at most one file and keeps nothing
//! in memory. No lock is needed, because files appear only by renaming (see `atomic`). A returned
//! block has the requested chain, number and hash. The rest of it is not verified.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::{BlockNumber, ChainId};

use super::{
    CacheError, atomic, container,
    limits::{self, MAX_FILE_BYTES},
};
use crate::{
    block::{BlockId, RecordedBlock},
    input,
};

/// A folder of recorded blocks, one file each.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Shared, since every selected block has its cache.
    root: Arc<Path>,
}

impl Cache {
    /// The cache in the folder `root`. Does not access the disk. The first [`Self::put`] creates
    /// the folder. A missing folder is an empty cache.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into().into() }
    }

    /// The folder of the cache, whether or not it exists.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Stores a block, and returns the path of its file.
    ///
    /// Replaces a file of the same block. The old file stays unchanged until the new one is
    /// complete, also if this process is killed. Other processes may store or load the same block
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`CacheError::Unstorable`] and [`CacheError::Write`].
    pub fn put(&self, recorded: &RecordedBlock) -> Result<PathBuf, CacheError> {
        let id = recorded.id();
        let bytes =
            container::encode(recorded).map_err(|source| CacheError::Unstorable { id, source })?;
        let path = self.path(&id);
        match atomic::write(&self.folder(id.chain_id), &path, &bytes) {
            Ok(()) => Ok(path),
            Err(source) => Err(CacheError::Write { path, source }),
        }
    }

    /// Loads a block.
    ///
    /// # Errors
    ///
    /// [`CacheError::NotCached`], [`CacheError::Read`] and [`CacheError::Unusable`]. If the file
    /// holds another block, [`CacheError::WrongBlock`] or [`CacheError::WrongChain`].
    pub fn get(&self, id: &BlockId) -> Result<RecordedBlock, CacheError> {
        self.decode(id, &self.bytes(id)?)
    }

    /// The bytes of a block's file. Only their number is checked.
    pub(super) fn bytes(&self, id: &BlockId) -> Result<Vec<u8>, CacheError> {
        read(&self.path(id), id.number)
    }

    /// Decodes the bytes of a block's file, and checks that they hold this block.
    pub(super) fn decode(&self, id: &BlockId, bytes: &[u8]) -> Result<RecordedBlock, CacheError> {
        let path = self.path(id);
        let recorded = container::decode(bytes).map_err(CacheError::unusable(&path))?;
        check_identity(&path, *id, recorded.id())?;
        Ok(recorded)
    }

    /// Size of a block's file in bytes. Its content is not read.
    ///
    /// # Errors
    ///
    /// [`CacheError::NotCached`] and [`CacheError::Read`].
    pub fn size(&self, id: &BlockId) -> Result<u64, CacheError> {
        size(&self.path(id), id.number)
    }

    /// Removes the file of a block without reading it, and returns its size in bytes.
    ///
    /// # Errors
    ///
    /// [`CacheError::NotCached`], [`CacheError::Read`] and [`CacheError::Remove`].
    pub fn remove(&self, id: &BlockId) -> Result<u64, CacheError> {
        let size = self.size(id)?;
        for path in self.places(id) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(CacheError::Remove { path, source: error });
                }
                _ => {}
            }
        }
        Ok(size)
    }

    /// Loads the block of this number.
    ///
    /// # Errors
    ///
    /// The errors of [`Self::find`] and [`Self::get`].
    pub fn get_by_number(
        &self,
        chain_id: ChainId,
        number: BlockNumber,
    ) -> Result<RecordedBlock, CacheError> {
        self.get(&self.find(chain_id, number)?)
    }

    /// The id of the cached block of this number, by file name.
    ///
    /// # Errors
    ///
    /// [`CacheError::NotCached`] and [`CacheError::List`]. [`CacheError::Ambiguous`] if both sides
    /// of a reorg were fetched.
    pub fn find(&self, chain_id: ChainId, number: BlockNumber) -> Result<BlockId, CacheError> {
        let found = self.list_of(chain_id, &[number..=number].into_iter().collect())?;
        match found[..] {
            [] => Err(CacheError::NotCached { number }),
            [id] => Ok(id),
            _ => {
                let paths = found.iter().map(|id| self.path(id)).collect();
                Err(CacheError::Ambiguous { number, paths })
            }
        }
    }

    /// The chains that have a folder, in ascending order. Other names are skipped.
    ///
    /// # Errors
    ///
    /// [`CacheError::List`]. A missing cache is not an error: it has no chains.
    pub fn chains(&self) -> Result<Vec<ChainId>, CacheError> {
        let names = names(&self.root)?;
        let mut chains: Vec<_> = names.iter().filter_map(|name| chain_id(name)).collect();
        chains.retain(|chain_id| self.folder(*chain_id).is_dir());
        chains.sort_unstable();
        Ok(chains)
    }
}

/// The chain of a folder of this name. `None` if [`Cache::put`] never spells it so.
fn chain_id(name: &str) -> Option<ChainId> {
    let chain_id: ChainId = name.parse().ok()?;
    (chain_id.to_string() == name).then_some(chain_id)
}

/// The names in a folder, in no order. Names that are not UTF-8 are skipped.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, CacheError> {
    let mut names = Vec::new();
    for_each_name(folder, |name| names.push(name.to_owned()))?;
    Ok(names)
}

/// Calls `take` with each name, without a list of all of them.
pub(super) fn for_each_name(folder: &Path, mut take: impl FnMut(&str)) -> Result<(), CacheError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(CacheError::list(folder)(source)),
    };
    for entry in entries {
        let name = entry.map_err(CacheError::list(folder))?.file_name();
        name.to_str().into_iter().for_each(&mut take);
    }
    Ok(())
}

/// The bytes of a file. Its size is checked before it is read.
fn read(path: &Path, number: BlockNumber) -> Result<Vec<u8>, CacheError> {
    let size = size(path, number)?;
    limits::check("bytes of file", size, MAX_FILE_BYTES).map_err(CacheError::unusable(path))?;
    input::read(path, MAX_FILE_BYTES).map_err(cannot_read(path, number))
}

fn size(path: &Path, number: BlockNumber) -> Result<u64, CacheError> {
    Ok(fs::metadata(path).map_err(cannot_read(path, number))?.len())
}

fn cannot_read(path: &Path, number: BlockNumber) -> impl FnOnce(io::Error) -> CacheError {
    move |source| match source.kind() {
        io::ErrorKind::NotFound => CacheError::NotCached { number },
        _ => CacheError::Read { path: path.to_owned(), source },
    }
}

fn check_identity(path: &Path, expected: BlockId, found: BlockId) -> Result<(), CacheError> {
    let path = || path.to_owned();
    if found.chain_id != expected.chain_id {
        let (expected, found) = (expected.chain_id, found.chain_id);
        return Err(CacheError::WrongChain { path: path(), expected, found });
    }
    if found != expected {
        return Err(CacheError::WrongBlock { path: path(), expected, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        error::Error,
        thread::{self, ScopedJoinHandle},
    };

    use tempfile::TempDir;

    use super::*;
    use crate::cache::{
        ContainerError,
        tests::{empty_block, full_block, reorged, unknown_id},
    };

    fn cache() -> (TempDir, Cache) {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path().join("cache"));
        (root, cache)
    }

    #[test]
    fn a_stored_block_is_found_by_id_and_by_number() {
        let (_root, cache) = cache();
        let block = full_block(7);
        cache.put(&block).unwrap();
        assert_eq!(cache.get(&block.id()).unwrap(), block);
        assert_eq!(cache.get_by_number(1, 7).unwrap(), block);
    }

    #[test]
    fn a_file_is_in_the_folder_of_its_chain_and_named_by_number_and_hash() {
        let (root, cache) = cache();
        let block = RecordedBlock { chain_id: 560_048, ..full_block(7) };
        let path = cache.put(&block).unwrap();

        let name = format!("7-{}.block", block.block.header.hash_slow());
        assert_eq!(path, root.path().join("cache/560048/0-999").join(name));
        assert_eq!(path, cache.path(&block.id()));
        assert!(path.is_file());
    }

    #[test]
    fn a_block_that_was_never_stored_is_not_cached() {
        let (_root, cache) = cache();
        for error in [
            cache.get_by_number(1, 19_426_587).unwrap_err(),
            cache.get(&unknown_id(19_426_587)).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "it is not cached; fetch it first");
        }
    }

    #[test]
    fn a_missing_folder_is_an_empty_cache() {
        let (_root, cache) = cache();
        assert_eq!(cache.chains().unwrap(), Vec::<u64>::new());
        assert_eq!(cache.list(1).unwrap(), []);
    }

    #[test]
    fn blocks_are_listed_by_number_not_by_name() {
        let (_root, cache) = cache();
        for number in [10, 9, 100] {
            cache.put(&empty_block(number)).unwrap();
        }
        let numbers: Vec<_> = cache.list(1).unwrap().iter().map(|id| id.number).collect();
        assert_eq!(numbers, [9, 10, 100]);
    }

    #[test]
    fn chains_are_listed_separately() {
        let (_root, cache) = cache();
        for chain_id in [10, 1, 9] {
            cache.put(&RecordedBlock { chain_id, ..empty_block(7) }).unwrap();
        }
        assert_eq!(cache.chains().unwrap(), [1, 9, 10]);
        assert_eq!(cache.list(9).unwrap().len(), 1);
    }

    #[test]
    fn foreign_names_are_ignored() {
        let (root, cache) = cache();
        let path = cache.put(&empty_block(7)).unwrap();
        let folder = path.parent().unwrap();
        for name in [".put-x1y2z3.tmp", "notes.txt", "8-0x12.block", "07-.block"] {
            for folder in [folder, &cache.folder(1)] {
                fs::write(folder.join(name), b"half a conta").unwrap();
            }
        }
        for name in ["01", "-1", "mainnet"] {
            fs::create_dir(root.path().join("cache").join(name)).unwrap();
        }
        fs::write(root.path().join("cache/2"), b"a file").unwrap();

        assert_eq!(cache.list(1).unwrap(), [empty_block(7).id()]);
        assert_eq!(cache.chains().unwrap(), [1]);
    }

    #[test]
    fn storing_a_block_again_replaces_a_damaged_file() {
        let (_root, cache) = cache();
        let block = full_block(7);
        let path = cache.put(&block).unwrap();
        fs::write(&path, b"damaged").unwrap();
        cache.put(&block).unwrap();
        assert_eq!(cache.get(&block.id()).unwrap(), block);
    }

    #[test]
    fn removing_a_block_deletes_it_and_returns_its_size() {
        let (_root, cache) = cache();
        let [block, other] = [full_block(7), full_block(8)];
        let path = cache.put(&block).unwrap();
        cache.put(&other).unwrap();
        let size = fs::metadata(path).unwrap().len();

        assert_eq!(cache.size(&block.id()).unwrap(), size);
        assert_eq!(cache.remove(&block.id()).unwrap(), size);
        assert!(matches!(cache.remove(&block.id()), Err(CacheError::NotCached { number: 7 })));
        assert_eq!(cache.list(1).unwrap(), [other.id()]);
    }

    #[test]
    fn storing_leaves_only_the_file_itself() {
        let (_root, cache) = cache();
        let path = cache.put(&full_block(7)).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_block_is_complete_or_absent_while_it_is_stored() {
        let (_root, cache) = cache();
        let block = full_block(7);
        thread::scope(|scope| {
            let writers = [(); 2]
                .map(|()| scope.spawn(|| (0..20).try_for_each(|_| cache.put(&block).map(|_| ()))));
            while !writers.iter().all(ScopedJoinHandle::is_finished) {
                match cache.get(&block.id()) {
                    Ok(loaded) => assert_eq!(loaded, block),
                    Err(error) => assert!(matches!(error, CacheError::NotCached { .. }), "{error}"),
                }
            }
            for writer in writers {
                writer.join().unwrap().unwrap();
            }
        });
        assert_eq!(cache.list(1).unwrap(), [block.id()]);
    }

    #[test]
    fn a_reorged_number_is_ambiguous_and_both_files_are_named() {
        let (_root, cache) = cache();
        let block = full_block(7);
        let paths = [&block, &reorged(&block)].map(|block| cache.put(block).unwrap());

        let error = cache.get_by_number(1, 7).unwrap_err().to_string();
        for path in &paths {
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
        assert_eq!(cache.get(&block.id()).unwrap(), block);
    }

    #[test]
    fn a_file_under_the_name_of_another_block_is_refused() {
        let (_root, cache) = cache();
        let block = full_block(7);
        let path = cache.put(&block).unwrap();
        let other_hash = reorged(&block).id();
        let other_number = BlockId { number: 8, ..block.id() };
        for id in [other_hash, other_number] {
            fs::copy(&path, cache.path(&id)).unwrap();
            let error = cache.get(&id).unwrap_err();
            assert!(
                matches!(error, CacheError::WrongBlock { found, .. } if found == block.id()),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_file_in_the_folder_of_another_chain_is_refused() {
        let (_root, cache) = cache();
        let block = full_block(7);
        let path = cache.put(&block).unwrap();
        let elsewhere = BlockId { chain_id: 5, ..block.id() };
        fs::create_dir_all(cache.chunk_folder(5, 7)).unwrap();
        fs::copy(path, cache.path(&elsewhere)).unwrap();

        let error = cache.get(&elsewhere).unwrap_err();
        assert!(matches!(error, CacheError::WrongChain { expected: 5, found: 1, .. }), "{error:?}");
    }

    #[test]
    fn an_unusable_file_is_named_with_the_cause_and_the_remedy() {
        let (_root, cache) = cache();
        let block = full_block(7);
        let path = cache.put(&block).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();

        let error = cache.get_by_number(1, 7).unwrap_err();
        let remedy = "cannot be used; fetch the block again with --overwrite";
        assert_eq!(error.to_string(), format!("{} {remedy}", path.display()));
        let cause = error.source().and_then(|cause| cause.downcast_ref::<ContainerError>());
        assert!(matches!(cause, Some(ContainerError::Truncated)), "{cause:?}");
    }

    #[test]
    fn a_huge_file_is_refused_without_reading_it() {
        let (_root, cache) = cache();
        let block = full_block(7);
        let path = cache.put(&block).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(MAX_FILE_BYTES + 1).unwrap();

        let error = cache.get(&block.id()).unwrap_err();
        let cause = error.source().and_then(|cause| cause.downcast_ref::<ContainerError>());
        assert!(matches!(cause, Some(ContainerError::TooLarge { .. })), "{cause:?}");
    }

    #[test]
    fn unusable_paths_give_errors_that_name_them() {
        let (root, cache) = cache();
        fs::write(root.path().join("cache"), b"a file where the folder should be").unwrap();
        assert!(matches!(cache.put(&empty_block(7)), Err(CacheError::Write { .. })));
        assert!(matches!(cache.list(1), Err(CacheError::List { .. })));
        assert!(matches!(cache.get(&unknown_id(7)), Err(CacheError::Read { .. })));
    }
}
