//! One trie while it changes. Nodes of the witness are opened when they are touched.
//!
//! This file has the public methods and insertion; `remove` has deletion, `encode` has hashing. The trie holds
//! keys and bytes, not accounts or slots.
//!
//! The keys of a trie determine its shape. So the root is correct exactly if each operation leaves the shape
//! that a trie built from an empty one would have. Deletion can fail this rule, see [`PartialTrie::remove`]: do
//! all insertions before the first deletion.

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

/// A Merkle Patricia trie over 32-byte keys with only the touched part in memory.
///
/// After an error its content is unspecified, and it should be dropped.
#[derive(Clone, Debug)]
pub struct PartialTrie<'a> {
    nodes: &'a NodeStore,
    top: Node<'a>,
}

impl<'a> PartialTrie<'a> {
    /// Opens the trie with this root. Only the root node is read now, other nodes when they are needed.
    ///
    /// # Errors
    ///
    /// The root node is missing or malformed. The empty trie's root needs no node.
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
    /// A node on the key's path is missing or malformed.
    pub fn insert(&mut self, key: B256, value: Vec<u8>) -> Result<(), NodeError> {
        insert(&mut self.top, self.nodes, &Nibbles::unpack_array(&key.0), 0, value)
    }

    /// Removes `key`; does nothing if it is provably absent. Returns the hash of a missing node that was
    /// assumed to be a branch.
    ///
    /// A branch with one child left is replaced by that child. The replacement depends on the child's content,
    /// which the witness may lack. The trie then assumes that the child is a branch, the only kind of node that
    /// the replacement does not change. A wrong guess shows in [`Self::root`]. If all removals of a block
    /// follow its insertions, then only branches that the block really collapses do collapse. Honest witnesses
    /// then leave nothing else to guess.
    ///
    /// # Errors
    ///
    /// A node on the key's path is missing or malformed, or the remaining child is malformed.
    pub fn remove(&mut self, key: B256) -> Result<Option<B256>, NodeError> {
        match remove(&mut self.top, self.nodes, &Nibbles::unpack_array(&key.0), 0)? {
            Removal::Removed { guessed } => Ok(guessed),
            Removal::Absent => Ok(None),
        }
    }

    /// The root hash. Only nodes that were opened are hashed.
    pub fn root(&self) -> B256 {
        Encoder::new().root(&self.top)
    }

    /// Encodes the nodes that were opened or created into `kept`, including the root node.
    pub(super) fn keep_nodes(&self, kept: &mut NewNodes) {
        Encoder::keeping(kept).root(&self.top);
    }
}

/// Sets `key` to `value` in the subtree `node`, which lies at `depth` on the key's path.
///
/// Recurses at most twice for each of the key's 64 nibbles: once to open a node and once to descend.
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
            // A branch lies above depth 64, so one nibble is left.
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

/// Adds a leaf at or beside `node`. `rest` is the leaf's path from here.
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

/// A branch at the nibble where `rest` leaves `path`, below an extension over their common prefix.
///
/// `old` returns the former target of the path, given the rest of the path below the branch.
fn part<'a>(
    path: Nibbles,
    rest: Nibbles,
    value: Cow<'a, [u8]>,
    old: impl FnOnce(Nibbles) -> Node<'a>,
) -> Node<'a> {
    // Neither path is a prefix of the other. Leaves at one place have paths of equal length, and a key that
    // goes through an extension does not leave it. So each has a nibble at `shared`.
    let shared = path.common_prefix_length(&rest);
    let mut children: [Node<'a>; 16] = Default::default();
    children[usize::from(path.get_unchecked(shared))] = old(path.slice(shared + 1..));
    children[usize::from(rest.get_unchecked(shared))] = Node::leaf(rest.slice(shared + 1..), value);
    let branch = Node::Branch(Box::new(children));
    if shared == 0 { branch } else { branch.prefixed(rest.slice(..shared)) }
}
