//! Compares the trie with alloy-trie's computation over whole tries. The two share only the node encoders.
//! Further tests use incomplete, altered or malformed witnesses.

mod malformed;
mod partial;
mod state;

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::{HashBuilder, Nibbles};
use proptest::{collection, prelude::*};

use super::{
    Changes, NodeError, NodeStore, PartialTrie,
    raw::{RawNode, read},
};

/// The keys and values of a whole trie.
type Leaves = BTreeMap<B256, Vec<u8>>;

/// A whole trie, built by alloy-trie.
struct FullTrie {
    root: B256,
    nodes: BTreeMap<Nibbles, Bytes>,
}

impl FullTrie {
    fn new(leaves: &Leaves) -> Self {
        let paths = || leaves.keys().map(|key| path(*key));
        let mut builder = HashBuilder::default().with_proof_retainer(paths().collect());
        for (key, value) in leaves {
            builder.add_leaf(path(*key), value);
        }
        let root = builder.root();
        Self { root, nodes: builder.take_proof_nodes().nodes_sorted().into_iter().collect() }
    }

    /// The root node, the nodes on the paths of `touched`, and the siblings on the paths of `removed` that
    /// `siblings` selects.
    fn witness(&self, touched: &[B256], removed: &[B256], siblings: Siblings) -> NodeStore {
        let on_path = |keys: &[B256], at: &Nibbles| keys.iter().any(|k| path(*k).starts_with(at));
        let wanted = self.nodes.iter().filter(|(at, rlp)| {
            let parent = at.slice(..at.len().saturating_sub(1));
            let sibling = on_path(removed, &parent) && siblings.want(rlp, at.len());
            at.is_empty() || on_path(touched, at) || sibling
        });
        store(wanted.map(|(_, rlp)| rlp.clone()))
    }

    fn store(&self) -> NodeStore {
        store(self.nodes.values().cloned())
    }
}

/// The siblings that a witness contains for branches that might collapse.
#[derive(Clone, Copy)]
enum Siblings {
    All,
    AllButBranches,
    None,
}

impl Siblings {
    fn want(self, rlp: &[u8], depth: usize) -> bool {
        match self {
            Self::All => true,
            Self::AllButBranches => !matches!(read(rlp, depth), Ok(RawNode::Branch(_))),
            Self::None => false,
        }
    }
}

fn store(nodes: impl IntoIterator<Item = Bytes>) -> NodeStore {
    NodeStore::new(nodes).expect("nodes of ordinary size")
}

/// A store of one node, and its hash.
fn single(rlp: &[u8]) -> (NodeStore, B256) {
    (store([Bytes::copy_from_slice(rlp)]), keccak256(rlp))
}

fn path(key: B256) -> Nibbles {
    Nibbles::unpack(key)
}

/// A key with these leading nibbles, written as hex digits and padded with zeros.
fn key(nibbles: &str) -> B256 {
    format!("{nibbles:0<64}").parse().expect("hex digits")
}

/// Scattered keys, keys with long shared prefixes, and keys so close that nodes are embedded.
fn any_key() -> impl Strategy<Value = B256> {
    let few = || prop::sample::select(vec![0x00u8, 0x01, 0x10, 0x12, 0xff]);
    prop_oneof![
        any::<[u8; 32]>().prop_map(B256::from),
        (few(), few(), any::<u8>()).prop_map(|(a, b, last)| {
            let mut key = B256::repeat_byte(0x77);
            (key[0], key[9], key[31]) = (a, b, last);
            key
        }),
        (few(), 0u8..8).prop_map(|(a, b)| {
            let mut key = B256::repeat_byte(0x33);
            (key[30], key[31]) = (a, b);
            key
        }),
    ]
}

/// Values from one byte, which make embedded nodes, to more than a hash.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        collection::vec(any::<u8>(), 1..4),
        collection::vec(any::<u8>(), 20..40),
        collection::vec(any::<u8>(), 60..120),
    ]
}

/// Sets one key.
fn insert(trie: &mut PartialTrie<'_>, key: B256, value: Vec<u8>) -> Result<(), NodeError> {
    let changes = Changes::new([(key, Some(value))]);
    trie.write(changes).map(drop).map_err(|error| error.source)
}

/// Removes one key. Returns the hash of a missing node that was assumed to be a branch.
fn remove(trie: &mut PartialTrie<'_>, key: B256) -> Result<Option<B256>, NodeError> {
    let guesses = trie.write(Changes::new([(key, None)])).map_err(|error| error.source)?;
    Ok(guesses.first().map(|(_, hash)| *hash))
}
