//! A cache over a bucket in memory.

use futures::executor::block_on;
use object_store::{ObjectStoreExt as _, PutPayload, memory::InMemory};
use tempfile::TempDir;

use super::*;
use crate::{
    block::{BlockId, Confirmation, RecordedBlock},
    cache::{
        Cache, Confirmations, Location, sample,
        tests::{empty_block, full_block, reorged, unknown_id},
    },
};

/// A bucket in memory, and the folder of the local copies.
struct Place {
    store: Arc<InMemory>,
    copies: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { store: Arc::default(), copies: tempfile::tempdir().unwrap() }
    }

    /// A cache of another process.
    fn cache(&self) -> Cache {
        let url = Location::parse(Path::new("s3://bucket/a/b"));
        let Ok(Location::Bucket(url)) = url else { panic!("{url:?}") };
        let copy = CopySettings { folder: self.copies.path().to_owned(), limit: 1 << 30 };
        Cache::in_bucket(Bucket::new(&url, self.store.clone(), copy).unwrap())
    }

    fn keys(&self) -> Vec<String> {
        let listed = block_on(futures::StreamExt::collect::<Vec<_>>(self.store.list(None)));
        let mut keys: Vec<_> =
            listed.into_iter().map(|object| object.unwrap().location.to_string()).collect();
        keys.sort();
        keys
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        let payload = PutPayload::from(bytes.to_vec());
        block_on(self.store.put(&Key::from(key), payload)).unwrap();
    }

    /// Number of objects about checked or confirmed blocks.
    fn noted(&self, notes: Notes) -> usize {
        self.keys().iter().filter(|key| is_of(notes, key.rsplit('/').next().unwrap())).count()
    }
}

#[test]
fn a_block_has_the_key_of_its_path_in_a_folder() {
    let place = Place::new();
    let cache = place.cache();
    let block = full_block(7);
    let path = cache.put(&block).unwrap();
    let name = format!("7-{}.block", block.block.header.hash_slow());
    assert_eq!(path.to_str(), Some(format!("s3://bucket/a/b/1/0-999/{name}").as_str()));
    assert_eq!(place.keys(), [format!("a/b/1/0-999/{name}")]);

    let other = place.cache();
    assert_eq!(other.get(&block.id()).unwrap(), block);
    assert_eq!(other.get_by_number(1, 7).unwrap(), block);
    assert_eq!(other.size(&block.id()).unwrap(), cache.remove(&block.id()).unwrap());
    assert!(matches!(other.get(&block.id()), Err(CacheError::NotCached { number: 7 })));
    assert!(matches!(cache.remove(&block.id()), Err(CacheError::NotCached { number: 7 })));
    assert!(place.keys().is_empty());
}

#[test]
fn blocks_and_chains_are_listed_like_those_of_a_folder() {
    let place = Place::new();
    let cache = place.cache();
    assert_eq!(cache.chains().unwrap(), [0; 0]);
    assert!(!cache.has_blocks(None).unwrap());
    for number in [10, 9, 1_000, 999_999] {
        cache.put(&empty_block(number)).unwrap();
    }
    cache.put(&RecordedBlock { chain_id: 10, ..empty_block(7) }).unwrap();
    for foreign in ["1/0-999/notes.txt", "1/0-999/8-0x12.block", "01/x", "2", "mainnet/x"] {
        place.put(&format!("a/b/{foreign}"), b"foreign");
    }
    assert_eq!(cache.chains().unwrap(), [1, 10]);
    let numbers = |range| {
        let asked = [range].into_iter().collect();
        let found = cache.list_of(1, &asked).unwrap();
        found.iter().map(|id| id.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0..=u64::MAX), [9, 10, 1_000, 999_999]);
    assert_eq!(numbers(10..=1_000), [10, 1_000]);
    assert!(cache.has_blocks(Some(10)).unwrap() && !cache.has_blocks(Some(5)).unwrap());
    assert!(cache.leftovers(1).unwrap().is_empty());
    assert!(matches!(cache.get(&unknown_id(7)), Err(CacheError::NotCached { .. })));
}

#[test]
fn a_reorged_number_is_ambiguous_and_both_objects_are_named() {
    let place = Place::new();
    let cache = place.cache();
    let block = full_block(7);
    let paths = [&block, &reorged(&block)].map(|block| cache.put(block).unwrap());
    let error = cache.get_by_number(1, 7).unwrap_err().to_string();
    assert!(paths.iter().all(|path| error.contains(path.to_str().unwrap())), "{error}");
}

