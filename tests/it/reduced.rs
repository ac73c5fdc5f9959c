//! The cache stores what a block needs and nothing else, whatever a node, an archive or a file adds.

use crate::support::{
    RecordedNode, assert_code, blockrace, containers,
    fake_node::fake_node,
    fetched,
    made_up::{MadeUp, NUMBER},
    proxy::{Batches, Proxy},
    recordings, run, stderr, stdout, witness_of, witness_of_mut,
};
use alloy_primitives::{B256, Bytes};
use blockrace::{
    block::{RecordedBlock, Witness},
    cache::Cache,
    executors::ExecutorKind,
    fetch::{Client, Limits, Node},
    threads::WorkerPool,
    verify::{Verdict, verify_block},
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use std::{collections::BTreeMap, num::NonZeroUsize, path::Path};

/// Adds what a node may add: random codes and keys, repeated items, and another order.
fn with_junk(witness: &Witness, random: &mut StdRng) -> Witness {
    let mut junk = witness.clone();
    let Witness { nodes, codes, keys, .. } = &mut junk;
    for _ in 0..50 {
        codes.push(random.random::<[u8; 32]>().to_vec().into());
        keys.push(random.random::<[u8; 20]>().to_vec().into());
        nodes.push(nodes[random.random_range(0..nodes.len())].clone());
        codes.push(codes[random.random_range(0..codes.len())].clone());
    }
    for list in [nodes, codes, keys] {
        list.shuffle(random);
    }
    junk
}

fn as_answer(witness: &Witness) -> Value {
    let Witness { nodes, codes, headers, keys } = witness;
    json!({"state": nodes, "codes": codes, "headers": headers, "keys": keys})
}

/// The recorded blocks with the witnesses of the node.
async fn recorded(node: &RecordedNode) -> Vec<RecordedBlock> {
    let client = Client::new(&node.url.parse().expect("a URL"), &[], Limits::default());
    let fetcher = Node::connect(client.expect("a client")).await.expect("it answers");
    let mut blocks = Vec::new();
    for number in &node.numbers {
        blocks.push(fetcher.fetch_block(*number).await.expect("it is recorded"));
    }
    blocks
}

/// A node before the recorded one that answers other witnesses.
async fn with_witnesses(node: &RecordedNode, witnesses: BTreeMap<String, Value>) -> Proxy {
    let rule = move |method: &str, params: &Value| {
        let is_witness = method.starts_with("debug_executionWitness");
        let known = |block: &Value| witnesses.get(block.as_str().unwrap_or_default()).cloned();
        is_witness.then(|| known(&params[0]).ok_or(-32601))
    };
    Proxy::before(&node.url, Batches::Taken, rule).await
}

/// The witnesses by number and by hash, as requests name a block.
fn by_name(
    blocks: &[RecordedBlock],
    change: impl FnMut(&RecordedBlock) -> Witness,
) -> BTreeMap<String, Value> {
    let mut change = change;
    let named = blocks.iter().flat_map(|block| {
        let answer = as_answer(&change(block));
        let header = &block.block.header;
        [(format!("{:#x}", header.number), answer.clone()), (block.id().hash.to_string(), answer)]
    });
    named.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_nodes_and_nodes_that_add_junk_lead_to_the_same_files() {
    let Some(recordings) = recordings() else { return };
    for chain in ["hoodi", "mainnet"] {
        let (plain, numbers) = fetched(&recordings, chain);
        let node = RecordedNode::serve(&recordings, chain, &[]);
        let blocks = recorded(&node).await;
        let cache = Cache::new(plain.path());
        let mut random = StdRng::seed_from_u64(31);
        let junk = by_name(&blocks, |block| with_junk(witness_of(block), &mut random));
        let bare = by_name(&blocks, |block| {
            witness_of(&cache.get(&block.id()).expect("it is stored")).clone()
        });
        let list = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        for witnesses in [junk, bare] {
            let proxy = with_witnesses(&node, witnesses).await;
            let other = tempfile::tempdir().expect("a temporary folder");
            let arguments =
                ["fetch", &list, "--rpc-url", &proxy.url, "--witness", "execution-witness"];
            assert_code(&run(&other, &arguments).await, 0);
            assert!(
                containers(other.path()) == containers(plain.path()),
                "files of {chain} differ"
            );
        }
    }
}

/// Without any one of its items, a stored witness proves its block no more.
#[test]
fn a_block_needs_every_stored_item() {
    let Some(recordings) = recordings() else { return };
    let (folder, _) = fetched(&recordings, "hoodi");
    let cache = Cache::new(folder.path());
    let pool = WorkerPool::new(NonZeroUsize::MIN).expect("a thread");
    let matches = |recorded: RecordedBlock| {
        let verified = verify_block(recorded, ExecutorKind::SEQUENTIAL, &pool, |_| ());
        matches!(verified, Ok((_, Verdict::Match)))
    };
    for id in cache.list(560_048).expect("the cache is readable") {
        let recorded = cache.get(&id).expect("it is stored");
        assert!(matches(recorded.clone()));
        let witness = witness_of(&recorded);
        assert!(witness.nodes.is_sorted() && witness.codes.is_sorted() && witness.keys.is_empty());
        let step = witness.nodes.len().div_ceil(25);
        for index in (0..witness.nodes.len()).step_by(step) {
            let mut less = recorded.clone();
            witness_of_mut(&mut less).nodes.remove(index);
            assert!(!matches(less), "block {} needs no node {index}", id.number);
        }
        for index in 0..witness.codes.len() {
            let mut less = recorded.clone();
            witness_of_mut(&mut less).codes.remove(index);
            assert!(!matches(less), "block {} needs no code {index}", id.number);
        }
        let mut less = recorded.clone();
        witness_of_mut(&mut less).headers.remove(0);
        assert!(!matches(less), "block {} needs no header", id.number);
    }
}

/// The state of the block has many accounts and slots, and the block changes one account.
#[test]
fn nodes_of_the_state_that_the_block_does_not_need_are_not_stored() {
    let made_up = MadeUp::among(200);
    let whole = made_up.recorded();
    let count = witness_of(&whole).nodes.len();
    assert!(count > 200, "{count} nodes");
    let url = fake_node(move |request| made_up.answer(request));
    let fetched = tempfile::tempdir().expect("a temporary folder");
    let block = NUMBER.to_string();
    assert_code(&blockrace(fetched.path(), &["fetch", &block, "--rpc-url", &url]), 0);
    let cache = Cache::new(fetched.path());
    let stored = cache.get(&whole.id()).expect("it is stored");
    let kept = witness_of(&stored).nodes.len();
    assert!((1..8).contains(&kept), "{kept} nodes");
    assert!(witness_of(&stored).nodes.iter().all(|node| witness_of(&whole).nodes.contains(node)));

    let said = checked(fetched.path());
    assert!(!said.contains("than its block needs"), "{said}");
    assert_eq!(imported(&whole), containers(fetched.path()));
}

fn checked(cache: &Path) -> String {
    let checked = blockrace(cache, &["cache", "check"]);
    assert_code(&checked, 0);
    stdout(&checked).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The files of a cache after the import of a block that another program stored. The check of its file names what the
/// block does not need.
fn imported(whole: &RecordedBlock) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut junk = whole.clone();
    let witness = witness_of_mut(&mut junk);
    witness.codes.push(Bytes::from_static(b"no code of the state"));
    witness.keys.push(B256::ZERO.into());
    let nodes = witness.nodes.len();
    witness.nodes.extend_from_within(..3);
    witness.nodes.push(Bytes::from_static(b"no node of the state"));
    Cache::new(folder.path()).put(&junk).expect("any block can be stored");
    let said = checked(folder.path());
    assert!(said.contains("1 file holds more than its block needs"), "{said}");
    assert!(said.contains("1 code, 1 key") && said.contains("trie nodes"), "{said}");

    let archive = folder.path().join("archive.tar").display().to_string();
    let exported = blockrace(folder.path(), &["cache", "export", "-o", &archive]);
    assert_code(&exported, 0);
    let other = tempfile::tempdir().expect("a temporary folder");
    let taken = blockrace(other.path(), &["cache", "import", &archive]);
    assert!(taken.status.success(), "{nodes} nodes: {}", stderr(&taken));
    containers(other.path())
}
