//! Hashes a working trie, from the leaves up.
//!
//! Only open nodes are encoded; a closed one is already known by the reference that goes into its
//! parent. The encodings are alloy-trie's.

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

/// Encodes nodes one after the other into one buffer.
#[derive(Debug)]
pub(super) struct Encoder<'s> {
    buffer: Vec<u8>,
    /// Where open nodes go that their parents name by hash, if anybody wants them.
    kept: Option<&'s mut NewNodes>,
}

impl<'s> Encoder<'s> {
    /// Bytes of a full branch, the largest node: 16 references of 33, an empty value, a header of 3.
    const CAPACITY: usize = 16 * 33 + 1 + 3;

    pub(super) fn new() -> Self {
        Self { buffer: Vec::with_capacity(Self::CAPACITY), kept: None }
    }

    /// Also puts every open node that has a hash into `kept`.
    pub(super) fn keeping(kept: &'s mut NewNodes) -> Self {
        Self { kept: Some(kept), ..Self::new() }
    }

    /// The root hash of the trie with this root. A root is hashed however short.
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

    /// What a parent holds for this child: its hash, or its RLP if that is shorter.
    ///
    /// Recurses once for each node on a path, of which there are at most 65.
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

    /// Keeps the node that was just encoded, if it has a hash.
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

    /// The buffer, empty. The children of the node to come are done with it.
    fn cleared(&mut self) -> &mut Vec<u8> {
        self.buffer.clear();
        &mut self.buffer
    }
}
