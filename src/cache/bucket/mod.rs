//! A cache in a bucket of S3, Google Cloud Storage or Azure.
//!
//! | file | task |
//! |---|---|
//! | `url` | the URL of a bucket |
//! | `connect` | credentials and settings from the environment |
//! | `http` | answers of the service as typed faults |
//! | `fault` | why a request failed |
//! | `objects` | the requests |
//! | `threads` | runs requests for callers that wait |
//! | `notes` | collects lines, and writes them as objects |
//! | `copy` | the local copy of blocks |
//! | `files` | files that are no blocks |
//!
//! The keys are those of a folder. A block's key has its hash, and the key of notes the digest of their lines. So two
//! writers of a key write the same, and no request has a condition that a service might ignore. An object is written
//! by one request, so it is complete or absent.

mod connect;
mod copy;
mod fault;
mod files;
mod http;
mod notes;
mod objects;
#[cfg(test)]
mod tests;
mod threads;
mod url;

pub use self::{
    copy::CopySettings,
    fault::BucketFault,
    files::BucketFiles,
    url::{BucketUrl, UrlError},
};

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    io,
    path::{Path, PathBuf},
    slice,
    sync::Arc,
};

use alloy_primitives::hex;
use object_store::{ListResult, ObjectStore, path::Path as Key};
use sha2::{Digest, Sha256};

use self::{
    copy::{Copied, LocalCopy},
    notes::{NoteBook, is_of},
    objects::{Found, Objects, in_order_of_writing, name},
    threads::{Threads, ended},
};
use super::{
    CacheError,
    storage::{Content, Notes, Stamp, Storage},
};

/// Number of folders that are listed at once. The names of all of them are in memory.
const FOLDERS_AT_ONCE: usize = 64;

