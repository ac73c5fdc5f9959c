//! Real witnesses contain no unreachable nodes, and damage to a node makes one unreachable.

use crate::support::{fetched, recordings, witness_of};
use alloy_primitives::{Bytes, keccak256};
use blockrace::{
    block::{PrepareError, WitnessError, check_reach},
    block::{RecordedBlock, Witness},
    cache::Cache,
};

const CHAINS: [(&str, u64, usize); 2] = [("mainnet", 1, 50), ("hoodi", 560_048, 2)];

/// Every recorded block with a witness, as the node built it.
fn recorded_blocks() -> Option<Vec<RecordedBlock>> {
    let recordings = recordings()?;
    let blocks = CHAINS.into_iter().flat_map(|(chain, id, count)| {
        let (folder, _) = fetched(&recordings, chain);
        let cache = Cache::new(folder.path());
        let ids = cache.list(id).expect("the cache is readable");
        assert_eq!(ids.len(), count, "blocks of {chain}");
        ids.iter().map(|id| cache.get(id).expect("it was just stored")).collect::<Vec<_>>()
    });
    Some(blocks.collect())
}

/// The witness with one bit of the node at `index` flipped.
fn damaged(witness: &Witness, index: usize, bit: usize) -> Witness {
    let mut node = witness.nodes[index].to_vec();
    let bit = bit % (node.len() * 8);
    node[bit / 8] ^= 1 << (bit % 8);
    let mut damaged = witness.clone();
    damaged.nodes[index] = Bytes::from(node);
    damaged
}

#[test]
fn honest_witnesses_contain_only_reachable_nodes() {
    let Some(blocks) = recorded_blocks() else { return };
    for recorded in blocks {
        let header = &recorded.block.header;
        let reach = check_reach(header, witness_of(&recorded));
        assert!(reach.is_ok(), "block {}: {}", header.number, reach.unwrap_err());
    }
}

#[test]
fn a_witness_with_any_flipped_bit_is_refused() {
    let Some(blocks) = recorded_blocks() else { return };
    for recorded in blocks {
        let (header, witness) = (&recorded.block.header, witness_of(&recorded));
        let count = witness.nodes.len();
        for index in (0..count).step_by(count.div_ceil(20)) {
            let damaged = damaged(witness, index, index.wrapping_mul(977));
            let Err(PrepareError::Witness(WitnessError::Unreachable { count, .. })) =
                check_reach(header, &damaged)
            else {
                panic!("block {}: damage to node {index} is not detected", header.number)
            };
            assert!(count > 0);
        }
    }
}

#[test]
fn a_node_of_another_state_is_named_by_its_hash() {
    let Some(blocks) = recorded_blocks() else { return };
    let [first, .., last] = &*blocks else { panic!("there are several blocks") };
    let mut mixed = witness_of(first).clone();
    // No recording starts with the root node, so all nodes of the other block are added.
    mixed.nodes.extend(witness_of(last).nodes.iter().cloned());
    let smallest = witness_of(last).nodes.iter().map(keccak256).min();
    let error = check_reach(&first.block.header, &mixed).expect_err("these are not its nodes");
    assert!(error_says(&error, &smallest.expect("it has nodes").to_string()), "{error:?}");
}

/// Whether the message of an error or of one of its causes contains this text.
fn error_says(error: &dyn std::error::Error, what: &str) -> bool {
    error.to_string().contains(what) || error.source().is_some_and(|cause| error_says(cause, what))
}
