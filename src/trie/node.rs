//! The nodes of a working trie: touched nodes are open, all others are references.
//!
//! An untouched subtree is kept as the reference that its parent in the witness holds, a hash or a few embedded
//! bytes. It is written back unchanged. Opening a node reads one level. Every operation keeps three rules.
//! Paths through open nodes end at depth 64. The path of an extension is not empty. A branch has at least two
//! children, except between a deletion and the collapse that follows it.

use std::{borrow::Cow, sync::OnceLock};

use alloy_primitives::B256;
use alloy_trie::Nibbles;

use super::{
    error::NodeError,
    raw::{RawNode, Reference, read},
    store::NodeStore,
};

/// A subtree.
#[derive(Clone, Debug, Default)]
pub(super) enum Node<'a> {
    /// A subtree without keys.
    #[default]
    Empty,
    /// A node that is not open: the reference in the witness.
    Closed(Reference<'a>),
    /// The end of one key.
    Leaf(Box<Leaf<'a>>),
    /// A path segment that all keys below share.
    Extension(Box<Extension<'a>>),
    /// A fork of the keys by their next nibble.
    Branch(Box<Branch<'a>>),
}

/// The rest of a key and its value, borrowed from the witness or new.
#[derive(Clone, Debug)]
pub(super) struct Leaf<'a> {
    pub(super) path: Nibbles,
    pub(super) value: Cow<'a, [u8]>,
}

/// A shared path segment and its child.
#[derive(Clone, Debug)]
pub(super) struct Extension<'a> {
    pub(super) path: Nibbles,
    pub(super) child: Node<'a>,
}

/// A fork of the keys by their next nibble.
#[derive(Clone, Debug)]
pub(super) struct Branch<'a> {
    children: [Node<'a>; 16],
    /// The Keccak-256 of the node, if it was computed after the last change below it.
    hash: OnceLock<B256>,
}

impl<'a> Branch<'a> {
    pub(super) const fn new(children: [Node<'a>; 16]) -> Self {
        Self { children, hash: OnceLock::new() }
    }

    pub(super) const fn children(&self) -> &[Node<'a>; 16] {
        &self.children
    }

    /// The children, to change them. The hash is forgotten.
    pub(super) fn changed(&mut self) -> &mut [Node<'a>; 16] {
        self.hash.take();
        &mut self.children
    }

    /// The hash, unless a change since its computation may have made it another.
    pub(super) fn hash(&self) -> Option<&B256> {
        self.hash.get()
    }

    /// Keeps the hash until the next change.
    pub(super) fn keep_hash(&self, hash: B256) {
        // Another thread can only have kept the same hash.
        let _ = self.hash.set(hash);
    }
}

impl<'a> Node<'a> {
    /// A leaf.
    pub(super) fn leaf(path: Nibbles, value: Cow<'a, [u8]>) -> Self {
        Self::Leaf(Box::new(Leaf { path, value }))
    }

    /// Opens the node at `path` behind `reference`, one level deep.
    ///
    /// # Errors
    ///
    /// The witness lacks the node, or it is malformed.
    pub(super) fn open(
        nodes: &'a NodeStore,
        reference: Reference<'a>,
        path: Nibbles,
    ) -> Result<Self, NodeError> {
        Self::parse(nodes.follow(reference, path)?, path)
    }

    /// Opens the node at `path` that `rlp` holds, one level deep.
    ///
    /// # Errors
    ///
    /// The node is malformed.
    pub(super) fn parse(rlp: &'a [u8], path: Nibbles) -> Result<Self, NodeError> {
        match read(rlp, path.len()) {
            Ok(raw) => Ok(raw.into()),
            Err(reason) => Err(NodeError::malformed(rlp, path, reason)),
        }
    }

    /// This subtree with `prefix`, which is not empty, before all its paths.
    ///
    /// Leaves and extensions extend their own path. A branch or a reference gets an extension above it.
    pub(super) fn prefixed(self, prefix: Nibbles) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Leaf(mut leaf) => {
                leaf.path = prefix.join(&leaf.path);
                Self::Leaf(leaf)
            }
            Self::Extension(mut extension) => {
                extension.path = prefix.join(&extension.path);
                Self::Extension(extension)
            }
            child @ (Self::Closed(_) | Self::Branch(_)) => {
                Self::Extension(Box::new(Extension { path: prefix, child }))
            }
        }
    }
}

impl<'a> From<RawNode<'a>> for Node<'a> {
    fn from(raw: RawNode<'a>) -> Self {
        match raw {
            RawNode::Leaf { path, value } => Self::leaf(path, Cow::Borrowed(value)),
            RawNode::Extension { path, child } => Self::Closed(child).prefixed(path),
            RawNode::Branch(children) => {
                let children = children.map(|child| child.map_or(Self::Empty, Self::Closed));
                Self::Branch(Box::new(Branch::new(children)))
            }
        }
    }
}
