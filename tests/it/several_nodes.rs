//! Several nodes for one fetch, an estimate of a fetch, and `rpc-check` of several nodes.

#![cfg(unix)]

use crate::support::{
    RecordedNode,
    anvil::Anvil,
    assert_code, blockrace, cached_sample,
    fake_node::{Reply, fake_node},
    proxy::{Batches, Proxy},
    recordings, run, stderr, stdout,
};
use blockrace::cache::Cache;
use serde_json::{Value, json};
use std::path::Path;

/// A URL where nothing listens, with a key.
const DEAD: &str = "http://user:topsecret@127.0.0.1:9/topsecret";

/// A node without the witnesses that [`fetch`] asks for.
const NO_WITNESS: [&str; 4] =
    ["--without", "debug_executionWitness", "--without", "debug_executionWitnessByBlockHash"];

/// Fetches witnesses from the nodes in turn.
fn fetch(cache: &Path, blocks: &str, nodes: &[&str]) -> std::process::Output {
    let urls = nodes.iter().flat_map(|url| ["--rpc-url", url]);
    let all = ["fetch", blocks, "-v", "--witness", "execution-witness"];
    blockrace(cache, &all.into_iter().chain(urls).collect::<Vec<_>>())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn cached(cache: &Path) -> usize {
    Cache::new(cache).list(1).expect("the cache is readable").len()
}

fn list(node: &RecordedNode, count: usize) -> String {
    let numbers = node.numbers.iter().take(count).map(ToString::to_string);
    numbers.collect::<Vec<_>>().join(",")
}

#[test]
fn a_block_that_one_node_lacks_comes_from_another() {
    let Some(recordings) = recordings() else { return };
    let whole = RecordedNode::serve(&recordings, "mainnet", &[]);
    let poor = RecordedNode::serve(&recordings, "mainnet", &NO_WITNESS);
    let cache = folder();
    let blocks = list(&whole, 4);
    let fetched = fetch(cache.path(), &blocks, &[&poor.url, &whole.url]);
    assert_code(&fetched, 0);
    assert_eq!(cached(cache.path()), 4, "{}", stderr(&fetched));
    let text = stdout(&fetched);
    assert!(text.contains("2 of them came from another node"), "{text}");
    let notes = stderr(&fetched);
    assert!(notes.contains(&format!("another node failed before: {}", poor.url)), "{notes}");
}

#[test]
fn a_block_that_no_node_serves_names_all_of_them() {
    let Some(recordings) = recordings() else { return };
    let [one, two] = [(); 2].map(|()| RecordedNode::serve(&recordings, "mainnet", &NO_WITNESS));
    let block = one.numbers[0].to_string();
    let fetched = fetch(folder().path(), &block, &[&one.url, &two.url]);
    assert_code(&fetched, 2);
    let said = stderr(&fetched);
    assert!(said.contains("all 2 nodes failed"), "{said}");
    assert!(said.contains(&one.url) && said.contains(&two.url), "{said}");
}

#[test]
fn a_node_that_cannot_be_reached_is_left_out_without_its_key() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = folder();
    let blocks = list(&node, 2);
    let fetched = fetch(cache.path(), &blocks, &[DEAD, &node.url]);
    assert_code(&fetched, 0);
    assert_eq!(cached(cache.path()), 2);
    let said = stderr(&fetched);
    assert!(said.contains("http://127.0.0.1:9") && said.contains("the other nodes"), "{said}");
    assert!(!said.contains("topsecret"), "{said}");
}

