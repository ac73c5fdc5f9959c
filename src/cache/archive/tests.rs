//! Valid and invalid archives.

use std::{error::Error as _, fs};

use alloy_primitives::B256;
use tempfile::TempDir;

use super::*;
use crate::{
    block::{BlockId, RecordedBlock},
    cache::{
        Cache,
        limits::MAX_FILE_BYTES,
        tests::{empty_block, full_block},
    },
};

fn filled() -> (TempDir, Cache, Vec<RecordedBlock>) {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::new(root.path().join("cache"));
    let blocks = vec![empty_block(7), full_block(8), full_block(9)];
    for block in &blocks {
        cache.put(block).unwrap();
    }
    (root, cache, blocks)
}

fn members(cache: &Cache, blocks: &[RecordedBlock]) -> Vec<Member> {
    blocks.iter().map(|block| Member::of(cache, block.id()).unwrap()).collect()
}

fn archive(cache: &Cache, blocks: &[RecordedBlock]) -> Vec<u8> {
    let mut archive = Vec::new();
    write(cache, &members(cache, blocks), &mut archive, |_| ()).unwrap();
    archive
}

/// A tar file with these members, under any names.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn json(members: &[Member]) -> Vec<u8> {
    manifest::to_json(members).unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Result<RecordedBlock, MemberError>>, ArchiveError> {
    Archive::new(bytes).members().map(Iterator::collect)
}

/// Number of blocks that are read, and the errors.
fn outcome(bytes: &[u8]) -> (usize, Vec<MemberError>) {
    let (blocks, errors): (Vec<_>, Vec<_>) =
        read(bytes).unwrap().into_iter().partition(Result::is_ok);
    (blocks.len(), errors.into_iter().filter_map(Result::err).collect())
}

#[test]
fn blocks_read_from_an_archive_equal_those_written() {
    let (_root, cache, blocks) = filled();
    let read: Vec<_> = read(&archive(&cache, &blocks)).unwrap();
    assert_eq!(read.into_iter().collect::<Result<Vec<_>, _>>().unwrap(), blocks);
}

#[test]
fn the_same_blocks_give_the_same_archive() {
    let (_root, cache, blocks) = filled();
    assert_eq!(archive(&cache, &blocks), archive(&cache, &blocks));
}

#[test]
fn a_block_that_changes_during_the_export_is_named() {
    let (_root, cache, blocks) = filled();
    let members = members(&cache, &blocks);
    fs::write(cache.path(&blocks[1].id()), b"changed meanwhile").unwrap();
    let changed = write(&cache, &members, Vec::new(), |_| ()).unwrap_err();
    assert!(matches!(changed, ArchiveError::Changed { number: 8 }), "{changed:?}");
}

#[test]
fn the_longest_name_fits() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::new(root.path());
    let block = RecordedBlock { chain_id: u64::MAX, ..empty_block(u64::MAX) };
    cache.put(&block).unwrap();
    let read = read(&archive(&cache, std::slice::from_ref(&block))).unwrap();
    assert_eq!(read.into_iter().collect::<Result<Vec<_>, _>>().unwrap(), [block]);
}

#[test]
fn every_block_of_a_truncated_archive_is_read_or_named() {
    let (_root, cache, blocks) = filled();
    let whole = archive(&cache, &blocks);
    let end = whole.len() - 1024;
    for length in (0..end).step_by(97) {
        match read(&whole[..length]) {
            Err(error) => assert!(length < 2048, "at {length}: {error:?}"),
            Ok(read) => {
                let good = read.iter().filter(|block| block.is_ok()).count();
                assert!(good < 3 || length + 512 > end, "at {length}: all blocks were read");
                assert!(read.len() >= 3, "at {length}: a block is neither read nor named");
            }
        }
    }
}

#[test]
fn a_changed_byte_is_detected_and_the_other_blocks_are_read() {
    let (_root, cache, blocks) = filled();
    let mut bytes = archive(&cache, &blocks);
    let container = fs::read(cache.path(&blocks[1].id())).unwrap();
    let at = bytes.windows(container.len()).position(|window| window == container).unwrap();
    bytes[at + container.len() / 2] ^= 1;
    let (good, errors) = outcome(&bytes);
    assert_eq!(good, 2);
    assert!(matches!(errors[..], [MemberError::WrongChecksum { number: 8, .. }]), "{errors:?}");
}

#[test]
fn members_that_are_not_listed_are_skipped() {
    let (_root, cache, blocks) = filled();
    let members = members(&cache, &blocks[..1]);
    let good = fs::read(cache.path(&members[0].id)).unwrap();
    let name = members[0].name();
    let manifest = json(&members);
    let (count, errors) = outcome(&tar(&[
        (MANIFEST, &manifest),
        ("../../evil", b"out"),
        ("/etc/passwd", b"root"),
        (&name, &good),
        (&name, &good),
        (MANIFEST, &manifest),
    ]));
    assert_eq!(count, 1);
    assert!(
        matches!(
            &errors[..],
            [
                MemberError::Unlisted { name: up },
                MemberError::Unlisted { name: absolute },
                MemberError::Repeated { number: 7 },
                MemberError::Unlisted { .. },
            ] if up == "../../evil" && absolute == "/etc/passwd"
        ),
        "{errors:?}"
    );
}

