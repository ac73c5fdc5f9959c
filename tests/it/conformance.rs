//! `blockrace conformance` over a sample of Ethereum's tests and over deliberately wrong tests.

use crate::support::{assert_code, blockrace, stderr, stdout};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

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

/// Standard output without its line breaks, which depend on the width.
fn one_line(output: &std::process::Output) -> String {
    stdout(output).split_whitespace().collect::<Vec<_>>().join(" ")
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
    one_line(&output)
}

/// The first account that the test expects after its last block.
fn first_post_account(test: &mut Value) -> &mut Value {
    let accounts = test["postState"].as_object_mut().expect("the sample lists accounts");
    accounts.values_mut().next().expect("the sample lists accounts")
}

/// Changes the test, runs it and asserts that it passes.
fn must_pass(change: impl Fn(&mut Value)) {
    let Some((name, mut content)) = one_test() else { return };
    let tests = content.as_object_mut().expect("tests by name");
    tests.values_mut().for_each(&change);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join(name), content.to_string()).expect("it can be written");
    assert_code(&run(&[&folder.path().to_string_lossy(), "--threads", "1"]), 0);
}

#[test]
fn only_listed_accounts_are_compared_with_the_final_state() {
    must_pass(|test| test["postState"] = serde_json::json!({}));
    must_pass(|test| {
        let accounts = test["postState"].as_object_mut().expect("the sample lists accounts");
        let first = accounts.keys().next().expect("the sample lists accounts").clone();
        accounts.remove(&first);
    });
    must_pass(|test| first_post_account(test)["storage"] = serde_json::json!({}));
    must_pass(|test| drop(first_post_account(test).as_object_mut().map(|all| all.remove("code"))));
    must_pass(|test| {
        let absent = "0x00000000000000000000000000000000000000ff";
        test["postState"][absent] = Value::Null;
    });
}

#[test]
fn a_genesis_block_without_rlp_is_made_from_its_header() {
    must_pass(|test| drop(test.as_object_mut().map(|test| test.remove("genesisRLP"))));
    let without_rlp_and_root = must_fail(|test| {
        test.as_object_mut().expect("a test").remove("genesisRLP");
        test["genesisBlockHeader"]["stateRoot"] = Value::from("0x".to_owned() + &"11".repeat(32));
    });
    assert_says(&without_rlp_and_root, "the genesis block has hash");
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
    assert_says(
        &must_fail(|test| test["postStateHash"] = Value::from("0x".to_owned() + &"11".repeat(32))),
        "the final state has root",
    );
    assert_says(&must_fail(|test| first_post_account(test)["balance"] = "0x07".into()), "is 0x");
    assert_says(
        &must_fail(|test| first_post_account(test)["storage"]["0x0999"] = "0x07".into()),
        "slot 0x999 of account",
    );
    assert_says(
        &must_fail(|test| *first_post_account(test) = Value::Null),
        "exists in the final state, the test says that it does not",
    );
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
    assert!(report["provenance"]["rustc"].is_string(), "{report}");
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

/// The folder of tests that were filled for the rules of Osaka with block access lists on top: `BLOCKRACE_AMSTERDAM`, or
/// `../shared/amsterdam/filled`.
fn filled() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/amsterdam/filled");
    let set = env::var_os("BLOCKRACE_AMSTERDAM");
    let folder = PathBuf::from(set.unwrap_or_else(|| beside.into()));
    if folder.is_dir() {
        return Some(folder);
    }
    let required = env::var_os("BLOCKRACE_REQUIRE_RECORDINGS").is_some();
    assert!(!required, "no tests in {}", folder.display());
    eprintln!("SKIPPED: no tests in {}; set BLOCKRACE_AMSTERDAM to a folder", folder.display());
    None
}

/// Runs the filled tests with these arguments, and returns their report.
fn run_filled(arguments: &[&str], code: i32) -> Option<Value> {
    let folder = filled()?.to_string_lossy().into_owned();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let json = file.path().to_string_lossy().into_owned();
    let output = run(&[&[&*folder, "--json", &json], arguments].concat());
    assert_code(&output, code);
    Some(serde_json::from_slice(&fs::read(&json).expect("written")).expect("JSON"))
}

#[test]
fn tests_filled_for_access_lists_alone_pass_under_such_rules() {
    let Some(report) = run_filled(&["--network-rules", "Amsterdam=Osaka+7928"], 0) else { return };
    let count = |name: &str| report[name].as_u64().expect("a count");
    let tests = report["tests"].as_array().expect("a list of tests");
    assert_eq!((count("passed"), count("failed"), count("not_run")), (tests.len() as u64, 0, 0));
    let refused = tests.iter().flat_map(|test| test["refused"].as_array().expect("a list"));
    let because_of_lists = refused.filter(|refused| {
        let because = refused["because"].as_str().expect("a reason");
        because.contains("block access list hash") || because.contains("block access list size")
    });
    assert_eq!(because_of_lists.count() as u64, count("refused"));
    let all = tests.iter().flat_map(|test| test["refused"].as_array().expect("a list"));
    let false_lists =
        all.filter(|refused| refused["expected"] == "BlockException.INVALID_BLOCK_ACCESS_LIST");
    for refused in false_lists {
        let because = refused["because"].as_str().expect("a reason");
        assert!(because.contains("its list differs from the execution"), "{because}");
    }
    // The tests beside the repository.
    if tests.len() == 277 {
        assert_eq!((count("accepted"), count("refused")), (270, 14));
    }
}

