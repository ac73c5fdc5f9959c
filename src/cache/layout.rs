//! Maps blocks to paths.
//!
//! A block is at `<chain>/<chunk>/<file>`. A chunk's folder is named by its first and last number, for example
//! `19000000-19000999`. Releases before that layout stored a block at `<chain>/<file>`, which is still read and
//! replaced there. So a selection of blocks is found by names alone, and only the folders of its chunks are listed.
//! Buckets came with that layout, so there are no blocks directly in the folder of a chain.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    slice,
};

use alloy_primitives::{BlockNumber, ChainId};

use super::{Cache, CacheError};
use crate::block::{
    BlockId,
    range::{BlockNumbers, CHUNK, NumberSet, chunk_name, chunk_numbers},
};

/// Number of chunks up to which each is listed by its name, whether or not it exists.
const MOST_NAMED: usize = 64;

impl Cache {
    /// The path of a block's file, whether or not it exists.
    pub fn path(&self, id: &BlockId) -> PathBuf {
        let mut places = self.places(id);
        let chunked = places.remove(0);
        match places.pop() {
            Some(flat) if exists(&flat) && !exists(&chunked) => flat,
            _ => chunked,
        }
    }

    /// The paths that a block's file may have, the preferred one first.
    pub(super) fn places(&self, id: &BlockId) -> Vec<PathBuf> {
        let flat = self.has_flat_files().then(|| self.folder(id.chain_id));
        let folders = [self.chunk_folder(id.chain_id, id.number)].into_iter().chain(flat);
        folders.map(|folder| folder.join(id.file_name())).collect()
    }

    /// Whether the folder of a chain may have blocks.
    fn has_flat_files(&self) -> bool {
        self.folder_on_disk().is_some()
    }

    /// The folder of a chain.
    pub(super) fn folder(&self, chain_id: ChainId) -> PathBuf {
        self.root().join(chain_id.to_string())
    }

    /// The folder of the chunk that has this number.
    pub(super) fn chunk_folder(&self, chain_id: ChainId, number: BlockNumber) -> PathBuf {
        self.folder(chain_id).join(chunk_name(number / CHUNK))
    }

    /// The folders that may have files about numbers in the set, each with the numbers that it may have: those of
    /// chunks, and the chain's. The few chunks of a short list in a bucket need not be looked for.
    pub(super) fn folders_of(
        &self,
        chain_id: ChainId,
        wanted: &NumberSet,
    ) -> Result<Vec<(RangeInclusive<BlockNumber>, PathBuf)>, CacheError> {
        let folder = self.folder(chain_id);
        let is_flat = self.has_flat_files();
        let named = if is_flat { None } else { wanted.chunks(MOST_NAMED) };
        let mut found = Vec::new();
        let mut add = |index| found.push((chunk_numbers(index), folder.join(chunk_name(index))));
        match named {
            Some(chunks) => chunks.into_iter().for_each(add),
            None => self.storage.names(slice::from_ref(&folder), &mut |_, name| {
                let index = chunk_index(name);
                index
                    .filter(|index| wanted.meets(&chunk_numbers(*index)))
                    .into_iter()
                    .for_each(&mut add);
            })?,
        }
        if is_flat {
            found.push((0..=BlockNumber::MAX, folder));
        }
        Ok(found)
    }

    /// The cached blocks of a chain by their file names, sorted by number, then hash.
    ///
    /// Opens no file. Names that are not names of containers are skipped, among them those of
    /// temporary files.
    ///
    /// # Errors
    ///
    /// [`CacheError::List`]. A missing folder is not an error: it has no blocks.
    pub fn list(&self, chain_id: ChainId) -> Result<Vec<BlockId>, CacheError> {
        let all: BlockNumbers = [0..=BlockNumber::MAX].into_iter().collect();
        self.list_of(chain_id, &all)
    }