#[test]
fn links_and_long_names_are_not_followed() {
    let (_root, cache, blocks) = filled();
    let members = members(&cache, &blocks[..1]);
    for kind in [tar::EntryType::Symlink, tar::EntryType::GNULongName, tar::EntryType::XHeader] {
        let mut start = tar(&[(MANIFEST, &json(&members))]);
        start.truncate(start.len() - 1024);
        let mut tar = tar::Builder::new(start);
        let mut header = tar::Header::new_ustar();
        header.set_path(members[0].name()).unwrap();
        header.set_entry_type(kind);
        header.set_size(3);
        header.set_cksum();
        tar.append(&header, &b"abc"[..]).unwrap();
        let (count, errors) = outcome(&tar.into_inner().unwrap());
        assert_eq!(count, 0);
        let expected =
            [MemberError::NotAFile { name: members[0].name() }, MemberError::Missing { number: 7 }];
        assert_eq!(format!("{errors:?}"), format!("{expected:?}"));
    }
}

#[test]
fn false_sizes_are_refused_before_the_content_is_read() {
    let (_root, cache, blocks) = filled();
    let mut members = members(&cache, &blocks[..1]);
    members[0].size = MAX_FILE_BYTES + 1;
    let (_, errors) = outcome(&tar(&[(MANIFEST, &json(&members)), (&members[0].name(), b"few")]));
    assert!(matches!(errors[..], [MemberError::WrongSize { found: 3, .. }]), "{errors:?}");

    // The tar header states the same size, but the data is missing.
    let mut header = tar::Header::new_ustar();
    header.set_path(members[0].name()).unwrap();
    header.set_size(members[0].size);
    header.set_cksum();
    let mut bytes = tar(&[(MANIFEST, &json(&members))]);
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(header.as_bytes());
    let (_, errors) = outcome(&bytes);
    assert!(matches!(errors[0], MemberError::Container { number: 7, .. }), "{errors:?}");
}

#[test]
fn a_block_under_the_name_of_another_is_refused() {
    let (_root, cache, blocks) = filled();
    let mut lie = Member::of(&cache, blocks[1].id()).unwrap();
    lie.id = BlockId { number: 10, ..lie.id };
    let bytes = fs::read(cache.path(&blocks[1].id())).unwrap();
    let (count, errors) =
        outcome(&tar(&[(MANIFEST, &json(&[lie.clone()])), (&lie.name(), &bytes)]));
    assert_eq!(count, 0);
    assert!(
        matches!(errors[..], [MemberError::WrongBlock { found, .. }] if found == blocks[1].id()),
        "{errors:?}"
    );
}

#[test]
fn other_files_give_their_own_errors() {
    let manifest = |text: &'static str| tar(&[(MANIFEST, text.as_bytes())]);
    let huge = {
        let mut header = tar::Header::new_ustar();
        header.set_path(MANIFEST).unwrap();
        header.set_size(1 << 40);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    for (bytes, expected) in [
        (vec![], "NoManifest"),
        (vec![7; 4096], "NotATar"),
        (tar(&[("readme", b"hello")]), "NoManifest"),
        (huge, "HugeManifest"),
        (manifest("{"), "Manifest {"),
        (manifest(r#"{"format":"blockrace-archive","version":1}"#), "Manifest {"),
        (
            manifest(
                r#"{"format":"blockrace-archive","version":1,"blocks":[{"chain_id":1,"number":7,
                "hash":"0x00000000000000000000000000000000000000000000000000000000000000aa",
                "size":1,"sha256":"\u001b[2J"}]}"#,
            ),
            "Checksum { number: 7",
        ),
        (manifest(r#"{"format":"zip","version":1,"blocks":[]}"#), "OtherFormat"),
        (manifest(r#"{"format":"blockrace-archive","version":2}"#), "UnknownVersion { found: 2"),
    ] {
        let error = format!("{:?}", read(&bytes).unwrap_err());
        assert!(error.starts_with(expected), "{expected}: {error}");
    }
    let says = |bytes: &[u8]| read(bytes).unwrap_err().source().map(ToString::to_string);
    let said = says(&[7; 4096]).expect("the error of the tar library is kept");
    assert!(!said.contains(char::is_control), "{said:?}");
    let member = Member { id: empty_block(7).id(), size: 1, sha256: B256::ZERO };
    let twice = tar(&[(MANIFEST, &json(&[member.clone(), member]))]);
    assert!(matches!(read(&twice), Err(ArchiveError::ListedTwice { .. })));
}
