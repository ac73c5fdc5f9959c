//! Hashes a working trie from the leaves up.
//!
//! Only open nodes are encoded. The reference to a closed node is already known and is copied into its parent.
//! The encodings of leaves and extensions come from alloy-trie.

use std::{array, mem};

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::EMPTY_STRING_CODE;
use alloy_trie::nodes::{ExtensionNodeRef, LeafNodeRef, RlpNode};
use rayon::prelude::*;

use super::{
    branch_rlp::BranchRlp,
    node::{Branch, Extension, Leaf, Node},
    raw::{HASHED_FROM, Reference},
    store::NewNodes,
};

/// Number of changes from which the children of the root are hashed in parallel.
const PARALLEL_CHANGES: usize = 16;
/// Number of changes from which their children are hashed in parallel, too.
const LARGE: usize = 16 * PARALLEL_CHANGES;

/// Encodes nodes one by one.
#[derive(Debug)]
pub(super) struct Encoder<'s> {
    /// Holds a node of two items while it is encoded.
    buffer: Vec<u8>,
    /// Number of levels of branches, from the top, with children that are hashed in parallel.
    parallel_levels: u32,
    /// Collects open nodes that have a hash, if the caller needs them.
    kept: Option<&'s mut NewNodes>,
}

impl<'s> Encoder<'s> {
    pub(super) const fn new() -> Self {
        Self { buffer: Vec::new(), parallel_levels: 0, kept: None }
    }

    /// Hashes the upper levels of a trie with this many changes on the threads of the current pool. A level of
    /// branches is split if each of its branches has several changes on average.
    pub(super) fn on_threads_for(self, changes: usize) -> Self {
        let levels = match changes {
            _ if rayon::current_num_threads() == 1 => 0,
            0..PARALLEL_CHANGES => 0,
            PARALLEL_CHANGES..LARGE => 1,
            LARGE.. => 2,
        };
        Self { parallel_levels: levels, ..self }
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
            Node::Leaf(leaf) => self.leaf(leaf),
            Node::Extension(extension) => self.extension(extension),
            Node::Branch(branch) => {
                // A collector needs every open node.
                if let (None, Some(hash)) = (&self.kept, branch.hash()) {
                    return RlpNode::word_rlp(hash);
                }
                let reference = self.branch(branch);
                reference.as_hash().into_iter().for_each(|hash| branch.keep_hash(hash));
                reference
            }
        }
    }

    /// Stores a node with this RLP and reference, if it has a hash and the caller needs it.
    fn keep(&mut self, rlp: &[u8], reference: &RlpNode) {
        if let Some(kept) = self.kept.as_deref_mut()
            && rlp.len() >= HASHED_FROM
            && let Some(hash) = reference.as_hash()
        {
            kept.push(hash, Bytes::copy_from_slice(rlp));
        }
    }

    fn leaf(&mut self, leaf: &Leaf<'_>) -> RlpNode {
        self.short(|buffer| LeafNodeRef::new(&leaf.path, &leaf.value).rlp(buffer))
    }

    fn extension(&mut self, extension: &Extension<'_>) -> RlpNode {
        let child = self.reference(&extension.child);
        self.short(|buffer| ExtensionNodeRef::new(&extension.path, &child).rlp(buffer))
    }

    /// Encodes a node of two items with `encode`, which gets an empty buffer.
    fn short(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> RlpNode) -> RlpNode {
        let mut buffer = mem::take(&mut self.buffer);
        buffer.clear();
        let reference = encode(&mut buffer);
        self.keep(&buffer, &reference);
        self.buffer = buffer;
        reference
    }

    fn branch(&mut self, branch: &Branch<'_>) -> RlpNode {
        let children = branch.children();
        let split = self.parallel_levels.checked_sub(1);
        let split = split.map(|levels| references_in_parallel(children, levels));
        let mut encoded = BranchRlp::new();
        for (nibble, child) in children.iter().enumerate() {
            match child {
                Node::Empty => encoded.push_absent(),
                Node::Closed(Reference::Hash(hash)) => encoded.push_hash(hash),
                Node::Closed(Reference::Embedded(rlp)) => encoded.push(rlp),
                open => match &split {
                    Some(references) => encoded.push(&references[nibble]),
                    None => encoded.push(&self.reference(open)),
                },
            }
        }
        let rlp = encoded.finish();
        let reference = RlpNode::from_rlp(rlp);
        self.keep(rlp, &reference);
        reference
    }
}

/// The references of a branch to its open children, each computed by a task of the current pool. They are empty for others,
/// whose references are in the node of the parent.
fn references_in_parallel(children: &[Node<'_>; 16], parallel_levels: u32) -> [RlpNode; 16] {
    let mut references = array::from_fn(|_| RlpNode::default());
    let all = references.par_iter_mut().zip(children);
    all.for_each(|(reference, child)| {
        if !matches!(child, Node::Empty | Node::Closed(_)) {
            *reference = Encoder { parallel_levels, ..Encoder::new() }.reference(child);
        }
    });
    references
}
