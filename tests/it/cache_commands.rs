//! `blockrace cache` on intact and damaged blocks, and on valid and invalid archives.

use crate::support::{
    RecordedNode, assert_code, blockrace, fetched, recordings, stderr, stdout, witness_of_mut,
};
use blockrace::{
    block::BlockId,
    cache::{
        Cache,
        archive::{self, Member},
    },
};
use std::fs;
use tempfile::TempDir;

/// A cache with every recorded block of mainnet and Hoodi.
fn both_chains() -> Option<(TempDir, Cache)> {
    let recordings = recordings()?;
    let (folder, _) = fetched(&recordings, "mainnet");
    let (other, _) = fetched(&recordings, "hoodi");
    let [from, to] = [&other, &folder].map(|folder| folder.path().join("560048"));
    fs::rename(from, to).expect("they are writable");
    let cache = Cache::new(folder.path());
    Some((folder, cache))
}

fn small_cache() -> Option<(TempDir, Cache, Vec<BlockId>)> {
    let (folder, _) = fetched(&recordings()?, "hoodi");
    let cache = Cache::new(folder.path());
    let ids = cache.list(560_048).expect("the cache is readable");
    Some((folder, cache, ids))
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("temporary paths are text").to_owned()
}

fn damage(cache: &Cache, id: &BlockId) {
    let mut bytes = fs::read(cache.path(id)).expect("the file is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(cache.path(id), bytes).expect("it is writable");
}

#[test]
fn every_block_is_listed_with_its_facts_and_the_sums() {
    let Some((folder, _)) = both_chains() else { return };
    let output = blockrace(folder.path(), &["cache", "list"]);
    assert_code(&output, 0);
    let listed = stdout(&output);
    let row = |number: &str| {
        let mut lines = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.find(|words| words.get(1) == Some(&number)).expect(number)
    };
    let cancun = row("19426587");
    assert_eq!(cancun[0], "1");
    assert!(cancun[2].starts_with("0xf8e2f40d") && cancun[2].ends_with('…'), "{cancun:?}");
    assert_eq!(cancun[3..9], ["Cancun", "37", "2,633,933", "1060", "30", "1"]);
    assert_eq!(row("974567")[..2], ["560048", "974567"]);
    // The node also lists the empty trie, which is not kept.
    assert_eq!(row("974567")[4..9], ["1", "720,882", "430", "15", "19"]);
    assert!(listed.contains("52 blocks in "), "{listed}");
    assert!(listed.lines().any(|line| line.trim_start().starts_with("all")), "{listed}");

    let some = blockrace(folder.path(), &["cache", "list", "19426587,1-100"]);
    assert_code(&some, 2);
    assert!(stdout(&some).contains("3 blocks in "), "{}", stdout(&some));
    assert!(
        stderr(&some).contains("98 blocks are not cached; the first is 2"),
        "{}",
        stderr(&some)
    );
}

#[test]
fn a_long_range_costs_no_more_than_its_cached_blocks() {
    let Some((folder, ..)) = small_cache() else { return };
    let output = blockrace(folder.path(), &["cache", "list", "1-18446744073709551615"]);
    assert_code(&output, 2);
    assert!(stdout(&output).contains("2 blocks in "), "{}", stdout(&output));
}

#[test]
fn an_empty_cache_has_nothing_to_list_and_nothing_to_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for command in ["list", "check"] {
        let output = blockrace(folder.path(), &["cache", command]);
        assert_code(&output, 0);
        assert!(stdout(&output).starts_with('0'), "{}", stdout(&output));
    }
}

