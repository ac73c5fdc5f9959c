//! Nodes with typical faults of providers: every block is still fetched.

use crate::support::{RecordedNode, assert_code, blockrace, recordings};

/// Fetches every recorded block of mainnet and Hoodi from a node with these faults.
fn all_blocks_arrive(faults: &[&str], flags: &[&str]) {
    let Some(recordings) = recordings() else { return };
    for chain in ["mainnet", "hoodi"] {
        let node = RecordedNode::serve(&recordings, chain, faults);
        let cache = tempfile::tempdir().expect("a temporary folder");
        let list = format!("@{}", node.list.display());
        let arguments = ["fetch", &list, "--rpc-url", &node.url];
        assert_code(&blockrace(cache.path(), &[&arguments[..], flags].concat()), 0);
        let chains = blockrace::cache::Cache::new(cache.path());
        let chain_id = chains.chains().expect("the cache is readable")[0];
        let stored = chains.list(chain_id).expect("the cache is readable");
        let stored: Vec<_> = stored.into_iter().map(|id| id.number).collect();
        assert_eq!(stored, node.numbers);
    }
}

#[test]
fn every_block_is_fetched_from_a_busy_and_broken_gateway() {
    let broken = ["--fail-every", "7", "--truncate-every", "11", "--latency-ms", "20"];
    all_blocks_arrive(&[&["--requests-per-second", "50"][..], &broken].concat(), &[]);
}

#[test]
fn every_block_is_fetched_within_a_request_budget() {
    all_blocks_arrive(&["--requests-per-second", "50"], &["--requests-per-second", "40"]);
}

#[test]
fn every_block_is_fetched_from_a_node_that_hangs() {
    all_blocks_arrive(&["--hang-every", "5"], &["--rpc-timeout", "2"]);
}

#[test]
fn every_block_is_fetched_by_the_other_witness_method() {
    all_blocks_arrive(&["--without", "debug_executionWitness"], &[]);
}
