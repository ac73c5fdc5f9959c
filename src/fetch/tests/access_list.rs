//! Block access lists (EIP-7928) from nodes that answer them in several forms, or not at all.

use alloy_consensus::Header;
use alloy_eips::eip7928::{AccountChanges, BalanceChange, BlockAccessIndex};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde_json::{Value, json};

use super::{
    super::FetchError,
    node::connect,
    server::{Reply, TestNode},
};

const RAW: &str = "debug_getRawBlockAccessList";
const PLAIN: &str = "eth_getBlockAccessList";
const BY_HASH: &str = "eth_getBlockAccessListByBlockHash";
const BY_NUMBER: &str = "eth_getBlockAccessListByBlockNumber";

fn list() -> Vec<AccountChanges> {
    let balance = BalanceChange::new(BlockAccessIndex::new(1), U256::from(7));
    vec![AccountChanges {
        balance_changes: vec![balance],
        storage_reads: vec![U256::from(3)],
        ..AccountChanges::new(Address::repeat_byte(1))
    }]
}

fn rlp() -> Bytes {
    alloy_rlp::encode(list()).into()
}

/// The list as reth and geth answer it.
fn as_json() -> Value {
    json!([{
        "address": Address::repeat_byte(1),
        "storageChanges": [],
        "storageReads": ["0x3"],
        "balanceChanges": [{ "blockAccessIndex": "0x1", "postBalance": "0x7" }],
        "nonceChanges": [],
        "codeChanges": [],
    }])
}

fn header(number: u64, list: Option<B256>) -> Header {
    Header { number, block_access_list_hash: list, ..Header::default() }
}

/// A node whose blocks have a list from block 10 on. `lists` answers the methods for lists.
async fn node(lists: impl Fn(&str) -> Reply + Send + Sync + 'static) -> TestNode {
    TestNode::new(move |method, params| match method {
        "eth_chainId" => Reply::Result(json!("0x1")),
        "eth_getBlockByNumber" => {
            let number = params[0].as_str().unwrap().trim_start_matches("0x");
            let number = u64::from_str_radix(number, 16).unwrap();
            let header = header(number, (number >= 10).then(|| keccak256(rlp())));
            let mut json = serde_json::to_value(&header).unwrap();
            json["hash"] = json!(header.hash_slow());
            json["transactions"] = json!([]);
            Reply::Result(json)
        }
        method => lists(method),
    })
    .await
}

const MISSING: Reply = Reply::Error(-32601, "no such method");

/// The list of a block from the node.
async fn fetch(server: &TestNode, number: u64) -> Result<Bytes, FetchError> {
    Ok(connect(server).await.block(number).await?.access_list)
}

#[tokio::test]
async fn every_form_of_a_list_is_read() {
    for method in [RAW, PLAIN, BY_HASH, BY_NUMBER] {
        for form in [as_json(), json!(rlp())] {
            let reply = Reply::Result(form);
            let asked = move |name: &str| if name == method { reply.clone() } else { MISSING };
            assert_eq!(fetch(&node(asked).await, 10).await.unwrap(), rlp(), "{method}");
        }
    }
}

#[tokio::test]
async fn a_block_before_the_fork_is_not_asked_for_a_list() {
    let server = node(|method| panic!("{method} was called")).await;
    assert!(fetch(&server, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_that_the_node_does_not_have_is_none() {
    for reply in [
        Reply::Result(Value::Null),
        Reply::Error(-32001, "block is before the fork"),
        Reply::Error(4444, "pruned history unavailable"),
        Reply::Error(-32602, "invalid params"),
        MISSING,
    ] {
        let server = node(move |_| reply.clone()).await;
        assert!(fetch(&server, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_an_error() {
    for answer in [json!({ "list": [] }), json!([{ "address": "0x01" }]), json!("0xzz"), json!(7)] {
        let server = node(move |_| Reply::Result(answer.clone())).await;
        let error = fetch(&server, 10).await.unwrap_err();
        assert!(matches!(error, FetchError::Rpc { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn the_first_block_finds_the_method() {
    let has = |name: &str| if name == BY_HASH { Reply::Result(as_json()) } else { MISSING };
    let server = node(has).await;
    let node = connect(&server).await;
    for number in 10..13 {
        assert_eq!(node.block(number).await.unwrap().access_list, rlp());
    }
    let calls = [RAW, PLAIN, BY_HASH, BY_NUMBER].map(|method| server.count(method));
    assert_eq!(calls, [1, 1, 3, 0]);
}

#[tokio::test]
async fn a_node_without_methods_is_asked_once() {
    let server = node(|_| MISSING).await;
    let node = connect(&server).await;
    for number in 10..13 {
        assert!(node.block(number).await.unwrap().access_list.is_empty());
    }
    let calls = [RAW, PLAIN, BY_HASH, BY_NUMBER].map(|method| server.count(method));
    assert_eq!(calls, [1, 1, 1, 1]);
}
