//! Fuzzes tries with complete, partial or damaged nodes: a root is correct, or there is an error.
//!
//! The reference is alloy-trie's hash builder, which computes a root from sorted leaves and keeps no trie.

#![no_main]

use alloy_primitives::{B256, Bytes, map::B256Map};
use alloy_trie::{HashBuilder, Nibbles, proof::ProofRetainer};
use arbitrary::Arbitrary;
use blockrace::trie::{Changes, NodeStore, PartialTrie};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// Keys with long common prefixes, which make deep tries with small nodes. Random keys would not.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Key {
    /// Number of bytes at the end that distinguish keys, beside the first.
    late: u8,
    first: u8,
    last: [u8; 2],
}

impl Key {
    fn hash(self) -> B256 {
        let mut key = B256::repeat_byte(0x11);
        key[0] = self.first;
        key[1 + usize::from(self.late % 31)] ^= self.last[0];
        key[31] ^= self.last[1];
        key
    }
}

#[derive(Arbitrary, Debug)]
enum Change {
    Insert(Key, u8, u8),
    Remove(Key),
}

#[derive(Arbitrary, Debug)]
struct Input {
    leaves: Vec<(Key, u8, u8)>,
    /// Keys with their paths in the witness; `None` for all.
    proved: Option<Vec<Key>>,
    changes: Vec<Change>,
    /// Changes to bytes of nodes: node, position, new value.
    damage: Vec<(u8, u16, u8)>,
}

/// A value of 1 to 64 bytes.
fn value(byte: u8, length: u8) -> Vec<u8> {
    vec![byte; 1 + usize::from(length % 64)]
}

type Leaves = BTreeMap<B256, Vec<u8>>;

fn build(leaves: &Leaves, proved: impl IntoIterator<Item = B256>) -> (B256, B256Map<Bytes>) {
    let proved = proved.into_iter().map(|key| Nibbles::unpack(key)).collect();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(proved));
    for (key, value) in leaves {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    let hashed = nodes.into_iter().map(|(_, rlp)| (alloy_primitives::keccak256(&rlp), rlp));
    (root, hashed.collect())
}

fuzz_target!(|input: Input| {
    let mut leaves: Leaves =
        input.leaves.iter().map(|(key, byte, len)| (key.hash(), value(*byte, *len))).collect();
    let (root, nodes) = match &input.proved {
        None => build(&leaves, leaves.keys().copied()),
        Some(proved) => build(&leaves, proved.iter().map(|key| key.hash())),
    };
    let mut nodes: Vec<Bytes> = nodes.into_values().collect();
    damage(&mut nodes, &input.damage);
    let store = NodeStore::new(nodes).expect("no node is large");
    let Ok(mut trie) = PartialTrie::open(&store, root) else { return };
    let mut changes = BTreeMap::new();
    for change in &input.changes {
        match change {
            Change::Insert(key, byte, length) => {
                changes.insert(key.hash(), Some(value(*byte, *length)));
            }
            Change::Remove(key) => {
                changes.insert(key.hash(), None);
            }
        }
    }
    for (key, value) in &changes {
        match value {
            Some(value) => leaves.insert(*key, value.clone()),
            None => leaves.remove(key),
        };
    }
    match trie.write(Changes::new(changes)) {
        Ok(guesses) if guesses.is_empty() => {}
        // With a guess the root need not be correct, and the caller would compare it.
        Ok(_) | Err(_) => return,
    }
    assert_eq!(trie.root(), build(&leaves, []).0);
});

fn damage(nodes: &mut [Bytes], damage: &[(u8, u16, u8)]) {
    for (node, at, byte) in damage {
        let count = nodes.len().max(1);
        let Some(node) = nodes.get_mut(usize::from(*node) % count) else { return };
        let mut changed = node.to_vec();
        let at = usize::from(*at) % changed.len().max(1);
        if let Some(place) = changed.get_mut(at) {
            *place = *byte;
        }
        *node = changed.into();
    }
}
