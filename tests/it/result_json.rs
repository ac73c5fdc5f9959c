//! `--json` of the commands besides `replay`: each document conforms to its schema in `data/`.

#![cfg(unix)]

use crate::support::{
    RecordedNode, assert_code, blockrace, cached_sample, recordings, stderr, stdout,
};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Runs a command with its JSON on standard output, and checks the document against the schema.
fn document(cache: &Path, arguments: &[&str], schema: &str, code: i32) -> Value {
    let output = blockrace(cache, &[arguments, &["--json", "-"]].concat());
    assert_code(&output, code);
    let document = serde_json::from_str(&stdout(&output)).expect("standard output is JSON");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("data/{schema}.schema.json"));
    let schema = fs::read_to_string(path).expect("the schema is there");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let errors: Vec<_> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    document
}

#[test]
fn verify_lists_verdicts_and_missing_blocks() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let blocks = cached_sample(cache.path(), 2);
    let selected = format!("{},{},999999", blocks[0], blocks[1]);
    let found = document(cache.path(), &["verify", &selected], "verify", 2);
    let verdicts = found["blocks"].as_array().expect("there are blocks");
    assert_eq!(verdicts.len(), 2);
    assert!(verdicts.iter().all(|block| block["verdict"] == "match"), "{found}");
    assert_eq!(found["failures"][0]["block_number"], 999_999);
    let command = found["settings"]["command"].as_str().expect("a command");
    assert_eq!(command, format!("blockrace verify {selected} --executor sequential"));
}

#[test]
fn cache_list_names_the_blocks_of_the_cache() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let empty = document(cache.path(), &["cache", "list"], "cache-list", 0);
    assert_eq!(empty["blocks"], json!([]));
    let blocks = cached_sample(cache.path(), 3);
    let found = document(cache.path(), &["cache", "list"], "cache-list", 0);
    let numbers = found["blocks"].as_array().expect("there are blocks").iter();
    let numbers: Vec<_> = numbers.filter_map(|block| block["block_number"].as_u64()).collect();
    assert_eq!(numbers, blocks);
}

#[test]
fn analyze_conforms_to_its_schema() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let blocks = cached_sample(cache.path(), 2);
    let arguments = ["analyze", "--threads", "2", "--iterations", "1"];
    let found = document(cache.path(), &arguments, "analyze", 0);
    assert_eq!(found["blocks"].as_array().map(Vec::len), Some(blocks.len()));
}

#[test]
fn fetch_lists_stored_and_refused_blocks() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let first = node.numbers[0];
    let fetch = |blocks: &str, code| {
        let arguments = ["fetch", blocks, "--max-retries", "0", "--rpc-url", &node.url];
        document(cache.path(), &arguments, "fetch", code)
    };
    let found = fetch(&first.to_string(), 0);
    assert_eq!(found["blocks"][0]["block_number"], first);
    assert_eq!(found["failures"], json!([]));
    // The genesis block executes nothing.
    let found = fetch(&format!("0,{first}"), 2);
    assert_eq!((&found["selected"], &found["already_cached"]), (&json!(2), &json!(1)));
    assert_eq!(found["failures"][0]["block_number"], 0);
}

/// Races one block twice, in a few iterations, and returns the paths of both results.
fn two_runs(cache: &Path) -> [String; 2] {
    cached_sample(cache, 1);
    ["base.json", "new.json"].map(|name| {
        let path = cache.join(name).display().to_string();
        let options = ["--executors", "block-stm", "--iterations", "6", "--warmup", "0"];
        let output = blockrace(cache, &[&["replay", "--json", &path], &options[..]].concat());
        assert_code(&output, 0);
        path
    })
}

#[test]
fn compare_gives_its_answer_and_the_changes() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let [base, new] = two_runs(cache.path());
    let arguments = ["compare", &base, &new, "--exit-code", "regressed=0,cannot-tell=0"];
    let found = document(cache.path(), &arguments, "compare", 0);
    assert_eq!(found["contenders"][0]["executor"], "block-stm");
    assert_eq!(found["contenders"][0]["blocks"].as_array().map(Vec::len), Some(1));
    assert_eq!((&found["base"]["runs"], &found["missing"]), (&json!(1), &json!([])));
    let is_open = found["answer"] == "cannot-tell";
    assert_eq!(is_open, found["reasons"] != json!([]), "{found}");
}

#[test]
fn trace_sums_up_the_run_beside_the_timeline() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let number = cached_sample(cache.path(), 1)[0];
    let timeline = cache.path().join("timeline.json").display().to_string();
    let block = number.to_string();
    let arguments = ["trace", &block, "--threads", "2", "--output", &timeline];
    let found = document(cache.path(), &arguments, "trace", 0);
    assert_eq!((&found["block_number"], &found["verdict"]), (&json!(number), &json!("match")));
    let figures = &found["figures"];
    let parts = figures["spent"].as_object().expect("the parts of the time").values();
    let sum: u64 = parts.filter_map(Value::as_u64).sum();
    let all = figures["total_ns"].as_u64().zip(figures["threads_used"].as_u64());
    assert_eq!(Some(sum), all.map(|(total, threads)| total * threads), "{found}");
    assert!(fs::metadata(&timeline).is_ok_and(|file| file.len() > 0));
    let both = ["trace", &block, "--output", "-", "--json", "-"];
    assert!(stderr(&blockrace(cache.path(), &both)).contains("cannot hold two results"));
}

#[test]
fn messages_are_one_object_per_line() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let number = cached_sample(cache.path(), 1)[0];
    let blocks = format!("{number},999999");
    for command in [
        &["verify", &blocks, "--json", "-"][..],
        &["replay", &blocks, "--iterations", "1", "--executors", "sequential", "--csv", "-"],
    ] {
        let output = blockrace(cache.path(), &[command, &["--message-format", "json"]].concat());
        assert_code(&output, 2);
        let lines: Vec<Value> = stderr(&output)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect();
        let is_progress = |line: &&Value| line["reason"] == "progress" && line["done"].is_u64();
        assert!(lines.iter().any(|line| is_progress(&line)), "{lines:?}");
        let named =
            |line: &Value| line["text"].as_str().is_some_and(|text| text.contains("999999"));
        assert!(command[0] == "replay" || lines.iter().any(named), "{lines:?}");
        if command[0] == "replay" {
            let done = json!({ "reason": "block", "block_number": number, "result": "match" });
            assert!(lines.contains(&done), "{lines:?}");
        }
    }
}

#[test]
fn a_result_file_is_written_beside_the_table() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    cached_sample(cache.path(), 1);
    let path = cache.path().join("verdicts.json").display().to_string();
    let output = blockrace(cache.path(), &["verify", "--json", &path]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("1 of 1 block matches"), "{}", stderr(&output));
    assert!(fs::read_to_string(path).expect("it is written").contains("\"verdict\": \"match\""));
}
