//! One trie while it changes. Nodes of the witness are opened when they are touched.
//!
//! `insert` and `remove` change the trie, `encode` hashes it. The trie holds keys and bytes, not accounts or
//! slots.
//!
//! The keys of a trie determine its shape. So the root is correct exactly if each operation leaves the shape
//! that a trie built from an empty one would have. Deletion can fail this rule, see [`PartialTrie::write`].

use alloy_primitives::B256;
use alloy_trie::Nibbles;

use super::{
    change::{ChangeError, Changes},
    encode::Encoder,
    error::NodeError,
    insert::{insert_all, open_paths},
    node::{Extension, Node},
    remove::{Removal, remove_all},
    store::{NewNodes, NodeStore},
};

/// A Merkle Patricia trie over 32-byte keys with only the touched part in memory.
///
/// After an error its content is unspecified, and it should be dropped.
#[derive(Clone, Debug)]
pub struct PartialTrie<'a> {
    nodes: &'a NodeStore,
    top: Node<'a>,
    /// Number of changes, by which hashing decides how many threads pay.
    changes: usize,
    /// Hashes of nodes beside the paths of changes that collapses opened.
    siblings: Vec<B256>,
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
        Ok(Self { nodes, top, changes: 0, siblings: Vec::new() })
    }

    /// Opens the nodes on the paths of `changes`.
    ///
    /// # Errors
    ///
    /// A node on a path is missing or malformed.
    pub(super) fn open_paths(&mut self, changes: &mut Changes) -> Result<(), ChangeError> {
        open_paths(&mut self.top, self.nodes, &mut changes.0, 0)
    }

    /// The value of a key with an open path; `None` if the key is absent.
    pub(super) fn value(&self, key: &Nibbles) -> Option<&[u8]> {
        let (mut node, mut depth) = (&self.top, 0);
        loop {
            match node {
                Node::Branch(branch) => {
                    node = &branch.children()[usize::from(key.get_unchecked(depth))];
                    depth += 1;
                }
                Node::Extension(extension) => {
                    let Extension { path, child } = &**extension;
                    if !key.slice(depth..).starts_with(path) {
                        return None;
                    }
                    node = child;
                    depth += path.len();
                }
                Node::Leaf(leaf) => {
                    return (leaf.path == key.slice(depth..)).then_some(&leaf.value);
                }
                Node::Empty | Node::Closed(_) => return None,
            }
        }
    }

    /// Makes all changes. Removing an absent key does nothing. Returns guesses: the position of a change, and the
    /// hash of a missing node that was assumed to be a branch.
    ///
    /// A branch with one child left is replaced by that child. The replacement depends on the child's content,
    /// which the witness may lack. The trie then assumes that the child is a branch, the only kind of node that
    /// the replacement does not change. A wrong guess shows in [`Self::root`]. Removals follow all insertions,
    /// so only branches that the block really collapses do collapse. Honest witnesses then leave nothing else
    /// to guess.
    ///
    /// # Errors
    ///
    /// A node on a key's path is missing or malformed, or the remaining child is malformed.
    pub fn write(&mut self, changes: Changes) -> Result<Vec<(usize, B256)>, ChangeError> {
        self.changes += changes.0.len();
        let (mut written, mut removed): (Vec<_>, Vec<_>) =
            changes.0.into_iter().partition(|change| change.value.is_some());
        if !written.is_empty() {
            insert_all(&mut self.top, self.nodes, &mut written, 0)?;
        }
        if removed.is_empty() {
            return Ok(Vec::new());
        }
        let Removal { guesses, siblings, .. } =
            remove_all(&mut self.top, self.nodes, &mut removed, 0)?;
        self.siblings.extend(siblings);
        Ok(guesses)
    }

    /// The root hash. Only nodes that were opened are hashed, and branches only if something below them has changed
    /// since the last call.
    pub fn root(&self) -> B256 {
        Encoder::new().on_threads_for(self.changes).root(&self.top)
    }

    /// The same, on the calling thread alone.
    pub(super) fn root_on_this_thread(&self) -> B256 {
        Encoder::new().root(&self.top)
    }

    /// Hashes of the nodes beside the paths of changes that [`Self::write`] opened. Without them the root would be
    /// another.
    pub(super) fn siblings(&self) -> &[B256] {
        &self.siblings
    }

    /// Encodes the nodes that were opened or created into `kept`, including the root node.
    pub(super) fn keep_nodes(&self, kept: &mut NewNodes) {
        Encoder::keeping(kept).root(&self.top);
    }
}
