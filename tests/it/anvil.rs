//! Blocks of a real anvil, proved by single proofs against the state root that anvil computed.

use crate::support::anvil;
use crate::support::proxy;
use crate::support::scenario;
use crate::support::{assert_code, run, stderr, stdout, witness_of};
use alloy_primitives::U64;
use anvil::Anvil;
use blockrace::{
    block::RecordedBlock,
    cache::Cache,
    fetch::{Client, Limits, Node},
};
use proxy::{Batches, Proxy};
use scenario::{Chain, FIRST, Scenario};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Fetches the blocks that must match and checks them with every executor. Blocks with deletions are included
/// only if this anvil deletes as Ethereum does.
async fn fetch_and_verify(url: &str, chain: Chain, flags: &[&str]) {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let last = if chain.deletes { chain.last } else { chain.first_deletion - 1 };
    let blocks = format!("{FIRST}-{last}");
    let fetched = run(&cache, &[&["fetch", &blocks, "--rpc-url", url], flags].concat()).await;
    assert_code(&fetched, 0);
    let count = last - FIRST + 1;
    let expected = format!("{count} of {count} blocks fetched, proved and stored");
    assert!(stdout(&fetched).contains(&expected), "{}", stdout(&fetched));
    for executor in ["sequential", "block-stm"] {
        assert_code(&run(&cache, &["verify", "--executor", executor]).await, 0);
    }
    let stored = Cache::new(cache.path()).list(31_337).expect("the cache is readable");
    assert_eq!(stored.len() as u64, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_is_proved_by_single_proofs_and_auto_selects_them() {
    let Some(anvil) = Anvil::start().await else { return };
    let chain = Scenario::new(&anvil).await.build().await;
    let proxy = Proxy::before(&anvil.url, Batches::Taken, |_, _| None).await;
    fetch_and_verify(&proxy.url, chain, &["--witness", "proofs"]).await;
    let counts = proxy.counts();
    eprintln!("{counts:?}");
    assert!(counts["batch"] > 0 && !counts.contains_key("debug_executionWitness"), "{counts:?}");

    fetch_and_verify(&anvil.url, chain, &["--witness", "auto"]).await;
    fetch_and_verify(&anvil.url, chain, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_batches_and_block_traces_suffices() {
    let Some(anvil) = Anvil::start().await else { return };
    let chain = Scenario::new(&anvil).await.build().await;
    let proxy = Proxy::before(&anvil.url, Batches::Refused, |method, _| {
        method.starts_with("debug_traceBlock").then_some(Err(-32601))
    });
    let proxy = proxy.await;
    fetch_and_verify(&proxy.url, chain, &[]).await;
    assert!(proxy.counts()["debug_traceTransaction"] > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_requested_method_gives_an_error_that_names_it() {
    let Some(anvil) = Anvil::start().await else { return };
    Scenario::new(&anvil).await.build().await;
    let cache = tempfile::tempdir().expect("a temporary folder");
    let arguments = ["fetch", &FIRST.to_string(), "--rpc-url", &anvil.url, "--witness"];
    let output = run(&cache, &[&arguments[..], &["execution-witness"]].concat()).await;
    assert_code(&output, 2);
    let said = stderr(&output);
    assert!(said.contains("neither debug_executionWitness nor debug_executionWitnessBy"), "{said}");
    assert!(!said.contains("eth_getProof"), "{said}");

    let proxy = Proxy::before(&anvil.url, Batches::Taken, |method, _| {
        (method == "eth_getProof").then_some(Err(-32601))
    });
    let proxy = proxy.await;
    let arguments = ["fetch", &FIRST.to_string(), "--rpc-url", &proxy.url];
    let output = run(&cache, &[&arguments[..], &["--witness", "proofs"]].concat()).await;
    assert_code(&output, 2);
    assert!(stderr(&output).contains("eth_getProof"), "{}", stderr(&output));

    let output = run(&cache, &arguments).await;
    assert_code(&output, 0);
    assert!(stdout(&output).contains("checked to the receipts only"), "{}", stdout(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_match_or_are_refused_if_anvil_omits_them() {
    let Some(anvil) = Anvil::start().await else { return };
    let chain = Scenario::new(&anvil).await.build().await;
    let cache = tempfile::tempdir().expect("a temporary folder");
    let blocks = format!("{}-{}", chain.first_deletion, chain.last);
    let fetched = run(&cache, &["fetch", &blocks, "--rpc-url", &anvil.url]).await;
    if chain.deletes {
        return assert_code(&fetched, 0);
    }
    eprintln!("this anvil keeps what Ethereum deletes");
    assert_ne!(fetched.status.code(), Some(0));
    let stored = Cache::new(cache.path()).list(31_337).expect("the cache is readable").len();
    assert!((stored as u64) < chain.last - chain.first_deletion, "{stored} blocks were stored");
    assert_code(&run(&cache, &["verify"]).await, 0);
}

/// Every block that matches, fetched by proofs through the library.
async fn recorded(url: &str, chain: Chain) -> BTreeMap<u64, RecordedBlock> {
    let client = Client::new(&url.parse().expect("a URL"), &[], Limits::default());
    let node = Node::connect(client.expect("a client")).await.expect("it answers");
    let mut blocks = BTreeMap::new();
    for number in FIRST..=chain.last {
        blocks.insert(number, node.fetch_block_by_proofs(number).await.expect("anvil proves it"));
    }
    blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_witness_that_lacks_nodes_and_codes_is_completed() {
    let Some(anvil) = Anvil::start().await else { return };
    let chain = Scenario::new(&anvil).await.build().await;
    let whole = recorded(&anvil.url, chain).await;
    for (odd, lacking) in [(2, "every second node and all codes"), (1, "everything")] {
        let whole = whole.clone();
        let witness = move |params: &Value| {
            let number: U64 = serde_json::from_value(params[0].clone()).expect("a number");
            let witness = witness_of(&whole[&number.to()]);
            let nodes = witness.nodes.iter().enumerate().filter(|(index, _)| index % odd != 0);
            json!({"state": nodes.map(|(_, node)| node).collect::<Vec<_>>(), "codes": []})
        };
        let proxy = Proxy::before(&anvil.url, Batches::Taken, move |method, params| {
            (method == "debug_executionWitness").then(|| Ok(witness(params)))
        });
        let proxy = proxy.await;
        eprintln!("without {lacking}");
        fetch_and_verify(&proxy.url, chain, &["--witness", "execution-witness"]).await;
        eprintln!("{:?}", proxy.counts());
    }
}
