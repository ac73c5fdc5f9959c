//! One trie while it changes: opened from the witness where it is touched.
//!
//! This file has the surface and the insertion; deletion is in `remove`, hashing in `encode`. It knows
//! keys and bytes, not accounts or slots.
//!
//! The shape of a trie follows from its keys alone, so the root is right exactly if each operation
//! leaves the shape that a trie built from nothing would have. One thing can stand in the way, see
//! [`PartialTrie::remove`]: do all insertions before the first deletion.

use std::{borrow::Cow, mem};

use alloy_primitives::B256;
use alloy_trie::Nibbles;

use super::{
    encode::Encoder,
    error::NodeError,
    node::{Extension, Leaf, Node},
    remove::{Removal, remove},
    store::{NewNodes, NodeStore},
};

/// A Merkle Patricia trie over 32-byte keys of which only the touched part is in memory.
///
/// After an error its content is unspecified, and it should be dropped.
#[derive(Clone, Debug)]
pub struct PartialTrie<'a> {
    nodes: &'a NodeStore,
    top: Node<'a>,
}

impl<'a> PartialTrie<'a> {
    /// Opens the trie with this root: its root node, the rest when it is needed.
    ///
    /// # Errors
    ///
    /// If the root node is missing or malformed. The empty trie's root needs no node.
    pub fn open(nodes: &'a NodeStore, root: B256) -> Result<Self, NodeError> {
        let top = match nodes.root_node(&root)? {
            Some(rlp) => Node::parse(rlp, Nibbles::new())?,
            None => Node::Empty,
        };
        Ok(Self { nodes, top })
    }

    /// Sets `key` to `value`, which must not be empty: a trie holds no empty values.
    ///
    /// # Errors
    ///
    /// If a node on the key's path is missing or malformed.
    pub fn insert(&mut self, key: B256, value: Vec<u8>) -> Result<(), NodeError> {
        insert(&mut self.top, self.nodes, &Nibbles::unpack_array(&key.0), 0, value)
    }

    /// Removes `key`; does nothing if it is provably absent. Gives back the hash of a node that the
    /// witness lacks and that was taken for a branch.
    ///
    /// A branch that is left with one child gives way to that child, for which the child's content is
    /// needed, and the witness may not have it. Then the trie takes it for a branch, the one kind of
    /// node that stays as it is, and continues; a wrong guess shows in [`Self::root`]. If removals come
    /// after all insertions of a block, then no branch collapses that the block does not collapse, and
    /// honest witnesses leave nothing else to guess.
    ///
    /// # Errors
    ///
    /// If a node on the key's path is missing or malformed, or the child that is left is malformed.
    pub fn remove(&mut self, key: B256) -> Result<Option<B256>, NodeError> {
        match remove(&mut self.top, self.nodes, &Nibbles::unpack_array(&key.0), 0)? {
            Removal::Removed { guessed } => Ok(guessed),
            Removal::Absent => Ok(None),
        }
    }

    /// The root hash. Hashes the nodes that were opened, and none of the others.
    pub fn root(&self) -> B256 {
        Encoder::new().root(&self.top)
    }

    /// Encodes the nodes that were opened or made into `kept`, the root node among them.
    pub(super) fn keep_nodes(&self, kept: &mut NewNodes) {
        Encoder::keeping(kept).root(&self.top);
    }
}

/// Sets `key` to `value` in the subtree `node`, which lies at `depth` on the key's path.
///
/// Recurses at most twice for each of the key's 64 nibbles: to open a node, and to go down.
fn insert<'a>(
    node: &mut Node<'a>,
    nodes: &'a NodeStore,
    key: &Nibbles,
    depth: usize,
    value: Vec<u8>,
) -> Result<(), NodeError> {
    let rest = key.slice(depth..);
    match node {
        Node::Closed(reference) => {
            *node = Node::open(nodes, *reference, key.slice(..depth))?;
            insert(node, nodes, key, depth, value)
        }
        Node::Branch(children) => {
            // A branch lies above depth 64, so there is a nibble left.
            let child = &mut children[usize::from(rest.get_unchecked(0))];
            insert(child, nodes, key, depth + 1, value)
        }
        Node::Extension(extension) if rest.starts_with(&extension.path) => {
            let depth = depth + extension.path.len();
            insert(&mut extension.child, nodes, key, depth, value)
        }
        Node::Empty | Node::Extension(_) | Node::Leaf(_) => {
            *node = with_leaf(mem::take(node), rest, Cow::Owned(value));
            Ok(())
        }
    }
}

/// `node` and a leaf that ends at it or parts from it, `rest` being the leaf's path from here.
fn with_leaf<'a>(node: Node<'a>, rest: Nibbles, value: Cow<'a, [u8]>) -> Node<'a> {
    match node {
        Node::Leaf(leaf) if leaf.path != rest => {
            let Leaf { path, value: other } = *leaf;
            part(path, rest, value, |below| Node::leaf(below, other))
        }
        Node::Extension(extension) => {
            let Extension { path, child } = *extension;
            part(path, rest, value, |below| match below.is_empty() {
                true => child,
                false => child.prefixed(below),
            })
        }
        _ => Node::leaf(rest, value),
    }
}

/// A branch where `rest` leaves `path`, and before it an extension over what they share.
///
/// `old` gives what the path led to, for what is left of the path below the branch.
fn part<'a>(
    path: Nibbles,
    rest: Nibbles,
    value: Cow<'a, [u8]>,
    old: impl FnOnce(Nibbles) -> Node<'a>,
) -> Node<'a> {
    // Neither is a prefix of the other: leaves at one place have paths of one length, and a key that
    // goes through an extension does not part from it. So each has a nibble at `shared`.
    let shared = path.common_prefix_length(&rest);
    let mut children: [Node<'a>; 16] = Default::default();
    children[usize::from(path.get_unchecked(shared))] = old(path.slice(shared + 1..));
    children[usize::from(rest.get_unchecked(shared))] = Node::leaf(rest.slice(shared + 1..), value);
    let branch = Node::Branch(Box::new(children));
    if shared == 0 { branch } else { branch.prefixed(rest.slice(..shared)) }
}
