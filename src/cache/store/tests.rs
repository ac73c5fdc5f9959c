//! Tests of a cache in a folder.

use std::{
    error::Error,
    fs,
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
