//! `blockrace conformance` over a sample of Ethereum's tests and over deliberately wrong tests.

use crate::support::{assert_code, blockrace, stdout};
use serde_json::Value;
use std::{env, fs, path::PathBuf};

/// The folder of Ethereum's tests: `BLOCKRACE_FIXTURES`, or `../shared/fixtures`.
fn fixtures() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures");
    let folder = PathBuf::from(env::var_os("BLOCKRACE_FIXTURES").unwrap_or_else(|| beside.into()));
    if folder.join("BlockchainTests").is_dir() {
        return Some(folder);
    }
    let required = env::var_os("BLOCKRACE_REQUIRE_RECORDINGS").is_some();
    assert!(!required, "no tests in {}", folder.display());
    eprintln!("SKIPPED: no tests in {}; set BLOCKRACE_FIXTURES to a folder", folder.display());
    None
}

fn run(arguments: &[&str]) -> std::process::Output {
    let cache = tempfile::tempdir().expect("a temporary folder");
    blockrace(cache.path(), &[&["conformance"], arguments].concat())
}

#[test]
fn all_executors_pass_the_sample_of_ethereums_tests() {
    let Some(folder) = fixtures() else { return };
    let output = run(&[&folder.to_string_lossy()]);
    assert_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains(" 0 failed"), "{text}");
    assert!(text.contains("BerlinToLondonAt5"), "{text}");
}

/// File name and JSON content of one valid test of the sample.
fn one_test() -> Option<(String, Value)> {
    let folder = fixtures()?.join("BlockchainTests/ValidBlocks/bcExample");
    let mut files: Vec<_> = fs::read_dir(folder).ok()?.filter_map(Result::ok).collect();
    files.sort_by_key(fs::DirEntry::path);
    let path = files.first()?.path();
    let content = fs::read(&path).expect("it is readable");
    let name = path.file_name()?.to_string_lossy().into_owned();
    Some((name, serde_json::from_slice(&content).expect("it is JSON")))
}

/// Changes the test, runs it, asserts that it fails and returns the output.
fn must_fail(change: impl Fn(&mut Value)) -> String {
    let Some((name, mut content)) = one_test() else { return String::new() };
    let tests = content.as_object_mut().expect("tests by name");
    tests.values_mut().for_each(&change);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join(name), content.to_string()).expect("it can be written");
    let output = run(&[&folder.path().to_string_lossy(), "--threads", "1"]);
    assert_code(&output, 1);
    stdout(&output)
}

#[track_caller]
fn assert_says(text: &str, what: &str) {
    assert!(text.is_empty() || text.contains(what), "{what:?} is not in:\n{text}");
}

#[test]
fn a_wrong_test_fails_with_the_place_of_its_error() {
    assert_says(
        &must_fail(|test| test["lastblockhash"] = Value::from("0x".to_owned() + &"11".repeat(32))),
        "the head is block",
    );
    assert_says(
        &must_fail(|test| test["pre"] = serde_json::json!({})),
        "state before the first block",
    );
    assert_says(&must_fail(|test| test["postState"] = serde_json::json!({})), "the final state");
    assert_says(
        &must_fail(|test| test["blocks"][0]["expectException"] = "TR_Whatever".into()),
        "is invalid, but was accepted; the test expects: TR_Whatever",
    );
    assert_says(
        &must_fail(|test| test["blocks"][0]["rlp"] = "0xc0".into()),
        "block 0 is valid, but was refused: its bytes are not the RLP of a block",
    );
    assert_says(&must_fail(|test| test["blocks"] = "none".into()), "the test cannot be read");
}

#[test]
fn a_filter_selects_tests_and_results_are_written_as_json() {
    let Some(folder) = fixtures() else { return };
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let json = file.path().to_string_lossy().into_owned();
    let path = folder.to_string_lossy().into_owned();
    let output = run(&[&path, "--filter", "*stExample/add11.json::*", "--json", &json]);
    assert_code(&output, 0);
    let report: Value = serde_json::from_slice(&fs::read(&json).expect("written")).expect("JSON");
    let tests = report["tests"].as_array().expect("a list of tests");
    assert!(!tests.is_empty() && tests.iter().all(|test| test["result"] == "passed"), "{report}");
    assert_code(&run(&[&path, "--filter", "no such test"]), 2);
}

/// A folder without blockchain tests is not a success.
#[test]
fn other_kinds_of_tests_are_counted_as_not_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let state_test = r#"{"a": {"env": {}, "transaction": {}}, "b": 7}"#;
    fs::write(folder.path().join("state.json"), state_test).expect("it can be written");
    let output = run(&[&folder.path().to_string_lossy()]);
    assert_code(&output, 2);
    assert!(stdout(&output).contains("not run: 2 tests: it is not a blockchain test"));
}

#[test]
fn an_unreadable_file_is_an_error() {
    let output = run(&["/no/such/folder.json"]);
    assert_code(&output, 2);
    assert!(stdout(&output).contains("cannot read /no/such/folder.json"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("broken.json"), "{").expect("it can be written");
    assert_code(&run(&[&folder.path().to_string_lossy()]), 1);
}
