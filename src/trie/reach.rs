//! Finds the nodes of a witness that belong to the state.
//!
//! Walks the account trie and every storage trie from the state root down, as far as nodes exist. The state
//! refers to no node that the walk misses: such a node is damaged, forged or part of another state. It is
//! harmless, as no path leads to it, but it shows that the witness was not built correctly.

use alloy_primitives::{B256, keccak256, map::B256Set};
use alloy_rlp::Decodable;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};

use super::{
    raw::{HASHED_FROM, RawNode, Reference, read},
    store::NodeStore,
};

/// Kind of a trie, by the content of its leaves.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Accounts,
    Storage,
}

/// A walk over all tries of a state.
struct Walk<'a> {
    nodes: &'a NodeStore,
    reached: B256Set,
    /// Roots of tries that have not been walked yet.
    roots: Vec<(Kind, B256)>,
}

impl NodeStore {
    /// Hashes of nodes that no path from the state's root reaches, in no order. The node of an empty trie
    /// belongs to every state. A malformed node counts as reached, but its children are unknown.
    pub fn unreachable_from(&self, state_root: B256) -> Vec<B256> {
        let roots = vec![(Kind::Accounts, state_root)];
        let mut walk = Walk { nodes: self, reached: B256Set::default(), roots };
        walk.reached.insert(EMPTY_ROOT_HASH);
        while let Some((kind, root)) = walk.roots.pop() {
            walk.enter(kind, &root, 0);
        }
        self.hashes().filter(|hash| !walk.reached.contains(*hash)).copied().collect()
    }
}

impl Walk<'_> {
    /// Walks the node with this hash, if it exists and was not reached before.
    fn enter(&mut self, kind: Kind, hash: &B256, depth: usize) {
        let nodes = self.nodes;
        if let Some(rlp) = nodes.get(hash)
            && self.reached.insert(*hash)
        {
            self.descend(kind, rlp, depth);
        }
    }

    /// Reads a node and follows its references. Ends, since [`read`] allows no path longer than a key.
    fn descend(&mut self, kind: Kind, rlp: &[u8], depth: usize) {
        match read(rlp, depth) {
            Ok(RawNode::Branch(children)) => {
                for child in children.into_iter().flatten() {
                    self.follow(kind, child, depth + 1);
                }
            }
            Ok(RawNode::Extension { path, child }) => self.follow(kind, child, depth + path.len()),
            Ok(RawNode::Leaf { mut value, .. }) => {
                if let (Kind::Accounts, Ok(account)) = (kind, TrieAccount::decode(&mut value)) {
                    self.roots.push((Kind::Storage, account.storage_root));
                }
            }
            Err(_) => {}
        }
    }

    fn follow(&mut self, kind: Kind, child: Reference<'_>, depth: usize) {
        match child {
            Reference::Hash(hash) => self.enter(kind, hash, depth),
            Reference::Embedded(rlp) if rlp.len() < HASHED_FROM => {
                // Some nodes also list an embedded node separately, although no lookup uses its hash.
                self.reached.insert(keccak256(rlp));
                self.descend(kind, rlp, depth);
            }
            Reference::Embedded(_) => {}
        }
    }
}
