//! Hashes a working trie from the leaves up.
//!
//! Only open nodes are encoded. The reference to a closed node is already known and is copied into its parent.
//! The encodings come from alloy-trie.

use std::array;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::EMPTY_STRING_CODE;
use alloy_trie::{
    TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode},
};

use super::{
    node::{Extension, Leaf, Node},
    raw::{HASHED_FROM, Reference},
    store::NewNodes,
};

/// Encodes nodes one by one into one buffer.
#[derive(Debug)]
pub(super) struct Encoder<'s> {
    buffer: Vec<u8>,
    /// Collects open nodes that have a hash, if the caller needs them.
    kept: Option<&'s mut NewNodes>,
}

impl<'s> Encoder<'s> {
    /// Size in bytes of a full branch, the largest node: 16 references of 33 bytes, an empty value and a header
    /// of 3.
    const CAPACITY: usize = 16 * 33 + 1 + 3;

    pub(super) fn new() -> Self {
        Self { buffer: Vec::with_capacity(Self::CAPACITY), kept: None }
    }

    /// Also stores every open node that has a hash in `kept`.
    pub(super) fn keeping(kept: &'s mut NewNodes) -> Self {
        Self { kept: Some(kept), ..Self::new() }
    }

    /// Computes the root hash. A root node is hashed even if it is short.
    pub(super) fn root(&mut self, top: &Node<'_>) -> B256 {
        let reference = self.reference(top);
        if let Some(hash) = reference.as_hash() {
            return hash;
        }
        let hash = keccak256(&reference);
        if let Some(kept) = self.kept.as_deref_mut().filter(|_| !matches!(top, Node::Empty)) {
            kept.push(hash, Bytes::copy_from_slice(&reference));
        }
        hash
    }

    /// The reference that a parent holds for this child: its hash, or its RLP if that is shorter.
    ///
    /// Recurses once for each node on a path, which has at most 65 nodes.
    fn reference(&mut self, node: &Node<'_>) -> RlpNode {
        match node {
            Node::Empty => RlpNode::from_rlp(&[EMPTY_STRING_CODE]),
            Node::Closed(Reference::Hash(hash)) => RlpNode::word_rlp(hash),
            Node::Closed(Reference::Embedded(rlp)) => RlpNode::from_rlp(rlp),
            Node::Leaf(leaf) => {
                let reference = self.leaf(leaf);
                self.keep(reference)
            }
            Node::Extension(extension) => {
                let reference = self.extension(extension);
                self.keep(reference)
            }
            Node::Branch(children) => {
                let reference = self.branch(children);
                self.keep(reference)
            }
        }
    }

    /// Stores the node that was just encoded, if it has a hash.
    fn keep(&mut self, reference: RlpNode) -> RlpNode {
        if let Some(kept) = self.kept.as_deref_mut()
            && self.buffer.len() >= HASHED_FROM
            && let Some(hash) = reference.as_hash()
        {
            kept.push(hash, Bytes::copy_from_slice(&self.buffer));
        }
        reference
    }

    fn leaf(&mut self, leaf: &Leaf<'_>) -> RlpNode {
        LeafNodeRef::new(&leaf.path, &leaf.value).rlp(self.cleared())
    }

    fn extension(&mut self, extension: &Extension<'_>) -> RlpNode {
        let child = self.reference(&extension.child);
        ExtensionNodeRef::new(&extension.path, &child).rlp(self.cleared())
    }

    fn branch(&mut self, children: &[Node<'_>; 16]) -> RlpNode {
        let mut mask = TrieMask::default();
        let mut references: [RlpNode; 16] = array::from_fn(|_| RlpNode::default());
        let occupied = (0..).zip(children).filter(|(_, child)| !matches!(child, Node::Empty));
        for ((nibble, child), reference) in occupied.zip(&mut references) {
            mask.set_bit(nibble);
            *reference = self.reference(child);
        }
        let (references, _) = references.split_at(usize::from(mask.count_bits()));
        BranchNodeRef::new(references, mask).rlp(self.cleared())
    }

    /// Empties the buffer. The children of the next node no longer need it.
    fn cleared(&mut self) -> &mut Vec<u8> {
        self.buffer.clear();
        &mut self.buffer
    }
}
