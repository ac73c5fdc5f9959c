//! `blockrace cache export --format eest` and the import of such files: cached blocks as blockchain tests with
//! execution witnesses.

use crate::support::{assert_code, blockrace, cached_sample, containers, stderr, stdout};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// A cache with some blocks of the sample, and its export. The sample has witnesses in the order of a node, and an import
/// orders them.
fn exported(root: &Path) -> (PathBuf, PathBuf) {
    let (sample, cache, file) = (root.join("sample"), root.join("cache"), root.join("blocks.json"));
    cached_sample(&sample, 5);
    let archive = root.join("blocks.tar").to_string_lossy().into_owned();
    assert_code(&blockrace(&sample, &["cache", "export", "-o", &archive]), 0);
    assert_code(&blockrace(&cache, &["cache", "import", &archive]), 0);
    let path = file.to_string_lossy().into_owned();
    let output = blockrace(&cache, &["cache", "export", "--format", "eest", "-o", &path]);
    assert_code(&output, 0);
    assert!(stdout(&output).starts_with("5 blocks exported to "), "{}", stdout(&output));
    (cache, file)
}

fn import(cache: &Path, file: &Path, code: i32) -> String {
    let output = blockrace(cache, &["cache", "import", &file.to_string_lossy()]);
    assert_code(&output, code);
    stdout(&output) + &stderr(&output)
}

#[test]
fn an_exported_block_is_imported_as_the_same_file() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (cache, file) = exported(root.path());
    let other = root.path().join("other");
    let text = import(&other, &file, 0);
    assert!(text.starts_with("5 of 5 blocks proved and stored in "), "{text}");
    assert_eq!(containers(&cache), containers(&other));
    assert!(import(&other, &file, 0).contains("5 blocks already cached"));

    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&fs::read(&file).expect("it was written")).expect("memory is writable");
    let compressed = root.path().join("blocks.json.gz");
    fs::write(&compressed, gzip.finish().expect("memory is writable")).expect("it can be written");
    let text = import(&root.path().join("third"), &compressed, 0);
    assert!(text.starts_with("5 of 5 blocks proved and stored in "), "{text}");
}

#[test]
fn exported_tests_have_the_fields_of_blockchain_tests() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (_, file) = exported(root.path());
    let tests: BTreeMap<String, Value> =
        serde_json::from_slice(&fs::read(&file).expect("it was written")).expect("JSON");
    for (name, test) in tests {
        let block = &test["blocks"][0];
        assert_eq!(test["lastblockhash"], block["blockHeader"]["hash"], "{name}");
        assert_eq!(test["genesisBlockHeader"]["hash"], block["blockHeader"]["parentHash"]);
        assert_eq!(test["network"], test["config"]["network"], "{name}");
        for part in ["state", "codes", "keys", "headers"] {
            assert!(block["executionWitness"][part].is_array(), "{name}: {part}");
        }
    }
    let path = file.to_string_lossy().into_owned();
    let output = blockrace(root.path(), &["conformance", &path]);
    assert_code(&output, 2);
    assert!(
        stdout(&output).contains("not run: 5 tests: its state is in execution witnesses alone")
    );
}

/// Changes each test of an export, imports it, and returns the output.
fn import_changed(code: i32, change: impl Fn(&mut Value)) -> String {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (_, file) = exported(root.path());
    let mut tests: BTreeMap<String, Value> =
        serde_json::from_slice(&fs::read(&file).expect("it was written")).expect("JSON");
    tests.values_mut().for_each(change);
    fs::write(&file, serde_json::to_vec(&tests).expect("JSON")).expect("it can be written");
    import(&root.path().join("other"), &file, code)
}

#[test]
fn a_witness_is_proved_before_its_block_is_stored() {
    let text = import_changed(2, |test| {
        test["blocks"][0]["executionWitness"]["state"] = serde_json::json!([]);
    });
    assert!(text.contains("0 of 5 blocks proved and stored"), "{text}");
    let text = import_changed(2, |test| test["blocks"][0]["rlp"] = "0xc0".into());
    assert!(text.contains("it has bytes that are not RLP of a block"), "{text}");
}

/// The parent of a block may be the genesis block of the test instead of a header of the witness.
#[test]
fn the_parent_may_be_an_earlier_block_of_the_test() {
    let text = import_changed(0, |test| {
        let headers = &mut test["blocks"][0]["executionWitness"]["headers"];
        headers.as_array_mut().expect("a list").pop();
    });
    assert!(text.starts_with("5 of 5 blocks proved and stored in "), "{text}");
}

#[test]
fn a_block_under_other_rules_than_those_of_its_chain_id_is_refused_by_name() {
    let text = import_changed(2, |test| test["network"] = "Shanghai".into());
    assert!(text.contains("it follows the rules of Shanghai, but chain 31337 has "), "{text}");
}