    /// As [`Self::list`], for these numbers only. Lists the folders of their chunks and no others.
    ///
    /// # Errors
    ///
    /// As [`Self::list`].
    pub fn list_of(
        &self,
        chain_id: ChainId,
        numbers: &BlockNumbers,
    ) -> Result<Vec<BlockId>, CacheError> {
        let wanted = numbers.set();
        let mut ids = Vec::new();
        let (own, folders): (Vec<_>, Vec<_>) =
            self.folders_of(chain_id, &wanted)?.into_iter().unzip();
        self.storage.names(&folders, &mut |position, name| {
            let id = BlockId::from_file_name(chain_id, name);
            // No path leads to a block in the folder of another chunk.
            let is_wanted =
                |id: &BlockId| own[position].contains(&id.number) && wanted.contains(id.number);
            ids.extend(id.filter(is_wanted));
        })?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Whether a block is cached, of this chain if one is given. Stops at the first one.
    ///
    /// # Errors
    ///
    /// [`CacheError::List`].
    pub fn has_blocks(&self, chain_id: Option<ChainId>) -> Result<bool, CacheError> {
        let chains = chain_id.map_or_else(|| self.chains(), |id| Ok(vec![id]))?;
        for chain_id in chains {
            let flat = self.folder(chain_id);
            let is_block = |name: &String| BlockId::from_file_name(chain_id, name).is_some();
            let names = self.names_in(flat.clone())?;
            if self.has_flat_files() && names.iter().any(is_block) {
                return Ok(true);
            }
            for chunk in names.iter().filter(|name| chunk_index(name).is_some()) {
                if self.names_in(flat.join(chunk))?.iter().any(is_block) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn names_in(&self, folder: PathBuf) -> Result<Vec<String>, CacheError> {
        let mut names = Vec::new();
        self.storage.names(&[folder], &mut |_, name| names.push(name.to_owned()))?;
        Ok(names)
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The chunk of a folder of this name. `None` if [`chunk_name`] never spells it so.
fn chunk_index(name: &str) -> Option<u64> {
    let (first, _) = name.split_once('-')?;
    let index = first.parse::<BlockNumber>().ok()? / CHUNK;
    (chunk_name(index) == name).then_some(index)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cache::tests::{empty_block, full_block};

    #[test]
    fn a_chunk_is_named_by_its_first_and_last_number() {
        assert_eq!(chunk_name(19_000), "19000000-19000999");
        for index in [0, 1, 19_000, u64::MAX / CHUNK] {
            assert_eq!(chunk_index(&chunk_name(index)), Some(index));
        }
        for name in ["0-1", "1000-1998", "01000-1999", "+0-999", "7-0xab.block", "notes", ""] {
            assert_eq!(chunk_index(name), None, "{name}");
        }
    }

    #[test]
    fn a_listing_of_a_range_reads_no_other_chunk() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        for number in [7, 999, 1_000, 2_500] {
            cache.put(&empty_block(number)).unwrap();
        }
        // A file in place of a chunk's folder cannot be listed.
        fs::write(root.path().join("1/9000-9999"), b"").unwrap();
        let numbers = |range| {
            let asked: BlockNumbers = [range].into_iter().collect();
            let found = cache.list_of(1, &asked).unwrap();
            found.iter().map(|id| id.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(0..=998), [7]);
        assert_eq!(numbers(999..=2_999), [999, 1_000, 2_500]);
        assert_eq!(numbers(3_000..=8_999), [0; 0]);
        assert!(matches!(cache.list(1), Err(CacheError::List { .. })));
    }

    #[test]
    fn a_block_of_the_flat_layout_is_found_replaced_and_removed_where_it_is() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let [old, new] = [full_block(7), full_block(8)];
        let chunked = cache.put(&old).unwrap();
        cache.put(&new).unwrap();
        let flat = root.path().join("1").join(chunked.file_name().unwrap());
        fs::rename(&chunked, &flat).unwrap();

        assert_eq!(cache.path(&old.id()), flat);
        assert_eq!(cache.list(1).unwrap(), [old.id(), new.id()]);
        assert_eq!(cache.get_by_number(1, 7).unwrap(), old);
        assert_eq!(cache.put(&old).unwrap(), flat);
        fs::copy(&flat, &chunked).unwrap();
        assert_eq!(cache.list(1).unwrap(), [old.id(), new.id()]);
        cache.remove(&old.id()).unwrap();
        assert_eq!(cache.list(1).unwrap(), [new.id()]);
    }

    #[test]
    fn a_cache_has_blocks_in_either_layout() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        assert!(!cache.has_blocks(None).unwrap());
        let path = cache.put(&full_block(7)).unwrap();
        assert!(cache.has_blocks(None).unwrap() && cache.has_blocks(Some(1)).unwrap());
        assert!(!cache.has_blocks(Some(5)).unwrap());
        fs::rename(&path, root.path().join("1").join(path.file_name().unwrap())).unwrap();
        assert!(cache.has_blocks(Some(1)).unwrap());
    }
}
