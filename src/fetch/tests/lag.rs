//! Backends behind a load balancer that lag behind the head that the node stated.

use std::{error::Error, iter::successors, sync::Mutex};

use serde_json::{Value, json};

use super::{
    super::{FetchError, FetchedBlock, WitnessChoice},
    node::{NUMBER, connect, well},
    server::{Reply, TestNode},
};

/// A node that answers the first `times` calls of a method with `reply`, and then correctly.
async fn lagging(method: &'static str, times: usize, reply: Reply) -> TestNode {
    let left = Mutex::new(times);
    TestNode::new(move |called, params| {
        let mut left = left.lock().unwrap();
        if called == method && *left > 0 {
            *left -= 1;
            return reply.clone();
        }
        well(called, params)
    })
    .await
}

fn chain_of(error: &dyn Error) -> String {
    successors(Some(error), |error| (*error).source()).map(|error| format!("{error}\n")).collect()
}

#[tokio::test]
async fn a_block_that_a_backend_lacks_is_asked_for_again() {
    for reply in [
        Reply::Result(Value::Null),
        Reply::Error(-32000, "block not found"),
        Reply::Error(-32001, "header not found"),
    ] {
        let server = lagging("eth_getBlockByNumber", 2, reply).await;
        let fetched = connect(&server).await.fetch(NUMBER, WitnessChoice::Auto).await;
        assert!(matches!(fetched, Ok(FetchedBlock::Recorded(_))), "{fetched:?}");
        assert_eq!(server.count("eth_getBlockByNumber"), 3);
        assert_eq!(server.count("eth_blockNumber"), 1);
    }
}

#[tokio::test]
async fn a_witness_that_a_backend_lacks_is_asked_for_again() {
    for reply in [Reply::Result(Value::Null), Reply::Error(-32000, "block not found")] {
        let server = lagging("debug_executionWitness", 2, reply).await;
        let fetched = connect(&server).await.fetch(NUMBER, WitnessChoice::Auto).await;
        assert!(matches!(fetched, Ok(FetchedBlock::Recorded(_))), "{fetched:?}");
        // The node returned the block, so its head is known.
        assert_eq!(server.count("eth_blockNumber"), 0);
    }
}

#[tokio::test]
async fn a_lasting_lag_is_an_error_that_names_the_load_balancer() {
    for (method, reply) in [
        ("eth_getBlockByNumber", Reply::Result(Value::Null)),
        ("debug_executionWitness", Reply::Error(-32000, "block not found")),
    ] {
        let server = lagging(method, usize::MAX, reply).await;
        let error = connect(&server).await.fetch(NUMBER, WitnessChoice::Auto).await.unwrap_err();
        let shown = chain_of(&error);
        assert!(shown.contains("load balancer"), "{shown}");
        assert!(shown.contains("head is block 300"), "{shown}");
        assert_eq!(server.count(method), 3, "the client retries twice");
        assert_eq!(server.count("debug_traceBlockByNumber"), 0);
    }
}

#[tokio::test]
async fn a_block_above_the_head_is_asked_for_once() {
    let server = TestNode::new(well).await;
    let error = connect(&server).await.fetch(NUMBER + 1, WitnessChoice::Auto).await.unwrap_err();
    assert!(matches!(error, FetchError::NoSuchBlock { .. }), "{error:?}");
    assert_eq!(server.count("eth_getBlockByNumber"), 1);
}

#[tokio::test]
async fn an_old_block_that_the_node_lacks_is_named_with_the_head() {
    let server = TestNode::new(|method, params| match method {
        "eth_blockNumber" => Reply::Result(json!("0xffff")),
        "eth_getBlockByNumber" => Reply::Result(Value::Null),
        _ => well(method, params),
    })
    .await;
    let error = connect(&server).await.fetch(99, WitnessChoice::Auto).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("does not have block 99, although its head is block 65535"), "{said}");
    assert!(said.contains("load balancer"), "{said}");
}
