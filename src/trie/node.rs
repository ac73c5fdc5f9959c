//! The nodes of a working trie: open where something was touched, a reference everywhere else.
//!
//! An untouched subtree stays as its parent in the witness names it, one hash or a few embedded bytes,
//! and is written back the same way; opening a node reads one level. Every operation keeps three rules:
//! paths through open nodes end at depth 64, an extension's path is not empty, and a branch has two
//! children or more, except between a deletion and the collapse that follows it.

use std::borrow::Cow;

use alloy_trie::Nibbles;

use super::{
    error::NodeError,
    raw::{RawNode, Reference, read},
    store::NodeStore,
};

/// A subtree.
#[derive(Clone, Debug, Default)]
pub(super) enum Node<'a> {
    /// No key lies here.
    #[default]
    Empty,
    /// Not opened: what the witness calls it.
    Closed(Reference<'a>),
    /// The end of one key.
    Leaf(Box<Leaf<'a>>),
    /// A stretch of path that all keys below share.
    Extension(Box<Extension<'a>>),
    /// Where keys part, by their next nibble.
    Branch(Box<[Self; 16]>),
}

/// The rest of a key and its value: the witness's bytes, or new ones.
#[derive(Clone, Debug)]
pub(super) struct Leaf<'a> {
    pub(super) path: Nibbles,
    pub(super) value: Cow<'a, [u8]>,
}

/// A shared stretch of path and what follows it.
#[derive(Clone, Debug)]
pub(super) struct Extension<'a> {
    pub(super) path: Nibbles,
    pub(super) child: Node<'a>,
}

impl<'a> Node<'a> {
    /// A leaf.
    pub(super) fn leaf(path: Nibbles, value: Cow<'a, [u8]>) -> Self {
        Self::Leaf(Box::new(Leaf { path, value }))
    }

    /// Opens the node at `path` that `reference` names, one level of it.
    ///
    /// # Errors
    ///
    /// If the witness lacks it or it is malformed.
    pub(super) fn open(
        nodes: &'a NodeStore,
        reference: Reference<'a>,
        path: Nibbles,
    ) -> Result<Self, NodeError> {
        Self::parse(nodes.follow(reference, path)?, path)
    }

    /// Opens the node at `path` that `rlp` holds, one level of it.
    ///
    /// # Errors
    ///
    /// If it is malformed.
    pub(super) fn parse(rlp: &'a [u8], path: Nibbles) -> Result<Self, NodeError> {
        match read(rlp, path.len()) {
            Ok(raw) => Ok(raw.into()),
            Err(reason) => Err(NodeError::malformed(rlp, path, reason)),
        }
    }

    /// This subtree with `prefix`, which is not empty, before all its paths.
    ///
    /// Leaves and extensions take the prefix in; whatever else has keys gets an extension before it.
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
            RawNode::Branch(children) => Self::Branch(Box::new(
                children.map(|child| child.map_or(Self::Empty, Self::Closed)),
            )),
        }
    }
}