#[test]
fn a_damaged_file_is_named_and_other_files_are_still_processed() {
    let Some((folder, cache, ids)) = small_cache() else { return };
    damage(&cache, &ids[0]);
    let archive = path(&folder, "blocks.tar");
    for (arguments, result) in [
        (&["cache", "list"][..], "1 block in "),
        (&["cache", "check"], "1 of 2 blocks match"),
        (&["cache", "export", "--output", &archive], "1 block exported"),
    ] {
        let output = blockrace(folder.path(), arguments);
        assert_code(&output, 2);
        assert!(stdout(&output).contains(result), "{}", stdout(&output));
        let name = cache.path(&ids[0]);
        assert!(stderr(&output).contains(name.to_str().expect("text")), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
}

#[test]
fn blocks_of_the_flat_layout_are_verified_and_not_fetched_again() {
    let Some(recordings) = recordings() else { return };
    let (folder, cache, ids) = small_cache().expect("there are recordings");
    for id in &ids {
        let chunked = cache.path(id);
        let flat = folder.path().join("560048").join(chunked.file_name().expect("it has a name"));
        fs::rename(chunked, flat).expect("they are writable");
    }
    assert_code(&blockrace(folder.path(), &["verify"]), 0);
    let list = ids.iter().map(|id| id.number.to_string()).collect::<Vec<_>>().join(",");
    let node = RecordedNode::serve(&recordings, "hoodi", &[]);
    let again = blockrace(folder.path(), &["fetch", &list, "--rpc-url", &node.url]);
    assert_code(&again, 0);
    assert!(stdout(&again).contains("2 blocks were already cached"), "{}", stdout(&again));
    assert_eq!(cache.list(560_048).expect("the cache is readable"), ids);
}

#[test]
fn check_finds_a_wrong_block_with_a_valid_checksum() {
    let Some((folder, cache, ids)) = small_cache() else { return };
    let mut block = cache.get(&ids[0]).expect("it is whole");
    witness_of_mut(&mut block).nodes.truncate(20);
    cache.put(&block).expect("any block can be stored");
    for jobs in ["1", "3"] {
        let output = blockrace(folder.path(), &["cache", "check", "--jobs", jobs]);
        assert_code(&output, 2);
        let expected = format!("error: block {}: ", ids[0].number);
        assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
        assert!(stdout(&output).starts_with("1 of 2 blocks match"), "{}", stdout(&output));
    }
}

#[test]
fn export_without_blocks_covers_every_chain() {
    let Some((folder, cache)) = both_chains() else { return };
    let id = cache.list(560_048).expect("the cache is readable")[0];
    let mut twin = cache.get(&id).expect("it is whole");
    twin.chain_id = 1;
    cache.put(&twin).expect("any block can be stored");
    let archive = path(&folder, "blocks.tar");

    let number = id.number.to_string();
    let refused = blockrace(folder.path(), &["cache", "export", &number, "-o", &archive]);
    assert_code(&refused, 2);
    let expected = format!("error: block {number}: blocks of several chains have this number");
    assert!(stderr(&refused).starts_with(&expected), "{}", stderr(&refused));

    let all = blockrace(folder.path(), &["cache", "export", "-o", &archive]);
    assert_code(&all, 0);
    assert!(stdout(&all).starts_with("53 blocks exported"), "{}", stdout(&all));
}

#[test]
fn only_the_requested_blocks_are_removed() {
    let Some((folder, cache)) = both_chains() else { return };
    let refused = blockrace(folder.path(), &["cache", "remove"]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("--all"), "{}", stderr(&refused));
    let before = cache.list(1).expect("the cache is readable");

    let output = blockrace(folder.path(), &["cache", "remove", "1-100000,24628608,974567"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("blocks are not cached"), "{}", stderr(&output));
    let mut expected = before.clone();
    expected.retain(|id| id.number > 100_000 && id.number != 24_628_608);
    assert_eq!(cache.list(1).expect("the cache is readable"), expected);
    assert_eq!(cache.list(560_048).expect("the cache is readable").len(), 1);
    let removed = before.len() - expected.len() + 1;
    let said = stdout(&output);
    assert!(said.starts_with(&format!("{removed} blocks removed, ")), "{said}");

    let output = blockrace(folder.path(), &["cache", "remove", "--all", "--chain", "560048"]);
    assert_code(&output, 0);
    assert!(stdout(&output).starts_with("1 block removed, "), "{}", stdout(&output));
    assert_eq!(cache.list(1).expect("the cache is readable"), expected);
    assert_code(&blockrace(folder.path(), &["cache", "remove", "--all"]), 0);
    assert_eq!(cache.list(1).expect("the cache is readable"), []);
}

#[test]
fn only_temporary_files_of_killed_writers_are_removed() {
    let Some((folder, cache, ids)) = small_cache() else { return };
    let chain = folder.path().join("560048");
    let [dead, alive] = [".put-aaaaaa.tmp", ".put-bbbbbb.tmp"].map(|name| chain.join(name));
    fs::write(&dead, [0; 1_500]).expect("it is writable");
    let writer = fs::File::create(&alive).expect("it is writable");
    writer.lock().expect("the file system has locks");

    let listed = blockrace(folder.path(), &["cache", "list"]);
    assert_code(&listed, 0);
    let expected = "1 temporary file of killed processes, 1.5 kB";
    assert!(stdout(&listed).contains(expected), "{}", stdout(&listed));
    let output = blockrace(folder.path(), &["cache", "remove", "--leftovers"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("0 blocks removed"), "{}", stdout(&output));
    assert!(stdout(&output).contains("1 temporary file of"), "{}", stdout(&output));
    assert!(!dead.exists() && alive.exists());
    assert_eq!(cache.list(560_048).expect("the cache is readable"), ids);
}

#[test]
fn a_range_is_exported_and_imported_again() {
    let Some((folder, cache)) = both_chains() else { return };
    let archive = path(&folder, "some.tar");
    let export = ["cache", "export", "19426580-25000000,974567", "-o", &archive];
    let exported = blockrace(folder.path(), &export);
    assert_code(&exported, 2);
    assert!(stdout(&exported).contains(" blocks exported to "), "{}", stdout(&exported));

    let other = tempfile::tempdir().expect("a temporary folder");
    let imported = blockrace(other.path(), &["cache", "import", &archive]);
    assert_code(&imported, 0);
    let copy = Cache::new(other.path());
    for chain in [1, 560_048] {
        let mut expected = cache.list(chain).expect("the cache is readable");
        expected
            .retain(|id| (19_426_580..=25_000_000).contains(&id.number) || id.number == 974_567);
        assert_eq!(copy.list(chain).expect("the cache is readable"), expected);
        for id in expected {
            assert_eq!(copy.get(&id).expect("whole"), cache.get(&id).expect("whole"));
        }
    }
    assert_code(&blockrace(other.path(), &["cache", "check"]), 0);

    let again = blockrace(other.path(), &["cache", "import", &archive]);
    assert_code(&again, 0);
    assert!(stdout(&again).starts_with("0 of "), "{}", stdout(&again));
    assert!(stdout(&again).contains("already cached"), "{}", stdout(&again));
}

#[test]
fn the_tools_of_the_system_read_an_archive() {
    let Some((folder, cache, ids)) = small_cache() else { return };
    let archive = path(&folder, "all.tar");
    assert_code(&blockrace(folder.path(), &["cache", "export", "--output", &archive]), 0);
    let unpacked = tempfile::tempdir().expect("a temporary folder");
    let mut tar = std::process::Command::new("tar");
    let status = tar.arg("-xf").arg(&archive).arg("-C").arg(unpacked.path()).status();
    assert!(status.expect("tar runs").success());
    assert!(unpacked.path().join("manifest.json").is_file());
    let copy = Cache::new(unpacked.path());
    assert_eq!(copy.list(560_048).expect("the cache is readable"), ids);
    assert_eq!(copy.get(&ids[1]).expect("whole"), cache.get(&ids[1]).expect("whole"));
}

#[test]
fn a_bad_block_in_an_archive_is_named_and_never_stored() {
    let Some((folder, cache, ids)) = small_cache() else { return };
    let mut lie = cache.get(&ids[0]).expect("whole");
    witness_of_mut(&mut lie).nodes.truncate(20);
    cache.put(&lie).expect("any block can be stored");
    // The checksums of the archive are valid.
    let members: Vec<_> =
        ids.iter().map(|id| Member::of(&cache, *id).expect("whole as a file")).collect();
    let archive = path(&folder, "lie.tar");
    let file = fs::File::create(&archive).expect("the folder is writable");
    archive::write(&cache, &members, file, |_| ()).expect("it can be written");

    let other = tempfile::tempdir().expect("a temporary folder");
    let output = blockrace(other.path(), &["cache", "import", &archive]);
    assert_code(&output, 2);
    let expected = format!("error: block {}: ", ids[0].number);
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("1 of 2 blocks proved"), "{}", stdout(&output));
    let stored = Cache::new(other.path()).list(560_048).expect("the cache is readable");
    assert_eq!(stored, [ids[1]]);
}

#[test]
fn a_truncated_archive_yields_its_complete_blocks() {
    let Some((folder, _, ids)) = small_cache() else { return };
    let archive = path(&folder, "all.tar");
    assert_code(&blockrace(folder.path(), &["cache", "export", "--output", &archive]), 0);
    let file = fs::File::options().write(true).open(&archive).expect("the test owns it");
    let length = file.metadata().expect("it is there").len();
    file.set_len(length - 20_000).expect("the test owns it");

    let other = tempfile::tempdir().expect("a temporary folder");
    let output = blockrace(other.path(), &["cache", "import", &archive]);
    assert_code(&output, 2);
    let lost = format!("block {} is cut short", ids[1].number);
    assert!(stderr(&output).contains(&lost), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("1 of 2 blocks proved"), "{}", stdout(&output));
}

#[test]
fn an_import_writes_no_files_outside_the_cache() {
    let Some((folder, cache, ids)) = small_cache() else { return };
    let good = fs::read(cache.path(&ids[0])).expect("the file is there");
    let outside = folder.path().join("outside");
    let absolute = outside.to_str().expect("temporary paths are text");
    let mut evil = tar::Builder::new(Vec::new());
    for name in ["manifest.json", "../../outside", absolute, "560048/../../outside"] {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().expect("GNU").name[..name.len()].copy_from_slice(name.as_bytes());
        let manifest = br#"{"format":"blockrace-archive","version":1,"blocks":[]}"#;
        let bytes = if name == "manifest.json" { &manifest[..] } else { &good };
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        evil.append(&header, bytes).expect("memory");
    }
    let archive = path(&folder, "evil.tar");
    fs::write(&archive, evil.into_inner().expect("memory")).expect("it is writable");

    let inside = folder.path().join("a/b/cache");
    let output = blockrace(&inside, &["cache", "import", &archive]);
    assert_code(&output, 2);
    assert_eq!(stderr(&output).matches("not in the manifest").count(), 3, "{}", stderr(&output));
    assert!(!outside.exists() && !folder.path().join("a").exists());
}

#[test]
fn an_invalid_archive_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = path(&folder, "file");
    for content in [&b""[..], b"this is no tar file", &[7; 5_000]] {
        fs::write(&file, content).expect("it is writable");
        let output = blockrace(folder.path(), &["cache", "import", &file]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(&file), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
    let missing = blockrace(folder.path(), &["cache", "import", "/no/such/archive"]);
    assert_code(&missing, 2);
    assert!(stderr(&missing).contains("/no/such/archive"), "{}", stderr(&missing));
    let nothing = blockrace(folder.path(), &["cache", "export", "--output", &file]);
    assert_code(&nothing, 2);
    assert!(stderr(&nothing).contains("no block to export"), "{}", stderr(&nothing));
}
