//! Files in a bucket that are no blocks, by their paths below the URL.

use std::{io, path::Path, path::PathBuf};

use super::{
    super::{CacheError, storage::Content, storage::Storage as _},
    Bucket, BucketUrl, CopySettings,
};

/// Maximum size of a file in bytes. Its content is in memory.
const MAX_BYTES: u64 = 1 << 32;

/// The files below the URL of a bucket. Paths are relative to it.
#[derive(Debug)]
pub struct BucketFiles(Bucket);

impl BucketFiles {
    /// Takes the credentials from the environment. Sends no request.
    ///
    /// # Errors
    ///
    /// [`CacheError::Open`].
    pub fn connect(url: &BucketUrl) -> Result<Self, CacheError> {
        Ok(Self(Bucket::connect(url, CopySettings::none())?))
    }

    /// The paths of all files, in no order.
    ///
    /// # Errors
    ///
    /// [`CacheError::List`].
    pub fn list(&self) -> Result<Vec<PathBuf>, CacheError> {
        let bucket = &self.0;
        let (objects, prefix) = (bucket.objects.clone(), bucket.prefix.clone());
        let listed = bucket.threads.wait(async move { objects.list_below(&prefix).await });
        let keys = listed.map_err(CacheError::list(bucket.root()))?;
        Ok(keys.iter().map(|key| bucket.relative(&bucket.path(key)).to_owned()).collect())
    }

    /// The content of a file.
    ///
    /// # Errors
    ///
    /// [`CacheError::Read`].
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, CacheError> {
        let path = self.0.root().join(path);
        match self.0.read(&path, MAX_BYTES) {
            Ok(Content::Whole(bytes)) => Ok(bytes),
            Ok(Content::TooLarge(_)) => {
                let source = io::Error::new(io::ErrorKind::FileTooLarge, "it is over 4 GiB");
                Err(CacheError::Read { path, source })
            }
            Err(source) => Err(CacheError::Read { path, source }),
        }
    }

    /// Writes a file completely or not at all, and replaces an existing one.
    ///
    /// # Errors
    ///
    /// [`CacheError::Write`].
    pub fn write(&self, path: &Path, bytes: Vec<u8>) -> Result<(), CacheError> {
        let path = self.0.root().join(path);
        let written = self.0.write(self.0.root(), &path, bytes);
        written.map_err(|source| CacheError::Write { path, source })
    }

    /// Removes a file. A missing one is no error.
    ///
    /// # Errors
    ///
    /// [`CacheError::Remove`].
    pub fn remove(&self, path: &Path) -> Result<(), CacheError> {
        let path = self.0.root().join(path);
        match self.0.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CacheError::Remove { path, source: error })
            }
            _ => Ok(()),
        }
    }
}