/// A bucket and a prefix in it.
pub(super) struct Bucket {
    /// The URL. It has no secrets.
    root: PathBuf,
    prefix: Key,
    objects: Objects,
    notes: NoteBook,
    copy: Option<LocalCopy>,
    threads: Threads,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Bucket {
    /// The bucket of a URL, with credentials from the environment. Sends no request.
    ///
    /// # Errors
    ///
    /// [`CacheError::Open`].
    pub(super) fn connect(url: &BucketUrl, copy: CopySettings) -> Result<Self, CacheError> {
        let opened = connect::connect(url).and_then(|store| Self::new(url, store, copy));
        opened.map_err(|source| CacheError::Open { path: url.to_string().into(), source })
    }

    /// The bucket of a URL, whose objects are those of `store`.
    fn new(
        url: &BucketUrl,
        store: Arc<dyn ObjectStore>,
        copy: CopySettings,
    ) -> Result<Self, BucketFault> {
        let threads = Threads::start()?;
        let prefix = Key::parse(&url.prefix);
        let prefix = prefix.map_err(|error| BucketFault::Other { text: error.to_string() })?;
        let (objects, root) = (Objects::new(store), url.to_string());
        Ok(Self {
            prefix,
            notes: NoteBook::new(objects.clone(), &threads),
            copy: LocalCopy::new(copy, &root),
            root: root.into(),
            objects,
            threads,
        })
    }

    /// The URL.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root, without it.
    fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// The key of an object.
    fn key(&self, path: &Path) -> Key {
        let parts = self.relative(path).iter().map(|part| part.to_string_lossy().into_owned());
        parts.fold(self.prefix.clone(), Key::join)
    }

    fn keys(&self, paths: &[PathBuf]) -> Vec<Key> {
        paths.iter().map(|path| self.key(path)).collect()
    }

    /// The path of a key, for messages.
    fn path(&self, key: &Key) -> PathBuf {
        let below = key.prefix_match(&self.prefix).into_iter().flatten();
        below.fold(self.root.clone(), |path, part| path.join(part.as_ref()))
    }

    /// Waits for the answers of a request to each key. An error has the position of its key.
    fn each<T: Send + 'static, A: Future<Output = io::Result<T>> + Send + 'static>(
        &self,
        keys: Vec<Key>,
        ask: impl Fn(Objects, Key) -> A + Send + Sync + 'static,
    ) -> Result<Vec<T>, (usize, io::Error)> {
        let work = self.objects.clone().each(keys, ask);
        self.threads.start_work(work).recv().unwrap_or_else(|_| Err((0, ended())))
    }

    /// Lists folders.
    fn list(&self, folders: &[PathBuf]) -> Result<Vec<ListResult>, CacheError> {
        let ask = |objects: Objects, key: Key| async move { objects.list(&key).await };
        let listed = self.each(self.keys(folders), ask);
        listed.map_err(|(position, source)| CacheError::list(&folders[position])(source))
    }

    /// The texts of objects. An object that is too large, or was removed since it was listed, has none.
    fn texts(&self, keys: Vec<Key>, limit: u64) -> Result<Vec<String>, CacheError> {
        let ask = move |objects: Objects, key: Key| async move {
            match objects.get(&key, None, limit).await {
                Ok(Found::Object(bytes, _)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Ok(Found::Same | Found::TooLarge(_)) => Ok(String::new()),
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(String::new()),
                Err(error) => Err(error),
            }
        };
        let read = self.each(keys.clone(), ask);
        read.map_err(|(position, source)| {
            let path = keys.get(position).map_or_else(|| self.root.clone(), |key| self.path(key));
            CacheError::Read { path, source }
        })
    }

    /// Sizes of the objects in a folder, by name. It is empty if the folder cannot be listed.
    fn sizes(&self, folder: &Path) -> HashMap<String, u64> {
        let listed = self.list(slice::from_ref(&folder.to_owned())).unwrap_or_default();
        let objects = listed.into_iter().flat_map(|listed| listed.objects);
        objects.map(|object| (name(&object.location).to_owned(), object.size)).collect()
    }

    /// Reads an object, from the copy if the object is still the same.
    fn read_through(&self, file: &Path, limit: u64) -> io::Result<Content> {
        let object = self.relative(file);
        let copied = self.copy.as_ref().and_then(|copy| copy.read(object));
        let (tag, bytes) = copied.map(|Copied { tag, bytes }| (tag, bytes)).unzip();
        let (objects, key) = (self.objects.clone(), self.key(file));
        let found = self.threads.wait(async move { objects.get(&key, tag, limit).await });
        let gone = found.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let Some(copy) = &self.copy else { return content(found?, Vec::new()) };
        match found {
            Ok(Found::Object(ref bytes, ref tag)) => copy.write(object, tag.as_deref(), bytes),
            _ if gone => copy.remove(object),
            _ => {}
        }
        content(found?, bytes.unwrap_or_default())
    }
}

/// SHA-256 (FIPS 180-4) as hex digits.
fn sha256(bytes: &[u8]) -> String {
    hex::encode(<[u8; 32]>::from(Sha256::digest(bytes)))
}

/// The content that was found. `copied` has the same object.
fn content(found: Found, copied: Vec<u8>) -> io::Result<Content> {
    Ok(match found {
        Found::Object(bytes, _) => Content::Whole(bytes.into()),
        Found::Same => Content::Whole(copied),
        Found::TooLarge(size) => Content::TooLarge(size),
    })
}

impl Storage for Bucket {
    fn names(
        &self,
        folders: &[PathBuf],
        take: &mut dyn FnMut(usize, &str),
    ) -> Result<(), CacheError> {
        let mut first = 0;
        for group in folders.chunks(FOLDERS_AT_ONCE) {
            for (position, listed) in self.list(group)?.into_iter().enumerate() {
                let objects = listed.objects.iter().map(|object| &object.location);
                let keys = objects.chain(&listed.common_prefixes);
                keys.for_each(|key| take(first + position, name(key)));
            }
            first += group.len();
        }
        Ok(())
    }

    fn folders(&self, folder: &Path) -> Result<Vec<String>, CacheError> {
        let listed = self.list(slice::from_ref(&folder.to_owned()))?;
        let keys = listed.iter().flat_map(|listed| &listed.common_prefixes);
        Ok(keys.map(|key| name(key).to_owned()).collect())
    }

    fn size(&self, file: &Path) -> io::Result<u64> {
        let (objects, key) = (self.objects.clone(), self.key(file));
        self.threads.wait(async move { objects.size(&key).await })
    }

    /// One listing has the sizes of all objects of a folder.
    fn stamps(&self, files: &[PathBuf]) -> Vec<Option<Stamp>> {
        if let [file] = files {
            return vec![self.size(file).ok().map(|size| (size, None))];
        }
        let mut listed = HashMap::new();
        let stamp = |file: &PathBuf| {
            let (folder, name) = (file.parent()?, file.file_name()?.to_str()?);
            let sizes = listed.entry(folder.to_owned()).or_insert_with(|| self.sizes(folder));
            sizes.get(name).map(|size| (*size, None))
        };
        files.iter().map(stamp).collect()
    }

    fn read(&self, file: &Path, limit: u64) -> io::Result<Content> {
        self.read_through(file, limit)
    }

    fn write(&self, _work: &Path, file: &Path, bytes: Vec<u8>) -> io::Result<()> {
        let (objects, key) = (self.objects.clone(), self.key(file));
        self.threads.wait(async move { objects.put(&key, bytes.into()).await })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.copy.iter().for_each(|copy| copy.remove(self.relative(file)));
        let (objects, key) = (self.objects.clone(), self.key(file));
        self.threads.wait(async move { objects.remove(&key).await })
    }

    fn notes(
        &self,
        folders: &[PathBuf],
        notes: Notes,
        take: &mut dyn FnMut(&str),
    ) -> Result<(), CacheError> {
        for group in folders.chunks(FOLDERS_AT_ONCE) {
            let listed = self.list(group)?.into_iter();
            let objects = listed.flat_map(|listed| in_order_of_writing(listed.objects));
            let keys = objects.map(|object| object.location);
            let keys = keys.filter(|key| is_of(notes, name(key))).collect();
            self.texts(keys, notes.limit())?.iter().for_each(|text| take(text));
        }
        Ok(())
    }

    fn note(&self, folder: &Path, notes: Notes, lines: String) -> Result<(), CacheError> {
        self.notes.add(self.key(folder), notes, lines);
        Ok(())
    }

    fn flush(&self) -> Result<(), CacheError> {
        let flushed = self.notes.flush();
        flushed.map_err(|(key, source)| CacheError::Write { path: self.path(&key), source })
    }
}