#[test]
fn a_replaced_object_is_never_read_from_the_copy() {
    let place = Place::new();
    let cache = place.cache();
    let block = full_block(7);
    cache.put(&block).unwrap();
    assert_eq!(cache.get(&block.id()).unwrap(), block);
    let key = place.keys().remove(0);
    place.put(&key, b"damaged");
    assert!(matches!(cache.get(&block.id()), Err(CacheError::Unusable { .. })));
    cache.put(&block).unwrap();
    assert_eq!(cache.get(&block.id()).unwrap(), block);
}

#[test]
fn notes_of_several_writers_are_united() {
    let place = Place::new();
    let blocks = sample().unwrap();
    let caches = [place.cache(), place.cache()];
    for (block, cache) in blocks.iter().zip(caches.iter().cycle()) {
        cache.put(block).unwrap();
        cache.note_checked(block);
        cache
            .confirm(block.chain_id, &Confirmations::from([(block.id(), Confirmation::Given)]))
            .unwrap();
    }
    assert_eq!((place.noted(Notes::Checked), place.noted(Notes::Confirmed)), (0, 0));
    caches.iter().for_each(|cache| cache.flush().unwrap());
    assert_eq!((place.noted(Notes::Checked), place.noted(Notes::Confirmed)), (2, 2));
    caches.iter().for_each(|cache| cache.flush().unwrap());
    assert_eq!(place.noted(Notes::Checked), 2);

    let other = place.cache();
    let ids: Vec<_> = blocks.iter().map(RecordedBlock::id).collect();
    let unchanged = other.unchanged(&ids);
    assert_eq!(unchanged.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    let all = [0..=u64::MAX].into_iter().collect();
    let confirmed = other.confirmations(blocks[0].chain_id, &all).unwrap();
    assert!(ids.iter().all(|id| confirmed.contains_key(id)));
}

#[test]
fn an_object_of_another_size_is_checked_again_and_its_last_line_counts() {
    let place = Place::new();
    let cache = place.cache();
    let block = sample().unwrap().swap_remove(0);
    let id = block.id();
    cache.put(&block).unwrap();
    cache.note_checked(&block);
    cache.flush().unwrap();
    let key = place.keys().into_iter().find(|key| key.ends_with(".block")).unwrap();
    for (bytes, counts) in [(&b"other"[..], false), (b"", false)] {
        place.put(&key, bytes);
        assert_eq!(!cache.unchanged(&[id]).is_empty(), counts);
        cache.note_checked(&block);
        cache.flush().unwrap();
        assert_eq!(cache.unchanged(&[id]).len(), 1);
    }
    cache.remove(&id).unwrap();
    assert!(cache.unchanged(&[id]).is_empty());
}

#[test]
fn many_notes_are_written_before_the_end() {
    let place = Place::new();
    let cache = place.cache();
    let id = |number| BlockId { number, ..unknown_id(7) };
    for number in 0..600 {
        let given = Confirmations::from([(id(number), Confirmation::Given)]);
        cache.confirm(1, &given).unwrap();
    }
    cache.flush().unwrap();
    assert_eq!(place.noted(Notes::Confirmed), 3);
    let numbers = [0..=599].into_iter().collect();
    let confirmed = cache.confirmations(1, &numbers).unwrap();
    assert!((0..600).all(|number| confirmed.contains_key(&id(number))));
}

#[test]
fn notes_of_a_folder_that_was_uploaded_are_read() {
    let place = Place::new();
    let id = unknown_id(8);
    place.put("a/b/1/0-999/confirmed.txt", format!("8@{} # given hash\n", id.hash).as_bytes());
    place.put("a/b/1/0-999/confirmed-notes", b"9@0x12");
    let confirmed = place.cache().confirmations(1, &[8..=8].into_iter().collect()).unwrap();
    assert_eq!(confirmed[&id], Confirmation::Given);
}

#[test]
fn a_call_works_inside_of_another_runtime() {
    let place = Place::new();
    for flavor in [0, 2] {
        let mut builder = match flavor {
            0 => tokio::runtime::Builder::new_current_thread(),
            threads => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(threads);
                builder
            }
        };
        builder.build().unwrap().block_on(async {
            // The last use of the bucket is inside, too.
            let (cache, block) = (place.cache(), full_block(7));
            cache.put(&block).unwrap();
            assert_eq!(
                tokio::spawn(async move { cache.get(&block.id()) }).await.unwrap().unwrap(),
                full_block(7)
            );
        });
    }
}

#[test]
fn debug_shows_the_url_alone() {
    assert_eq!(
        format!("{:?}", Place::new().cache().storage),
        "Bucket { root: \"s3://bucket/a/b\", .. }"
    );
}
