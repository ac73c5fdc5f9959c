//! Wrong use gives exit code 2, no standard output and one message with advice.

use crate::support::{RecordedNode, assert_code, blockrace, fetched, recordings, stderr, stdout};
use blockrace::cache::Cache;
use std::fs;

/// Asserts exit code 2 and one clear message: it begins with `error:`, contains all of `parts`, and nothing else is printed.
#[track_caller]
fn assert_refused(output: &std::process::Output, parts: &[&str]) {
    assert_code(output, 2);
    assert_one_message(output, parts);
}

#[track_caller]
fn assert_one_message(output: &std::process::Output, parts: &[&str]) {
    let message = stderr(output);
    assert!(message.starts_with("error:"), "{message}");
    assert_eq!(message.matches("error:").count(), 1, "one message: {message}");
    for part in parts {
        assert!(message.contains(part), "{message:?} says {part:?}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

#[test]
fn an_unknown_range_is_explained() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    for text in ["12..14", "14-12", "latest+3", "", "1,,2", "99999999999999999999"] {
        let output = blockrace(cache.path(), &["replay", text]);
        assert_refused(&output, &["BLOCKS"]);
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn an_unknown_executor_is_refused_with_the_list_of_executors() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let output = blockrace(cache.path(), &["replay", "--executors", "pevm"]);
    assert_refused(&output, &["pevm", "sequential", "block-stm"]);
}

#[test]
fn blocks_of_an_empty_cache_are_refused_with_the_fetch_command() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    for arguments in [&["replay", "5"][..], &["verify", "5-6"], &["replay", "--chain", "1"]] {
        let output = blockrace(cache.path(), arguments);
        assert_refused(&output, &["no blocks are cached", "blockrace fetch"]);
        assert_eq!(arguments.contains(&"--chain"), stderr(&output).contains("cached of chain 1"));
    }
}

#[test]
fn an_uncached_block_is_named_and_the_others_are_replayed() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "hoodi");
    let output = blockrace(cache.path(), &["replay", "974567,974568", "--iterations", "1"]);
    assert_code(&output, 2);
    let table = stdout(&output);
    assert!(table.contains("block 974568: it is not cached; fetch it first"), "{table}");
    let verified =
        "all consistent with their own headers (not confirmed), 1 block to the state root";
    assert!(table.contains(verified), "block 974567 is there: {table}");
}

#[test]
fn an_unreachable_node_is_named_without_secrets() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let url = "http://user:hunter2@127.0.0.1:9/v3/0123456789abcdef?key=topsecret";
    let output = blockrace(cache.path(), &["fetch", "1", "--rpc-url", url]);
    assert_code(&output, 75);
    assert_one_message(&output, &["http://127.0.0.1:9"]);
    for secret in ["hunter2", "0123456789abcdef", "topsecret"] {
        assert!(!stderr(&output).contains(secret), "{}", stderr(&output));
    }
}

#[test]
fn an_invalid_url_is_not_quoted() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    for url in ["topsecret", "ftp://user:topsecret@host", "http://"] {
        let output = blockrace(cache.path(), &["fetch", "1", "--rpc-url", url]);
        assert_code(&output, 2);
        assert!(!stderr(&output).contains("topsecret"), "{}", stderr(&output));
    }
    let header = ["fetch", "1", "--rpc-url", "http://127.0.0.1:9", "--rpc-header", "topsecret"];
    let output = blockrace(cache.path(), &header);
    assert_code(&output, 2);
    assert!(!stderr(&output).contains("topsecret"), "{}", stderr(&output));
}

#[test]
fn a_missing_node_url_is_refused_with_its_flag() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    assert_refused(&blockrace(cache.path(), &["fetch", "1"]), &["--rpc-url", "ETH_RPC_URL"]);
}

#[test]
fn a_node_of_an_unknown_chain_is_refused() {
    let Some(recordings) = recordings() else { return };
    // Holesky has no recordings, so the recorded node is served under another chain id.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = fs::read_to_string(recordings.join("serve")).expect("the node is a script");
    let other = script.replace("\"mainnet\": 1,", "\"mainnet\": 4242,");
    assert_ne!(other, script, "the script lists its chain ids");
    fs::write(folder.path().join("serve"), other).expect("a temporary file");
    for name in ["mainnet", "mainnet-witness.txt"] {
        let link = std::os::unix::fs::symlink(recordings.join(name), folder.path().join(name));
        link.expect("a temporary link");
    }
    let node = RecordedNode::serve(folder.path(), "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let output = blockrace(cache.path(), &["fetch", "46147", "--rpc-url", &node.url]);
    assert_refused(&output, &["chain 4242", "mainnet (1)"]);
}

#[test]
fn a_long_range_past_the_head_is_refused_at_once() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let output = blockrace(cache.path(), &["fetch", "1-99999999999", "--rpc-url", &node.url]);
    assert_refused(&output, &["past the head at block", "ask for fewer blocks"]);
}

#[test]
fn a_lying_witness_is_refused_and_nothing_is_stored() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &["--corrupt-witness"]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let list = format!("@{}", node.list.display());
    let output = blockrace(cache.path(), &["fetch", &list, "--rpc-url", &node.url]);
    assert_ne!(output.status.code(), Some(0));
    let stored = Cache::new(cache.path()).list(1).expect("the cache is readable");
    assert_eq!(stored, [], "nothing is stored");
    for number in &node.numbers {
        let why = format!("error: block {number}: the witness does not belong to the block");
        let named = stderr(&output).lines().any(|line| line.starts_with(&why));
        assert!(named, "block {number} is named, and so is the witness: {}", stderr(&output));
    }
    assert!(stderr(&output).contains("no path from the parent's state root reaches"));
}

#[test]
fn an_invalid_container_file_is_named() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "hoodi");
    let blocks = Cache::new(cache.path());
    let id = blocks.list(560_048).expect("the cache is readable")[0];
    let file = blocks.path(&id);
    fs::write(&file, "this is no block").expect("it is writable");
    let output = blockrace(cache.path(), &["verify"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains(&file.display().to_string()), "{}", stderr(&output));
    assert!(stderr(&output).contains("--overwrite"), "{}", stderr(&output));
    assert!(stdout(&output).contains("1 of 2 blocks match"), "{}", stdout(&output));
}

#[test]
fn an_uncreatable_result_file_fails_before_the_race() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let output = blockrace(cache.path(), &["replay", "--csv", "/nowhere/at/all.csv"]);
    assert_refused(&output, &["/nowhere/at/all.csv"]);
}
