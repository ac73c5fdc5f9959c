//! Blocks and witnesses from a node that answers correctly, oddly or wrongly.

use std::{cell::Cell, error::Error, num::NonZeroUsize};

use alloy_consensus::{
    Header, SignableTransaction, TxEip1559, TxEnvelope, TxLegacy,
    proofs::calculate_ommers_root,
    transaction::{Recovered, TransactionInfo},
};
use alloy_primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy_rpc_types_eth::Transaction;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    super::{FetchError, Node},
    client,
    server::{Reply, TestNode},
};
use crate::{
    block::{RecordedBlock, RecordedState, Witness},
    fetch::WitnessChoice,
};

pub(super) const NUMBER: u64 = 300;

/// The chain from block 0 to [`NUMBER`]. Each header is the parent of the next.
fn chain() -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for number in 0..=NUMBER {
        let parent_hash = headers.last().map(Header::hash_slow).unwrap_or_default();
        let ommers_hash = calculate_ommers_root(&[ommer()]);
        headers.push(Header { number, parent_hash, ommers_hash, ..Header::default() });
    }
    headers
}

fn rlp(header: &Header) -> Bytes {
    alloy_rlp::encode(header).into()
}

/// A string that is long enough to be a trie node.
fn trie_node() -> Bytes {
    Bytes::from_static(&[1; 17])
}

pub(super) fn ommer() -> Header {
    Header { number: NUMBER - 1, gas_limit: 5, ..Header::default() }
}

pub(super) fn transactions() -> Vec<TxEnvelope> {
    let signature = Signature::new(U256::from(1), U256::from(2), true);
    let legacy = TxLegacy { nonce: 7, ..TxLegacy::default() }.into_signed(signature);
    let dynamic = TxEip1559 { chain_id: 1, ..TxEip1559::default() }.into_signed(signature);
    vec![legacy.into(), dynamic.into()]
}

/// A header as nodes answer it: with its hash, and with fields that are not used.
fn header_json(header: &Header) -> Value {
    let mut json = serde_json::to_value(header).unwrap();
    json["hash"] = json!(header.hash_slow());
    json["size"] = json!("0x220");
    json
}

fn block_json(header: &Header) -> Value {
    let mut json = header_json(header);
    let transactions = transactions().into_iter().map(|transaction| {
        let sender = Recovered::new_unchecked(transaction, Address::ZERO);
        let transaction = Transaction::from_transaction(sender, TransactionInfo::default());
        serde_json::to_value(transaction).unwrap()
    });
    json["transactions"] = transactions.collect();
    json["uncles"] = json!([ommer().hash_slow()]);
    json["withdrawals"] = json!([]);
    json
}

fn witness_of(recorded: &RecordedBlock) -> &Witness {
    match &recorded.state {
        RecordedState::Witness(witness) => witness,
        RecordedState::Flat(_) => panic!("the block was fetched with a witness"),
    }
}

fn number_of(params: &Value) -> u64 {
    let tag = params[0].as_str().unwrap().trim_start_matches("0x");
    u64::from_str_radix(tag, 16).unwrap()
}

/// The reply of a correct node.
pub(super) fn well(method: &str, params: &Value) -> Reply {
    let headers = chain();
    let witness =
        || json!({"state": [trie_node()], "codes": ["0x02"], "headers": [rlp(&headers[299])]});
    Reply::Result(match method {
        "eth_chainId" => json!("0x1"),
        "eth_blockNumber" => json!("0x12c"),
        "eth_getBlockByNumber" => match headers.get(usize::try_from(number_of(params)).unwrap()) {
            Some(header) if params[1] == true => block_json(header),
            Some(header) => header_json(header),
            None => Value::Null,
        },
        "eth_getBlockByHash" => header_json(&headers[299]),
        "eth_getUncleByBlockHashAndIndex" => header_json(&ommer()),
        "debug_executionWitness" | "debug_executionWitnessByBlockHash" => witness(),
        _ => return Reply::Error(-32601, "no such method"),
    })
}

/// A node that answers correctly, except for one method.
async fn node_but(odd: &'static str, reply: Reply) -> TestNode {
    TestNode::new(
        move |method, params| if method == odd { reply.clone() } else { well(method, params) },
    )
    .await
}

pub(super) async fn connect(node: &TestNode) -> Node {
    Node::connect(client(&node.url("", ""))).await.unwrap()
}

async fn fetch_but(odd: &'static str, reply: Reply) -> Result<RecordedBlock, FetchError> {
    connect(&node_but(odd, reply).await).await.fetch_block(NUMBER).await
}

/// Fetches a block with changed JSON.
async fn fetch_changed(change: impl FnOnce(&mut Value)) -> Result<RecordedBlock, FetchError> {
    let mut block = block_json(&chain()[300]);
    change(&mut block);
    fetch_but("eth_getBlockByNumber", Reply::Result(block)).await
}

