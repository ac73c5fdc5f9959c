//! Hashes a working trie from the leaves up.
//!
//! Only open nodes are encoded. The reference to a closed node is already known and is copied into its parent.
//! The encodings of leaves and extensions come from alloy-trie.

use std::array;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Header};
use alloy_trie::nodes::{ExtensionNodeRef, LeafNodeRef, RlpNode};
use rayon::prelude::*;

use super::{
    node::{Branch, Extension, Leaf, Node},
    raw::{HASH_CODE, HASHED_FROM, Reference},
    store::NewNodes,
};

/// Number of changes from which the children of the root are hashed in parallel.
const PARALLEL_CHANGES: usize = 16;
/// Number of changes from which their children are hashed in parallel, too.
const LARGE: usize = 16 * PARALLEL_CHANGES;

/// Encodes nodes one by one into one buffer.
#[derive(Debug)]
pub(super) struct Encoder<'s> {
    buffer: Vec<u8>,
    /// Number of levels of branches, from the top, with children that are hashed in parallel.
    parallel_levels: u32,
    /// Collects open nodes that have a hash, if the caller needs them.
    kept: Option<&'s mut NewNodes>,
}

impl<'s> Encoder<'s> {
    /// Size in bytes of a full branch, the largest node: 16 references of 33 bytes, an empty value and a header
    /// of 3.
    const CAPACITY: usize = 16 * 33 + 1 + 3;

    pub(super) fn new() -> Self {
        let buffer = Vec::with_capacity(Self::CAPACITY);
        Self { buffer, parallel_levels: 0, kept: None }
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
            Node::Leaf(leaf) => {
                let reference = self.leaf(leaf);
                self.keep(reference)
            }
            Node::Extension(extension) => {
                let reference = self.extension(extension);
                self.keep(reference)
            }
            Node::Branch(branch) => {
                // A collector needs every open node.
                if let (None, Some(hash)) = (&self.kept, branch.hash()) {
                    return RlpNode::word_rlp(hash);
                }
                let reference = self.branch(branch);
                reference.as_hash().into_iter().for_each(|hash| branch.keep_hash(hash));
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

    /// Encodes a list of 16 references and an empty value (Yellow Paper, appendix D).
    fn branch(&mut self, branch: &Branch<'_>) -> RlpNode {
        let children = branch.children();
        let new = match self.parallel_levels {
            0 => children.each_ref().map(|child| self.new_reference(child)),
            levels => references_in_parallel(children, levels - 1),
        };
        let lengths = children.iter().zip(&new).map(|(child, new)| reference_length(child, new));
        let payload_length = 1 + lengths.sum::<usize>();
        let buffer = self.cleared();
        Header { list: true, payload_length }.encode(buffer);
        for (child, new) in children.iter().zip(&new) {
            write_reference(child, new, buffer);
        }
        buffer.push(EMPTY_STRING_CODE);
        RlpNode::from_rlp(buffer)
    }

    /// The reference to an open child. It is empty for others, whose references are in the node of the parent.
    fn new_reference(&mut self, child: &Node<'_>) -> RlpNode {
        match child {
            Node::Empty | Node::Closed(_) => RlpNode::default(),
            open => self.reference(open),
        }
    }

    /// Empties the buffer. The children of the next node no longer need it.
    fn cleared(&mut self) -> &mut Vec<u8> {
        self.buffer.clear();
        &mut self.buffer
    }
}

/// Length of the reference that a branch holds for this child. `new` is the one of an open child.
fn reference_length(child: &Node<'_>, new: &RlpNode) -> usize {
    match child {
        Node::Empty => 1,
        Node::Closed(Reference::Hash(_)) => 1 + B256::len_bytes(),
        Node::Closed(Reference::Embedded(rlp)) => rlp.len(),
        _ => new.len(),
    }
}

fn write_reference(child: &Node<'_>, new: &RlpNode, buffer: &mut Vec<u8>) {
    match child {
        Node::Empty => buffer.push(EMPTY_STRING_CODE),
        Node::Closed(Reference::Hash(hash)) => {
            buffer.push(HASH_CODE);
            buffer.extend_from_slice(&hash.0);
        }
        Node::Closed(Reference::Embedded(rlp)) => buffer.extend_from_slice(rlp),
        _ => buffer.extend_from_slice(new),
    }
}

/// The references of a branch to its open children, each computed by a task of the current pool.
fn references_in_parallel(children: &[Node<'_>; 16], parallel_levels: u32) -> [RlpNode; 16] {
    let mut references = array::from_fn(|_| RlpNode::default());
    let all = references.par_iter_mut().zip(children);
    all.for_each(|(reference, child)| {
        *reference = Encoder { parallel_levels, ..Encoder::new() }.new_reference(child);
    });
    references
}