/// One valid test that was filled for access lists, changed.
fn run_changed_list(change: impl Fn(&mut Value)) -> Option<(i32, String)> {
    let path = filled()?.join("bal_nonce_changes.json.gz");
    let bytes = flate2::read::GzDecoder::new(fs::File::open(path).ok()?);
    let mut content: Value = serde_json::from_reader(bytes).expect("it is JSON");
    for test in content.as_object_mut().expect("tests by name").values_mut() {
        change(&mut test["blocks"][0]["blockAccessList"]);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("a.json"), content.to_string()).expect("it can be written");
    let path = folder.path().to_string_lossy().into_owned();
    let output = run(&[&path, "--network-rules", "Amsterdam=Osaka+7928"]);
    Some((output.status.code().expect("it ends by itself"), one_line(&output)))
}

#[test]
fn the_list_of_a_valid_test_must_be_that_of_its_header() {
    let Some((code, text)) = run_changed_list(|_| ()) else { return };
    assert_eq!(code, 0, "{text}");
    let dropped = |list: &mut Value| drop(list.as_array_mut().map(|list| list.remove(0)));
    let Some((code, text)) = run_changed_list(dropped) else { return };
    assert!(code == 1 && text.contains("the access list of block 0 has hash 0x"), "{text}");
    let Some((code, text)) = run_changed_list(|list| *list = "no list".into()) else { return };
    assert!(code == 1 && text.contains("the test cannot be read"), "{text}");
}

#[test]
fn tests_of_a_draft_are_not_run_under_the_present_rules_and_say_why() {
    let Some(report) = run_filled(&[], 2) else { return };
    let tests = report["tests"].as_array().expect("a list of tests");
    for test in tests {
        assert_eq!(test["result"], "not_run", "{test}");
        let why =
            "it was filled for a draft of Amsterdam: its headers have no slot number (EIP-7843)";
        assert_eq!(test["why"], why, "{test}");
    }
}

#[test]
fn unknown_rules_are_refused_by_name() {
    for (rules, why) in
        [("Amsterdam", "write NETWORK=FORK"), ("Amsterdam=Osaka+1", "fork Osaka+1 is unknown")]
    {
        let output = run(&["a", "--network-rules", rules]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

/// One test of the sample under another name, in a file of another name.
fn renamed(folder: &Path, file: &str, tests: &[&str]) {
    let Some((_, content)) = one_test() else { return };
    let test = content.as_object().and_then(|tests| tests.values().next()).expect("a test");
    let entries = tests.iter().map(|name| format!("{}: {test}", Value::from(*name)));
    let text = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    fs::write(folder.join(file), text).expect("it can be written");
}

#[test]
fn every_test_of_a_repeated_name_runs_and_every_other_entry_is_named() {
    let Some(_) = fixtures() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    renamed(folder.path(), "a.JSON", &["twice", "twice"]);
    for name in ["notes.md", "1.txt", "2.txt", "3.txt", ".hidden"] {
        fs::write(folder.path().join(name), "").expect("it can be written");
    }
    let output = run(&[&folder.path().to_string_lossy(), "--threads", "1"]);
    assert_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("2 of 2 tests passed"), "{text}");
    let skipped = "not read: 4 entries, because the name ends in neither .json nor .json.gz: ";
    assert!(text.contains(skipped) && text.contains("3.txt and 1 others"), "{text}");
    assert!(text.contains("not read: 1 entries, because it is hidden: "), "{text}");
}

#[test]
fn names_of_tests_and_files_cannot_act_on_the_terminal() {
    let Some(_) = fixtures() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hostile = "\u{1b}]0;x\u{7}\nforged line\r\u{202e}\u{200b}\u{1b}[2J";
    renamed(folder.path(), "a\n\u{1b}[2J\u{2066}.json", &[hostile]);
    let path = folder.path().to_string_lossy().into_owned();
    for output in [
        run(&[&path, "--threads", "1", "--verbose"]),
        run(&[&path, "--threads", "1", "--filter", "nothing"]),
        run(&[&format!("{path}/{hostile}")]),
    ] {
        let text = stdout(&output) + &stderr(&output);
        let acts = |char: &char| {
            (char.is_control() && *char != '\n') || "\u{202e}\u{200b}\u{2066}".contains(*char)
        };
        assert_eq!(text.chars().find(acts), None, "{text:?}");
        assert!(text.lines().all(|line| !line.starts_with("forged")), "{text:?}");
    }
}

#[test]
fn hostile_parameters_of_a_test_are_errors() {
    let zero = |what: &str| {
        let what = what.to_owned();
        must_fail(move |test| {
            let mut blobs = serde_json::json!({
                "target": "0x03", "max": "0x06", "baseFeeUpdateFraction": "0x32f0ed"
            });
            blobs[&*what] = "0x00".into();
            test["config"] = serde_json::json!({ "blobSchedule": { "Cancun": blobs } });
        })
    };
    let said = zero("baseFeeUpdateFraction");
    assert_says(&said, "the base fee update fraction of a blob schedule is 0");
    assert_says(&zero("max"), "the blob counts of a blob schedule are out of order");
}

#[test]
fn a_draft_of_prague_without_requests_hash_is_not_run() {
    let Some((name, mut content)) = one_test() else { return };
    for test in content.as_object_mut().expect("tests by name").values_mut() {
        test["network"] = "Prague".into();
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join(name), content.to_string()).expect("it can be written");
    let output = run(&[&folder.path().to_string_lossy()]);
    assert_code(&output, 2);
    let why = "it was filled for a draft of Prague: its headers have no requests hash (EIP-7685)";
    assert!(stdout(&output).contains(why), "{}", stdout(&output));
}

#[test]
fn a_git_lfs_pointer_is_missing_data() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n";
    fs::write(folder.path().join("a.json"), pointer).expect("it can be written");
    let output = run(&[&folder.path().to_string_lossy()]);
    assert_code(&output, 2);
    assert!(stdout(&output).contains("is a Git LFS pointer; run `git lfs pull`"));
}
