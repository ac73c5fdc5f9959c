//! Tracers' answers, and the choice between traces and witnesses.

use alloy_primitives::{Address, U256};
use serde_json::{Value, json};

use crate::block::{AccountFields, TracedBlock, TracedSlot};

use super::{
    super::{FetchError, FetchedBlock, WitnessChoice},
    node::{NUMBER, connect, ommer, transactions, well},
    server::{Reply, TestNode},
};

const ALICE: Address = Address::repeat_byte(0xa1);
const BOB: Address = Address::repeat_byte(0xb0);
const SLOT: &str = "0x0000000000000000000000000000000000000000000000000000000000000007";

/// A storage word with this value.
fn word(value: u8) -> Value {
    json!(format!("0x{value:064x}"))
}

/// A tracer's answer about the two transactions of the test's block.
fn trace() -> Value {
    let hashes =
        transactions().iter().map(|transaction| *transaction.tx_hash()).collect::<Vec<_>>();
    json!([
        {"txHash": hashes[0], "result": {ALICE.to_string(): {"balance": "0x5", "nonce": 3}}},
        {"txHash": hashes[1], "result": {
            ALICE.to_string(): {"balance": "0x4", "nonce": 4, "storage": {SLOT: word(9)}},
            BOB.to_string(): {"code": "0x6000", "nonce": "0x1"},
        }},
    ])
}

/// A node with this trace. It answers other methods correctly, except for those in `without`.
async fn node(traced: Value, without: &'static [(&'static str, i64)]) -> TestNode {
    TestNode::new(move |method, params| {
        match without.iter().find(|(missing, _)| *missing == method) {
            Some((_, code)) => Reply::Error(*code, "not here"),
            None if method == "debug_traceBlockByNumber" => Reply::Result(traced.clone()),
            None => well(method, params),
        }
    })
    .await
}

/// Fetches the block by tracer from a node with this trace.
async fn fetch_traced(traced: Value) -> Result<TracedBlock, FetchError> {
    connect(&node(traced, &[]).await).await.fetch_block_flat(NUMBER).await
}

#[tokio::test]
async fn the_first_occurrence_of_an_account_and_of_each_slot_counts() {
    let server = node(trace(), &[]).await;
    let block = connect(&server).await.fetch_block_flat(NUMBER).await.unwrap();
    assert_eq!(block.block.body.ommers, [ommer()]);
    assert_eq!(
        server.calls().last().unwrap().1[1],
        json!({"tracer": "prestateTracer", "timeout": "1s"})
    );

    let alice = &block.state.accounts[&ALICE];
    let fields = AccountFields { nonce: 3, balance: U256::from(5), ..Default::default() };
    assert_eq!((alice.since, &alice.fields), (0, &fields));
    let slot = TracedSlot { since: 1, value: U256::from(9) };
    assert_eq!(alice.slots, [(U256::from(7), slot)].into_iter().collect());

    let bob = &block.state.accounts[&BOB];
    assert_eq!((bob.since, bob.fields.nonce, &bob.fields.code[..]), (1, 1, &[0x60, 0][..]));
}

#[tokio::test]
async fn the_first_entry_may_hold_the_whole_state() {
    let mut traced = trace();
    traced[0] = json!({"result": {BOB.to_string(): {"balance": "0x1"}}});
    traced[1]["result"] = json!({});
    let block = fetch_traced(traced).await.unwrap();
    assert_eq!(block.state.accounts[&BOB].since, 0);
    assert_eq!(block.state.accounts.len(), 1);
}

