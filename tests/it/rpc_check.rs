//! `blockrace rpc-check` against the recorded node, with missing methods and with faults.

use crate::support::{RecordedNode, assert_code, blockrace, command, recordings, stderr, stdout};
use serde_json::Value;
use std::path::Path;

const WITNESS: [&str; 4] =
    ["--without", "debug_executionWitness", "--without", "debug_executionWitnessByBlockHash"];

fn check(node: &RecordedNode, flags: &[&str]) -> std::process::Output {
    let arguments = [&["rpc-check", "--rpc-url", &node.url], flags].concat();
    blockrace(Path::new("/nowhere"), &arguments)
}

fn json(node: &RecordedNode, flags: &[&str], code: i32) -> Value {
    let output = check(node, &[&["--json"], flags].concat());
    assert_code(&output, code);
    serde_json::from_str(&stdout(&output)).expect("it is JSON")
}

fn served(report: &Value, method: &str) -> String {
    let methods = report["methods"].as_array().expect("a list");
    let found = methods.iter().find(|found| found["method"] == method).expect(method);
    found["served"].as_str().expect("a word").to_owned()
}

#[test]
fn a_node_with_witnesses_is_reported_with_suitable_flags() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let report = json(&node, &[], 0);
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["node"], node.url);
    assert_eq!(report["client"], "recorded-mainnet/1");
    assert_eq!(report["chain_id"], 1);
    assert_eq!(report["chain_known"], true);
    assert_eq!(report["head"], 25_134_887);
    assert_eq!(report["batch"], 100);
    assert_eq!(report["witness"], serde_json::json!(["execution-witness"]));
    assert_eq!(report["fetch_flags"], "--witness execution-witness");
    for (method, word) in [
        ("debug_executionWitness", "yes"),
        ("debug_executionWitnessByBlockHash", "yes"),
        // The head was recorded without a trace and without receipts.
        ("debug_traceBlockByNumber", "fails"),
        ("eth_getBlockReceipts", "fails"),
        ("eth_getProof", "no"),
        ("eth_getCode", "no"),
        ("eth_getStorageAt", "no"),
        ("eth_getUncleByBlockHashAndIndex", "yes"),
    ] {
        assert_eq!(served(&report, method), word, "{method}");
    }
    assert_eq!(report["oldest_state"], Value::Null);
    let why = report["oldest_state_unknown_why"].as_str().expect("a reason");
    assert!(why.contains("does not offer this method"), "{why}");

    let table = stdout(&check(&node, &[]));
    for part in [
        "recorded-mainnet/1",
        "25134887",
        "of 100 calls",
        "blockrace fetch BLOCKS --witness execution-witness",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
}

#[test]
fn a_node_that_only_traces_serves_prestates() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &WITNESS);
    let report = json(&node, &["--block", "19426587"], 0);
    assert_eq!(report["asked_about"], 19_426_587);
    assert_eq!(served(&report, "debug_executionWitness"), "no");
    assert_eq!(served(&report, "debug_traceBlockByNumber"), "yes");
    assert_eq!(report["fetch_flags"], "--witness prestate");
}

#[test]
fn a_node_without_any_usable_method_is_a_failure() {
    let Some(recordings) = recordings() else { return };
    let trace = ["--without", "debug_traceBlockByNumber"];
    let node = RecordedNode::serve(&recordings, "mainnet", &[&WITNESS[..], &trace].concat());
    let report = json(&node, &[], 2);
    assert_eq!(report["fetch_flags"], Value::Null);
    assert!(stdout(&check(&node, &[])).contains("No block can be fetched"));
}

#[test]
fn transient_faults_do_not_change_the_result() {
    let Some(recordings) = recordings() else { return };
    let faults = ["--fail-every", "4", "--truncate-every", "5"];
    let [sound, broken] =
        [&[][..], &faults].map(|faults| RecordedNode::serve(&recordings, "mainnet", faults));
    let [mut expected, mut found] = [&sound, &broken].map(|node| json(node, &[], 0));
    for report in [&mut expected, &mut found] {
        report["node"] = Value::Null;
        report["provenance"]["date"] = Value::Null;
    }
    assert_eq!(found, expected);
}

#[test]
fn a_block_that_the_node_lacks_is_named() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let output = check(&node, &["--block", "99"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("does not have block 99"), "{}", stderr(&output));
}

#[test]
fn an_unreachable_node_is_reported_quickly() {
    let output =
        blockrace(Path::new("/nowhere"), &["rpc-check", "--rpc-url", "http://127.0.0.1:9"]);
    assert_code(&output, 75);
    assert!(stderr(&output).contains("cannot reach the node"), "{}", stderr(&output));
}

/// Each reason is whole, in its column.
#[test]
fn the_table_fits_eighty_columns_and_cuts_no_word() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &WITNESS);
    let arguments = ["rpc-check", "--rpc-url", &node.url];
    let output = command(Path::new("/nowhere"), &arguments).env("COLUMNS", "80").output();
    let table = stdout(&output.expect("the command starts"));
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let start = table.lines().find_map(|line| line.find("why not")).expect("a column of reasons");
    let report = json(&node, &[], 2);
    for method in report["methods"].as_array().expect("a list") {
        let name = method["method"].as_str().expect("a name");
        let mut lines = table.lines().skip_while(|line| !line.starts_with(&format!("{name} ")));
        let first = lines.next().expect(name);
        let further = lines.take_while(|line| line.starts_with(&" ".repeat(start)));
        let cells = std::iter::once(first).chain(further).filter_map(|line| line.get(start..));
        let reason: Vec<_> = cells.flat_map(str::split_whitespace).collect();
        let whole = method["why"].as_str().unwrap_or_default();
        assert_eq!(reason, whole.split_whitespace().collect::<Vec<_>>(), "{name}: {table}");
    }
}