#[test]
fn nodes_of_several_chains_and_headers_for_several_nodes_are_refused() {
    let node = |chain: &'static str| {
        fake_node(move |request| match request.method() {
            "eth_chainId" => Reply::Result(json!(chain)),
            _ => Reply::Error(-32601, "no such method".to_owned()),
        })
    };
    let (one, two) = (node("0x1"), node("0x5"));
    let urls = ["fetch", "1", "--rpc-url", &one, "--rpc-url", &two];
    let said = |flags: &[&str]| {
        let refused = blockrace(folder().path(), &[&urls[..], flags].concat());
        assert_code(&refused, 2);
        stderr(&refused)
    };
    assert!(said(&[]).contains("several chains"), "{}", said(&[]));
    let refused = said(&["--rpc-header", "Authorization: topsecret"]);
    assert!(refused.contains("need a single --rpc-url"), "{refused}");
    assert!(!refused.contains("topsecret"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_spread_over_the_nodes() {
    let Some(anvil) = Anvil::start().await else { return };
    anvil.call("anvil_mine", json!(["0xa"])).await;
    let [one, two] = [
        Proxy::before(&anvil.url, Batches::Taken, |_, _| None).await,
        Proxy::before(&anvil.url, Batches::Taken, |_, _| None).await,
    ];
    let cache = folder();
    let urls = ["fetch", "2-9", "--rpc-url", &one.url, "--rpc-url", &two.url];
    assert_code(&run(&cache, &urls).await, 0);
    let blocks = |proxy: &Proxy| proxy.counts().get("eth_getBlockByNumber").copied().unwrap_or(0);
    assert!(blocks(&one) >= 4 && blocks(&two) >= 4, "{} and {}", blocks(&one), blocks(&two));
}

#[test]
fn rpc_check_reports_each_node() {
    let Some(recordings) = recordings() else { return };
    let whole = RecordedNode::serve(&recordings, "mainnet", &[]);
    let poor = RecordedNode::serve(&recordings, "mainnet", &NO_WITNESS);
    let urls = ["rpc-check", "--rpc-url", &whole.url, "--rpc-url", &poor.url];
    let table = blockrace(Path::new("/nowhere"), &urls);
    assert_code(&table, 2);
    let text = stdout(&table);
    assert!(text.contains(&whole.url) && text.contains(&poor.url), "{text}");
    let both = blockrace(Path::new("/nowhere"), &[&urls[..], &["--json"]].concat());
    let found: Value = serde_json::from_str(&stdout(&both)).expect("it is JSON");
    assert_eq!(found[0]["fetch_flags"], "--witness execution-witness");
    assert_eq!((&found[1]["node"], &found[1]["fetch_flags"]), (&json!(poor.url), &Value::Null));
    assert!(found[0]["provenance"]["rustc"].is_string(), "{found}");
    let dead = blockrace(Path::new("/nowhere"), &[&urls[..3], &["--rpc-url", DEAD]].concat());
    assert_code(&dead, 75);
    assert!(stdout(&dead).contains(&whole.url) && !stderr(&dead).contains("topsecret"));
}

#[test]
fn a_dry_run_estimates_the_cost_and_stores_nothing() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = folder();
    let blocks = list(&node, 5);
    let estimate = ["fetch", &blocks, "--dry-run", "--rpc-url", &node.url];
    let output = blockrace(cache.path(), &estimate);
    assert_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("5 blocks selected, 0 of them cached"), "{text}");
    assert!(text.contains("requests, ") && text.contains("not stored"), "{text}");
    assert!(!cache.path().join("1").exists(), "nothing is stored");
    assert_code(&blockrace(cache.path(), &["fetch", &blocks, "--rpc-url", &node.url]), 0);
    let text = stdout(&blockrace(cache.path(), &estimate));
    assert!(text.contains("5 blocks selected, 5 of them cached"), "{text}");
    assert!(!text.contains("expected"), "{text}");
}

#[test]
fn filters_choose_cached_blocks_for_every_command() {
    let cache = folder();
    let numbers = cached_sample(cache.path(), 6);
    let listed = |flags: &[&str]| -> Vec<u64> {
        let arguments = [&["cache", "list", "--json", "-"], flags].concat();
        let output = blockrace(cache.path(), &arguments);
        assert_code(&output, 0);
        let found: Value = serde_json::from_str(&stdout(&output)).expect("it is JSON");
        let blocks = found["blocks"].as_array().expect("a list").iter();
        blocks.filter_map(|block| block["block_number"].as_u64()).collect()
    };
    assert_eq!(listed(&["--verified-to", "state-root"]), numbers);
    assert!(listed(&["--verified-to", "receipts"]).is_empty());
    assert_eq!(listed(&["--sample", "2"]).len(), 2);
    assert!(listed(&["--gas", "-1"]).is_empty());
    let top = listed(&["--sort", "gas", "--top", "1"]);
    let verified =
        blockrace(cache.path(), &["verify", "--sort", "gas", "--top", "1", "--json", "-"]);
    let found: Value = serde_json::from_str(&stdout(&verified)).expect("it is JSON");
    assert_eq!(found["blocks"][0]["block_number"], top[0]);
    let command = found["settings"]["command"].as_str().expect("a command");
    assert!(command.contains("--sort gas --top 1"), "{command}");
    let none = blockrace(cache.path(), &["verify", "--fork", "frontier"]);
    assert_code(&none, 2);
    assert!(stderr(&none).contains("none of 6 blocks passes --fork Frontier"), "{}", stderr(&none));
    let removed =
        blockrace(cache.path(), &["cache", "remove", "--all", "--sort", "gas", "--top", "1"]);
    assert_code(&removed, 0);
    assert!(!listed(&[]).contains(&top[0]) && listed(&[]).len() == 5);
}
