//! The requests to a bucket, as futures with the errors of files.

use std::{future::Future, io, sync::Arc, time::Duration};

use alloy_primitives::bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    GetOptions, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutPayload,
    client::{HttpError, HttpErrorKind},
    path::Path as Key,
};

use super::fault::{BucketFault, broke_off, io_error};

/// Maximum number of requests of one call at the same time.
const AT_ONCE: usize = 16;

/// Further attempts after an answer that broke off. The library retries other faults itself.
const ATTEMPTS: u32 = 5;

/// Time before the first further attempt. It doubles.
const WAIT: Duration = Duration::from_millis(100);

/// The objects of a bucket. Cheap to clone.
#[derive(Clone)]
pub(super) struct Objects(Arc<dyn ObjectStore>);

/// The result of a read.
pub(super) enum Found {
    /// The bytes of the object, and its e-tag if the service states one.
    Object(Bytes, Option<String>),
    /// The object has the e-tag that the caller knows.
    Same,
    /// The size of an object that is larger than the limit.
    TooLarge(u64),
}

impl Objects {
    pub(super) const fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self(store)
    }

    /// Reads an object of at most `limit` bytes, unless its e-tag is `known`. A service that ignores the condition
    /// sends the object.
    pub(super) async fn get(
        &self,
        key: &Key,
        known: Option<String>,
        limit: u64,
    ) -> io::Result<Found> {
        again(|| async {
            let options = GetOptions { if_none_match: known.clone(), ..GetOptions::default() };
            let found = match self.0.get_opts(key, options).await {
                Err(object_store::Error::NotModified { .. }) => return Ok(Found::Same),
                found => found?,
            };
            let (size, tag) = (found.meta.size, found.meta.e_tag.clone());
            if size > limit {
                return Ok(Found::TooLarge(size));
            }
            let bytes = found.bytes().await?;
            if bytes.len() as u64 == size {
                Ok(Found::Object(bytes, tag))
            } else {
                Err(cut_short())
            }
        })
        .await
    }

    /// Writes an object as a whole, and replaces an existing one.
    pub(super) async fn put(&self, key: &Key, bytes: Bytes) -> io::Result<()> {
        again(|| self.0.put(key, PutPayload::from(bytes.clone()))).await.map(|_| ())
    }

    /// Size of an object in bytes.
    pub(super) async fn size(&self, key: &Key) -> io::Result<u64> {
        Ok(again(|| self.0.head(key)).await?.size)
    }

    /// Removes an object. Most services accept that it is missing.
    pub(super) async fn remove(&self, key: &Key) -> io::Result<()> {
        again(|| self.0.delete(key)).await
    }

    /// Lists the objects and folders directly below a key.
    pub(super) async fn list(&self, folder: &Key) -> io::Result<ListResult> {
        again(|| self.0.list_with_delimiter(Some(folder))).await
    }

    /// Lists all objects below a key, those of its folders included.
    pub(super) async fn list_below(&self, folder: &Key) -> io::Result<Vec<Key>> {
        again(|| self.0.list(Some(folder)).map_ok(|object| object.location).try_collect()).await
    }

    /// Calls `ask` for each key, some at the same time, and returns the answers in the order of the keys. Stops at the
    /// first error, with the position of its key.
    pub(super) async fn each<T, A: Future<Output = io::Result<T>>>(
        self,
        keys: Vec<Key>,
        ask: impl Fn(Self, Key) -> A,
    ) -> Result<Vec<T>, (usize, io::Error)> {
        let asked = stream::iter(keys).map(|key| ask(self.clone(), key));
        let (mut asked, mut answers) = (asked.buffered(AT_ONCE), Vec::new());
        while let Some(answer) = asked.next().await {
            answers.push(answer.map_err(|error| (answers.len(), error))?);
        }
        Ok(answers)
    }
}

/// The name of an object or folder in its folder.
pub(super) fn name(key: &Key) -> &str {
    key.filename().unwrap_or_default()
}

/// Objects by the time of their last modification, then by name.
pub(super) fn in_order_of_writing(mut objects: Vec<ObjectMeta>) -> Vec<ObjectMeta> {
    objects.sort_by(|a, b| (a.last_modified, &a.location).cmp(&(b.last_modified, &b.location)));
    objects
}

fn cut_short() -> object_store::Error {
    let source = HttpError::new(HttpErrorKind::Decode, BucketFault::CutShort);
    object_store::Error::Generic { store: "bucket", source: Box::new(source) }
}

/// Sends a request again if its answer broke off. All requests may be repeated.
async fn again<T, A: Future<Output = object_store::Result<T>>>(
    ask: impl Fn() -> A,
) -> io::Result<T> {
    let mut wait = WAIT;
    for _ in 0..ATTEMPTS {
        match ask().await {
            Err(error) if broke_off(&error) => {}
            answer => return answer.map_err(|error| io_error(&error)),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    ask().await.map_err(|error| io_error(&error))
}