#[tokio::test]
async fn a_trace_of_another_block_is_rejected() {
    let mut other = trace();
    other[1]["txHash"] = word(1);
    let error = fetch_traced(other).await.unwrap_err();
    assert!(matches!(error, FetchError::WrongTrace { index: 1, .. }), "{error:?}");

    let mut short = trace();
    short.as_array_mut().unwrap().pop();
    let error = fetch_traced(short).await.unwrap_err();
    assert!(matches!(error, FetchError::TraceLength { expected: 2, found: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn an_untraced_transaction_is_named() {
    let mut failed = trace();
    failed[1] = json!({"error": "execution timeout"});
    let error = fetch_traced(failed).await.unwrap_err().to_string();
    assert_eq!(error, "block 300: the node could not trace transaction 1: \"execution timeout\"");
}

#[tokio::test]
async fn ommers_that_the_node_lacks_are_listed() {
    let server = node(trace(), &[("eth_getUncleByBlockHashAndIndex", -32000)]).await;
    for choice in [WitnessChoice::Prestate, WitnessChoice::Auto] {
        let fetched = connect(&server).await.fetch(NUMBER, choice).await;
        match (choice, fetched) {
            (WitnessChoice::Prestate, Ok(FetchedBlock::Traced(traced))) => {
                assert_eq!(traced.unknown_ommers, [ommer().hash_slow()]);
                assert_eq!(traced.block.body.ommers, []);
            }
            // A block with a witness is proved against the state root, which includes the ommers.
            (WitnessChoice::Auto, Err(FetchError::Rpc { .. })) => {}
            (_, other) => panic!("{choice:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn auto_uses_the_witness_if_there_is_one_and_else_the_trace() {
    const PRUNED: &[(&str, i64)] = &[("debug_executionWitness", -32000)];
    const NEITHER: &[(&str, i64)] =
        &[("debug_executionWitness", -32601), ("debug_executionWitnessByBlockHash", -32601)];
    for (without, by_trace) in [(&[][..], false), (PRUNED, true), (NEITHER, true)] {
        let server = node(trace(), without).await;
        let node = connect(&server).await;
        for _ in 0..3 {
            let fetched = node.fetch(NUMBER, WitnessChoice::Auto).await.unwrap();
            assert_eq!(matches!(fetched, FetchedBlock::Traced(_)), by_trace, "{without:?}");
        }
        let expected = if by_trace { 3 } else { 0 };
        assert_eq!(server.count("debug_traceBlockByNumber"), expected, "{without:?}");
    }
}

#[tokio::test]
async fn a_fault_of_the_witness_ends_the_fetch() {
    let server = node(trace(), &[("debug_executionWitness", -32602)]).await;
    let error = connect(&server).await.fetch(NUMBER, WitnessChoice::Auto).await.unwrap_err();
    assert!(error.to_string().contains("cannot fetch block 300"), "{error}");
    assert_eq!(server.count("debug_traceBlockByNumber"), 0);
}

/// Fetches the block with `auto` from a node that sends this reply to a call for a witness.
async fn fetch_without_witness(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> (TestNode, Result<FetchedBlock, FetchError>) {
    let server = TestNode::new(move |method, params| match method {
        "debug_executionWitness" => reply(),
        "debug_traceBlockByNumber" => Reply::Result(trace()),
        _ => well(method, params),
    })
    .await;
    let fetched = connect(&server).await.fetch(NUMBER, WitnessChoice::Auto).await;
    (server, fetched)
}

#[tokio::test]
async fn a_witness_that_the_node_cannot_make_is_skipped_without_retries() {
    let (server, fetched) =
        fetch_without_witness(|| Reply::Error(-32603, "method handler crashed")).await;
    assert!(matches!(fetched, Ok(FetchedBlock::Traced(_))), "{fetched:?}");
    assert_eq!(server.count("debug_executionWitness"), 1);
}

#[tokio::test]
async fn after_a_failed_witness_auto_tries_proofs_but_no_trace() {
    let replies: [fn() -> Reply; 5] = [
        || Reply::Error(-32603, "oops"),
        || Reply::Error(-32002, "request timed out"),
        || Reply::Http(504, vec![], "<html>gateway timeout</html>".to_owned()),
        || Reply::Truncated,
        || Reply::Error(-32008, "Response is too big"),
    ];
    for reply in replies {
        let (server, fetched) = fetch_without_witness(reply).await;
        let FetchError::Rpc { source, .. } = fetched.unwrap_err() else {
            panic!("the error is not that of a call")
        };
        assert!(source.to_string().starts_with("debug_executionWitness failed"), "{source}");
        assert_eq!(server.count("eth_getProof"), 1);
        assert_eq!(server.count("debug_traceBlockByNumber"), 0);
    }
}

#[tokio::test]
async fn nulls_short_slots_and_error_objects_of_a_trace_are_read() {
    let mut loose = trace();
    let nothing = json!({"balance": null, "nonce": null, "code": null, "storage": null});
    loose[0]["result"][BOB.to_string()] = nothing;
    loose[1]["result"][ALICE.to_string()]["storage"] = json!({"0x7": "0x9"});
    let block = fetch_traced(loose).await.unwrap();
    assert!(block.state.accounts[&BOB].fields.is_nothing());
    let slot = TracedSlot { since: 1, value: U256::from(9) };
    assert_eq!(block.state.accounts[&ALICE].slots, [(U256::from(7), slot)].into_iter().collect());

    let mut failed = trace();
    failed[1] = json!({"error": {"message": "out of gas"}});
    let error = fetch_traced(failed).await.unwrap_err().to_string();
    assert!(error.contains("out of gas"), "{error}");
}

#[tokio::test]
async fn slots_without_leading_zeros_are_read() {
    for (answer, value) in [("0x5d", 0x5d), ("0x0", 0), ("0x", 0)] {
        let server = TestNode::new(move |method, params| match method {
            "eth_getStorageAt" => Reply::Result(json!(answer)),
            _ => well(method, params),
        })
        .await;
        let found = connect(&server).await.slots_before(NUMBER, &[(ALICE, U256::ONE)]).await;
        assert_eq!(found.unwrap(), [Some(U256::from(value))], "{answer}");
    }
}

#[tokio::test]
async fn a_node_without_any_way_gives_an_error_about_the_missing_methods() {
    let server = TestNode::new(|method, params| match method.strip_prefix("debug_") {
        Some(_) => Reply::Error(-32601, "no such method"),
        None => well(method, params),
    })
    .await;
    let error = connect(&server).await.fetch(NUMBER, WitnessChoice::Auto).await.unwrap_err();
    assert!(matches!(error, FetchError::NoWitnessMethod { .. }), "{error:?}");
}

#[tokio::test]
async fn the_state_is_read_at_the_parent() {
    let server = TestNode::new(|method, params| match method {
        "eth_getBalance" => Reply::Result(json!("0x9")),
        "eth_getTransactionCount" => Reply::Result(json!("0x2")),
        "eth_getCode" => Reply::Result(json!("0x")),
        "eth_getStorageAt" => Reply::Result(word(8)),
        _ => well(method, params),
    })
    .await;
    let node = connect(&server).await;
    let fields = AccountFields { nonce: 2, balance: U256::from(9), ..Default::default() };
    assert_eq!(node.accounts_before(NUMBER, &[ALICE]).await.unwrap(), [Some(fields)]);
    let values = node.slots_before(NUMBER, &[(ALICE, U256::from(7))]).await.unwrap();
    assert_eq!(values, [Some(U256::from(8))]);
    let (method, params) = server.calls().last().unwrap().clone();
    assert_eq!((&*method, params), ("eth_getStorageAt", json!([ALICE, SLOT, "0x12b"])));
}

#[tokio::test]
async fn a_node_without_state_methods_is_not_called_again() {
    let server = TestNode::new(well).await;
    let node = connect(&server).await;
    for _ in 0..3 {
        assert_eq!(node.accounts_before(NUMBER, &[ALICE]).await.unwrap(), [None]);
        assert_eq!(node.slots_before(NUMBER, &[(ALICE, U256::ONE)]).await.unwrap(), [None]);
    }
    assert_eq!((server.count("eth_getBalance"), server.count("eth_getStorageAt")), (1, 0));
}

#[tokio::test]
async fn pruned_state_is_unknown_but_another_failure_is_an_error() {
    let pruned = node(trace(), &[("eth_getBalance", -32000)]).await;
    let pruned = connect(&pruned).await;
    assert_eq!(pruned.accounts_before(NUMBER, &[ALICE, BOB]).await.unwrap(), [None, None]);

    let broken = node(trace(), &[("eth_getBalance", -32602)]).await;
    let error = connect(&broken).await.accounts_before(NUMBER, &[ALICE]).await.unwrap_err();
    assert!(matches!(error, FetchError::Rpc { .. }), "{error:?}");
}
