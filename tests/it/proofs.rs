//! Recorded mainnet blocks from a node with proofs and a tracer, but without execution witnesses.

use crate::support::proofs;
use crate::support::proxy;
use crate::support::{RecordedNode, assert_code, blockrace, fetched, recordings};
use blockrace::{
    cache::Cache,
    fetch::{Client, Limits, Node},
    threads::WorkerPool,
};
use proofs::ProvedBlock;
use proxy::{Batches, Proxy};
use std::{
    fs,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Recorded blocks with the proofs that an archive node has for them. The second of two consecutive blocks is
/// left out, since both would answer for the state between them.
async fn proved_blocks(node: &RecordedNode) -> Vec<ProvedBlock> {
    let client = Client::new(&node.url.parse().expect("a URL"), &[], Limits::default());
    let fetcher = Node::connect(client.expect("a client")).await.expect("it answers");
    let pool = WorkerPool::new(NonZeroUsize::MIN).expect("a thread");
    let mut blocks = Vec::new();
    for number in &node.numbers {
        if !node.numbers.contains(&(number - 1)) {
            let recorded = fetcher.fetch_block(*number).await.expect("it is recorded");
            blocks.push((*number, recorded));
        }
    }
    blocks.into_iter().map(|(_, recorded)| ProvedBlock::new(recorded, &pool)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mainnet_blocks_are_proved_by_single_proofs_including_collapses() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let blocks = proved_blocks(&node).await;
    let numbers: Vec<_> = blocks.iter().map(ProvedBlock::number).collect();
    let after = Arc::new(AtomicUsize::new(0));
    let (blocks, counted) = (Arc::new(blocks), after.clone());
    let gateway = Proxy::before(&node.url, Batches::Taken, move |method, params| {
        if method.starts_with("debug_executionWitness") {
            return Some(Err(-32601));
        }
        if method == "eth_getProof" && blocks.iter().any(|block| block.is_own(&params[2])) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        blocks.iter().find_map(|block| block.answer(method, params)).map(Ok)
    });
    let gateway = gateway.await;

    let cache = tempfile::tempdir().expect("a temporary folder");
    let list = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let (folder, url) = (cache.path().to_owned(), gateway.url.clone());
    let fetch = move || blockrace(&folder, &["fetch", &list, "--rpc-url", &url, "-v"]);
    let fetched = tokio::task::spawn_blocking(fetch).await.expect("it runs");
    eprintln!("{:?}, {after:?} of them after the block", gateway.counts());
    assert_code(&fetched, 0);
    assert!(after.load(Ordering::Relaxed) > 0, "some deletion needs a sibling");
    let stored = Cache::new(cache.path()).list(1).expect("the cache is readable");
    assert_eq!(stored.into_iter().map(|id| id.number).collect::<Vec<_>>(), numbers);
    assert_code(&blockrace(cache.path(), &["verify"]), 0);
    same_files_as_from_witnesses(&recordings, cache.path());
}

/// A file does not tell how the witness was fetched.
fn same_files_as_from_witnesses(recordings: &Path, proved: &Path) {
    let (whole, _) = fetched(recordings, "mainnet");
    let [proved, whole] = [Cache::new(proved), Cache::new(whole.path())];
    for id in proved.list(1).expect("the cache is readable") {
        let [one, other] = [&proved, &whole].map(|cache| fs::read(cache.path(&id)));
        assert!(one.expect("readable") == other.expect("readable"), "block {} differs", id.number);
    }
}