#[tokio::test]
async fn a_block_is_fetched_with_all_its_parts_in_five_calls() {
    let server = TestNode::new(well).await;
    let node = connect(&server).await;
    let recorded = node.fetch_block(NUMBER).await.unwrap();

    assert_eq!((node.chain_id(), recorded.chain_id), (1, 1));
    assert_eq!(recorded.block.header, chain()[300]);
    assert_eq!(recorded.block.body.transactions, transactions());
    assert_eq!(recorded.block.body.ommers, [ommer()]);
    // The node answers an empty list, and the header shows that the block is from before Shanghai.
    assert_eq!(recorded.block.body.withdrawals, None);
    assert_eq!(witness_of(&recorded).headers, [rlp(&chain()[299])]);
    assert_eq!(
        (&*witness_of(&recorded).nodes, &*witness_of(&recorded).codes),
        (&[trie_node()][..], &["0x02".parse().unwrap()][..])
    );
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn the_head_is_fetched() {
    assert_eq!(connect(&TestNode::new(well).await).await.head().await.unwrap(), 300);
}

#[tokio::test]
async fn a_missing_block_is_named() {
    let node = connect(&TestNode::new(well).await).await;
    let error = node.fetch_block(301).await.unwrap_err();
    assert!(matches!(error, FetchError::NoSuchBlock { number: 301, .. }), "{error:?}");
    assert!(matches!(node.fetch_block(0).await, Err(FetchError::Genesis)));
}

#[tokio::test]
async fn another_block_is_rejected() {
    let other = block_json(&chain()[299]);
    let error = fetch_but("eth_getBlockByNumber", Reply::Result(other)).await.unwrap_err();
    assert!(matches!(error, FetchError::WrongNumber { number: NUMBER, found: 299 }), "{error:?}");
}

#[tokio::test]
async fn a_header_that_does_not_hash_to_the_stated_hash_is_rejected() {
    for (field, value) in [("hash", json!(B256::ZERO)), ("gasUsed", json!("0x1"))] {
        let error = fetch_changed(|block| block[field] = value).await.unwrap_err();
        assert!(matches!(error, FetchError::WrongHash { number: NUMBER, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_header_field_of_a_later_fork_is_named() {
    let error = fetch_changed(|block| block["blockAccessListHash"] = json!(B256::ZERO)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, FetchError::WrongFields { number: NUMBER, .. }), "{error:?}");
    let source = error.source().unwrap().to_string();
    assert!(source.contains("EIP-7928") && source.contains("Amsterdam"), "{source}");
}

#[tokio::test]
async fn a_transaction_that_does_not_hash_to_the_stated_hash_is_rejected() {
    for (field, value) in [("hash", json!(B256::ZERO)), ("nonce", json!("0x9"))] {
        let error =
            fetch_changed(|block| block["transactions"][1][field] = value).await.unwrap_err();
        assert!(matches!(error, FetchError::WrongTransaction { index: 1, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_transaction_of_another_chain_or_without_content_is_named() {
    let deposit = |block: &mut Value| block["transactions"][1]["type"] = json!("0x7e");
    let error = fetch_changed(deposit).await.unwrap_err();
    assert!(error.to_string().contains("transaction 1 has type 0x7e"), "{error}");

    let access_list = |block: &mut Value| {
        block["transactions"][1].as_object_mut().unwrap().remove("accessList");
    };
    let error = fetch_changed(access_list).await.unwrap_err();
    assert!(error.to_string().contains("lacks a field of its type"), "{error}");
    assert!(error.source().unwrap().to_string().contains("accessList"), "{error:?}");

    let bare = |block: &mut Value| block["transactions"][0] = json!(B256::ZERO);
    let error = fetch_changed(bare).await.unwrap_err();
    assert!(matches!(error, FetchError::BareTransaction { index: 0, .. }), "{error:?}");
}

#[tokio::test]
async fn another_ommer_is_rejected() {
    let other = header_json(&chain()[298]);
    let error =
        fetch_but("eth_getUncleByBlockHashAndIndex", Reply::Result(other)).await.unwrap_err();
    assert!(matches!(error, FetchError::WrongOmmer { index: 0, .. }), "{error:?}");
}

#[tokio::test]
async fn a_parent_that_the_witness_lacks_is_fetched() {
    let witness = Reply::Result(json!({"state": [], "headers": null}));
    let server = node_but("debug_executionWitness", witness.clone()).await;
    let recorded = connect(&server).await.fetch_block(NUMBER).await.unwrap();
    assert_eq!(witness_of(&recorded).headers, [rlp(&chain()[299])]);
    assert_eq!(server.count("eth_getBlockByHash"), 1);

    let server = TestNode::new(move |method, params| match method {
        "debug_executionWitness" => witness.clone(),
        "eth_getBlockByHash" => Reply::Result(header_json(&chain()[298])),
        _ => well(method, params),
    })
    .await;
    let error = connect(&server).await.fetch_block(NUMBER).await.unwrap_err();
    assert!(matches!(error, FetchError::WrongAncestor { ancestor: 299, .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_method_is_tried_once() {
    let server = node_but("debug_executionWitness", Reply::Error(-32601, "no such method")).await;
    let node = connect(&server).await;
    let blocks: Vec<_> = node
        .fetch_many(stream::iter([NUMBER; 5]), WitnessChoice::Auto, NonZeroUsize::new(5).unwrap())
        .collect()
        .await;

    assert!(blocks.iter().all(|(_, block)| block.is_ok()), "{blocks:?}");
    assert_eq!(server.count("debug_executionWitness"), 1);
    assert_eq!(server.count("debug_executionWitnessByBlockHash"), 5);
}

#[tokio::test]
async fn a_node_without_witness_methods_is_reported_and_not_called_again() {
    let server = TestNode::new(|method, params| match method.strip_prefix("debug_") {
        Some(_) => Reply::Error(-32601, "no such method"),
        None => well(method, params),
    })
    .await;
    let node = connect(&server).await;

    let expected = format!(
        "the node at {} offers neither debug_executionWitness nor \
         debug_executionWitnessByBlockHash; use a node with the debug API (reth, geth, ...)",
        server.url("", "")
    );
    for _ in 0..3 {
        assert_eq!(node.fetch_block(NUMBER).await.unwrap_err().to_string(), expected);
    }
    let counts = ["debug_executionWitness", "debug_executionWitnessByBlockHash"];
    assert_eq!(counts.map(|method| server.count(method)), [1, 1]);
    assert_eq!([server.count("debug_traceBlockByNumber"), server.count("eth_getProof")], [0, 0]);
    assert_eq!(server.count("eth_getBlockByNumber"), 1);
}

#[tokio::test]
async fn a_pruned_witness_is_an_error_of_its_block() {
    let pruned = Reply::Error(-32000, "state is pruned");
    let error = fetch_but("debug_executionWitness", pruned).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot fetch block 300");
    let source = error.source().unwrap();
    assert!(source.to_string().starts_with("debug_executionWitness failed"), "{source}");
    assert!(source.source().unwrap().to_string().contains("\"state is pruned\""));
}

#[tokio::test]
async fn older_headers_are_added_to_a_witness() {
    let node = connect(&TestNode::new(well).await).await;
    let mut recorded = node.fetch_block(NUMBER).await.unwrap();
    for down_to in [299, 297, 298, 44] {
        node.fetch_ancestors(&mut recorded, down_to).await.unwrap();
    }
    let expected: Vec<_> = chain()[44..300].iter().map(rlp).collect();
    assert_eq!(witness_of(&recorded).headers, expected);

    let error = node.fetch_ancestors(&mut recorded, 43).await.unwrap_err();
    assert!(matches!(error, FetchError::TooFarBack { down_to: 43, .. }), "{error:?}");
}

#[tokio::test]
async fn an_older_header_from_another_chain_is_rejected_and_changes_nothing() {
    let server = TestNode::new(|method, params| match (method, &params[1]) {
        ("eth_getBlockByNumber", Value::Bool(false)) if number_of(params) == 297 => {
            Reply::Result(header_json(&Header { number: 297, ..Header::default() }))
        }
        _ => well(method, params),
    })
    .await;
    let node = connect(&server).await;
    let mut recorded = node.fetch_block(NUMBER).await.unwrap();

    let error = node.fetch_ancestors(&mut recorded, 290).await.unwrap_err();
    let FetchError::WrongAncestor { ancestor: 297, expected, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(expected, keccak256(rlp(&chain()[297])));
    assert_eq!(witness_of(&recorded).headers.len(), 1);
}

#[tokio::test]
async fn block_numbers_are_polled_as_blocks_are_taken() {
    let drawn = Cell::new(0);
    let blocks = std::iter::repeat(NUMBER).inspect(|_| drawn.set(drawn.get() + 1));
    let node = connect(&TestNode::new(well).await).await;
    let mut stream = Box::pin(node.fetch_many(
        stream::iter(blocks),
        WitnessChoice::Auto,
        NonZeroUsize::new(3).unwrap(),
    ));

    for taken in 1..=10 {
        let (number, block) = stream.next().await.unwrap();
        assert_eq!((number, block.is_ok()), (NUMBER, true));
        assert_eq!(drawn.get(), taken + 2);
    }
}

#[tokio::test]
async fn one_failed_block_does_not_stop_the_others() {
    let node = connect(&TestNode::new(well).await).await;
    let numbers = [NUMBER, 999, NUMBER, 0];
    let mut fetched: Vec<_> = node
        .fetch_many(stream::iter(numbers), WitnessChoice::Auto, NonZeroUsize::new(2).unwrap())
        .collect()
        .await;
    fetched.sort_by_key(|(number, _)| *number);
    let outcomes: Vec<_> = fetched.iter().map(|(number, block)| (*number, block.is_ok())).collect();
    assert_eq!(outcomes, [(0, false), (NUMBER, true), (NUMBER, true), (999, false)]);
}
