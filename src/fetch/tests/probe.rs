//! Probing nodes with different sets of methods and state.

use serde_json::{Value, json};

use super::{
    super::{Abilities, Method, Node, WitnessChoice},
    client,
    server::{Reply, TestNode},
};

const HEAD: u64 = 25_000_000;

/// A node with the state of its blocks from `oldest` on, and some methods.
async fn node(oldest: u64, served: &'static [&'static str]) -> TestNode {
    TestNode::new(move |method, params| match method {
        "eth_chainId" => Reply::Result(json!("0x1")),
        "eth_blockNumber" => Reply::Result(json!(format!("{HEAD:#x}"))),
        "eth_getBlockByNumber" => Reply::Result(json!({ "hash": format!("0x{:064x}", 7) })),
        "web3_clientVersion" => Reply::Result(json!("node/\u{1b}[2Jv1")),
        "eth_getBalance" if number(&params[1]) >= oldest => Reply::Result(json!("0x0")),
        "eth_getBalance" => Reply::Error(-32000, "missing trie node"),
        "eth_getUncleByBlockHashAndIndex" => Reply::Result(Value::Null),
        "debug_traceBlockByNumber" if served.contains(&method) => {
            Reply::Result(json!([{ "result": {} }]))
        }
        method if served.contains(&method) => Reply::Result(json!({})),
        "eth_getBlockReceipts" => Reply::Result(Value::Null),
        _ => Reply::Error(-32601, "no such method"),
    })
    .await
}

fn number(param: &Value) -> u64 {
    let digits = param.as_str().unwrap().trim_start_matches("0x");
    u64::from_str_radix(digits, 16).unwrap()
}

async fn abilities(server: &TestNode) -> Abilities {
    let node = Node::connect(client(&server.url("", "/"))).await.unwrap();
    node.abilities(HEAD, HEAD).await.unwrap()
}

#[tokio::test]
async fn the_oldest_state_is_found_with_few_calls() {
    for oldest in [0, 1, 2, 12_345_678, HEAD - 127, HEAD] {
        let server = node(oldest, &[]).await;
        assert_eq!(abilities(&server).await.oldest_state.unwrap(), oldest);
        let asked = server.count("eth_getBalance");
        assert!(asked <= if oldest == 0 { 2 } else { 27 }, "{asked} calls for {oldest}");
    }
}

#[tokio::test]
async fn the_oldest_state_of_a_node_without_state_is_an_error() {
    let server = node(HEAD + 1, &[]).await;
    let why = abilities(&server).await.oldest_state.unwrap_err();
    assert!(format!("{why:?}").contains("missing trie node"), "{why:?}");
    assert_eq!(server.count("eth_getBalance"), 1);
}

#[tokio::test]
async fn ways_to_fetch_follow_from_the_methods() {
    use WitnessChoice::{ExecutionWitness, Prestate, Proofs};
    for (served, expected) in [
        (&["debug_executionWitness"][..], &[ExecutionWitness][..]),
        (&["debug_executionWitnessByBlockHash"], &[ExecutionWitness]),
        (&["debug_traceBlockByNumber"], &[Prestate]),
        (&["debug_traceTransaction"], &[Prestate]),
        (&["debug_traceBlockByNumber", "eth_getProof"], &[Proofs, Prestate]),
        (&["eth_getProof", "eth_getCode"], &[Proofs]),
        (&["eth_getCode", "eth_createAccessList"], &[]),
    ] {
        let found = abilities(&node(0, served).await).await;
        assert_eq!(found.witnesses(), expected, "{served:?}");
    }
}

#[tokio::test]
async fn null_is_an_answer_for_ommers_only() {
    let found = abilities(&node(0, &[]).await).await;
    assert!(found.serves(Method::Uncle));
    assert!(!found.serves(Method::BlockReceipts));
    assert!(!found.serves(Method::Code));
}

#[tokio::test]
async fn the_client_name_of_a_node_is_made_printable() {
    let found = abilities(&node(0, &[]).await).await;
    assert_eq!(found.client.unwrap().to_string(), "node/ [2Jv1");
}

#[tokio::test]
async fn a_node_that_rejects_batches_has_batch_size_zero() {
    // This server reads one call per request, and rejects batches.
    let found = abilities(&node(0, &[]).await).await;
    assert_eq!(found.batch, 0);
    assert!(found.larger_batch.is_some());
}

/// Answers as if the node ran this software and served every method.
async fn running(software: &'static str) -> TestNode {
    TestNode::new(move |method, _| match method {
        "web3_clientVersion" => Reply::Result(json!(software)),
        "eth_chainId" => Reply::Result(json!("0x1")),
        "eth_blockNumber" => Reply::Result(json!(format!("{HEAD:#x}"))),
        "eth_getBlockByNumber" => Reply::Result(json!({ "hash": format!("0x{:064x}", 7) })),
        "debug_traceBlockByNumber" => Reply::Result(json!([])),
        _ => Reply::Result(json!({})),
    })
    .await
}

#[tokio::test]
async fn each_software_is_asked_only_for_what_does_not_harm_it() {
    const WITNESSES: [&str; 2] = ["debug_executionWitness", "debug_executionWitnessByBlockHash"];
    for (software, is_called) in [
        ("Geth/v1.16.7-stable/linux-amd64/go1.25.1", false),
        ("Geth/v1.17.2-stable/linux-amd64/go1.25.1", true),
        ("nitro/v3.9.3/linux-amd64/go1.25.1", false),
        ("reth/v1.9.3/x86_64-unknown-linux-gnu", true),
        ("erigon/3.2.2/linux-amd64/go1.24.1", true),
        ("Nethermind/v1.35.2/linux-x64/dotnet9.0.10", true),
        ("besu/v25.11.0/linux-x86_64/openjdk-java-21", true),
    ] {
        let server = running(software).await;
        let found = abilities(&server).await;
        for method in Method::ALL {
            let name = method.name();
            let expected = is_called || !WITNESSES.contains(&name);
            assert_eq!(server.count(name) > 0, expected, "{software}: {name}");
            assert_eq!(found.serves(method), expected, "{software}: {name}");
        }
        assert_eq!(found.witnesses().len(), if is_called { 3 } else { 2 }, "{software}");
    }
}

#[tokio::test]
async fn a_tracer_that_is_ignored_is_not_served() {
    let server = TestNode::new(|method, _| match method {
        "eth_chainId" => Reply::Result(json!("0x1")),
        "eth_blockNumber" => Reply::Result(json!(format!("{HEAD:#x}"))),
        "eth_getBlockByNumber" => Reply::Result(json!({ "hash": format!("0x{:064x}", 7) })),
        "debug_traceBlockByNumber" => {
            Reply::Result(json!([{ "result": { "gas": 21000, "structLogs": [] } }]))
        }
        _ => Reply::Error(-32601, "no such method"),
    })
    .await;
    let found = abilities(&server).await;
    assert!(!found.serves(Method::PrestateTracer));
    assert_eq!(found.witnesses(), []);
}

#[tokio::test]
async fn state_is_asked_for_at_the_parent() {
    let server = node(0, &["eth_getProof"]).await;
    abilities(&server).await;
    let asked = server.calls().into_iter().find(|(method, _)| method == "eth_getProof").unwrap();
    assert_eq!(asked.1[2], json!(format!("{:#x}", HEAD - 1)));
}
