//! The cache of containers: writes its files, reads them, and checks each file against its name.
//!
//! `layout` maps blocks to paths and lists them. `storage` is the folder or the bucket that has the files. A returned
//! block has the requested chain, number and hash. The rest of it is not verified.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::{BlockNumber, ChainId};

use super::{
    CacheError, ContainerError, Location,
    bucket::{Bucket, CopySettings},
    container,
    folder::Folder,
    limits::MAX_FILE_BYTES,
    storage::{Content, Storage},
};
use crate::block::{BlockId, RecordedBlock};

/// A folder or bucket of recorded blocks, one file each.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Shared, since every selected block has its cache.
    root: Arc<Path>,
    pub(super) storage: Arc<dyn Storage>,
}

impl Cache {
    /// The cache in the folder `root`. Does not access the disk. The first [`Self::put`] creates
    /// the folder. A missing folder is an empty cache.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root: Arc<Path> = root.into().into();
        Self { root: root.clone(), storage: Arc::new(Folder { root }) }
    }

    /// The cache at a location. Sends no request to a bucket, and takes the credentials from the environment. `copy`
    /// is the local copy of a bucket's blocks.
    ///
    /// # Errors
    ///
    /// [`CacheError::Open`] if the settings in the environment cannot be used.
    pub fn open(location: Location, copy: CopySettings) -> Result<Self, CacheError> {
        match location {
            Location::Folder(root) => Ok(Self::new(root)),
            Location::Bucket(url) => Ok(Self::in_bucket(Bucket::connect(&url, copy)?)),
        }
    }

    pub(super) fn in_bucket(bucket: Bucket) -> Self {
        Self { root: bucket.root().into(), storage: Arc::new(bucket) }
    }

    /// The folder of the cache, whether or not it exists, or the URL of the bucket.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the cache; `None` for a bucket.
    pub fn folder_on_disk(&self) -> Option<&Path> {
        self.storage.folder()
    }

    /// Writes the notes that [`Self::confirm`] and [`Self::note_checked`] left in memory. Only a cache in a bucket has
    /// any.
    ///
    /// # Errors
    ///
    /// [`CacheError::Write`].
    pub fn flush(&self) -> Result<(), CacheError> {
        self.storage.flush()
    }

    /// Stores a block, and returns the path of its file, which is a URL in a bucket.
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
        match self.storage.write(&self.folder(id.chain_id), &path, bytes) {
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
        let path = self.path(id);
        let content = self.storage.read(&path, MAX_FILE_BYTES);
        match content.map_err(cannot_read(&path, id.number))? {
            Content::Whole(bytes) => Ok(bytes),
            Content::TooLarge(size) => {
                let (part, limit) = ("bytes of file", MAX_FILE_BYTES);
                let source = ContainerError::TooLarge { part, size, limit };
                Err(CacheError::Unusable { path, source })
            }
        }
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
        let path = self.path(id);
        self.storage.size(&path).map_err(cannot_read(&path, id.number))
    }

    /// Removes the file of a block without reading it, and returns its size in bytes.
    ///
    /// # Errors
    ///
    /// [`CacheError::NotCached`], [`CacheError::Read`] and [`CacheError::Remove`].
    pub fn remove(&self, id: &BlockId) -> Result<u64, CacheError> {
        let size = self.size(id)?;
        for path in self.places(id) {
            match self.storage.remove(&path) {
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
        let names = self.storage.folders(&self.root)?;
        let mut chains: Vec<_> = names.iter().filter_map(|name| chain_id(name)).collect();
        chains.sort_unstable();
        Ok(chains)
    }
}

/// The chain of a folder of this name. `None` if [`Cache::put`] never spells it so.
fn chain_id(name: &str) -> Option<ChainId> {
    let chain_id: ChainId = name.parse().ok()?;
    (chain_id.to_string() == name).then_some(chain_id)
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
mod tests;
