//! Deletion, and the collapse of branches with one child left.
//!
//! The order among deletions does not matter, but all insertions of the same trie must come first. A branch
//! that loses a key and gains another in one block never collapses. In the wrong order it would collapse for a
//! moment, and that would need a sibling that an honest witness need not contain.

use std::mem;

use alloy_primitives::B256;
use alloy_trie::Nibbles;

use super::{
    error::NodeError,
    node::Node,
    raw::{RawNode, Reference, read},
    store::NodeStore,
};

/// Whether a deletion found its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// The key existed and was removed.
    Removed {
        /// Hash of the last child of a branch, if the witness lacks that child and it was assumed to be a
        /// branch.
        guessed: Option<B256>,
    },
    /// The key is provably absent; nothing changed.
    Absent,
}

/// Removes `key` from the subtree `node`, which lies at `depth` on the key's path.
///
/// Recurses at most twice for each of the key's 64 nibbles: once to open a node and once to descend.
///
/// # Errors
///
/// A node on the path is missing or malformed, or a branch's last child is malformed.
pub(super) fn remove<'a>(
    node: &mut Node<'a>,
    nodes: &'a NodeStore,
    key: &Nibbles,
    depth: usize,
) -> Result<Removal, NodeError> {
    let rest = key.slice(depth..);
    match node {
        Node::Empty => Ok(Removal::Absent),
        Node::Closed(reference) => {
            *node = Node::open(nodes, *reference, key.slice(..depth))?;
            remove(node, nodes, key, depth)
        }
        Node::Leaf(leaf) if leaf.path == rest => {
            *node = Node::Empty;
            Ok(Removal::Removed { guessed: None })
        }
        Node::Extension(extension) if rest.starts_with(&extension.path) => {
            let path = extension.path;
            let removal = remove(&mut extension.child, nodes, key, depth + path.len())?;
            if removal != Removal::Absent {
                // The branch below may have become a leaf or an extension.
                *node = mem::take(&mut extension.child).prefixed(path);
            }
            Ok(removal)
        }
        Node::Leaf(_) | Node::Extension(_) => Ok(Removal::Absent),
        Node::Branch(children) => {
            // A branch lies above depth 64, so one nibble is left.
            let child = &mut children[usize::from(rest.get_unchecked(0))];
            let removal = remove(child, nodes, key, depth + 1)?;
            if removal != Removal::Absent
                && let Some((nibble, last)) = last_child(children)
            {
                // A key collapses at most one branch, since the collapsed node is still a child of its parent.
                let (collapsed, guessed) = collapse(last, nodes, key.slice(..depth), nibble)?;
                *node = collapsed;
                return Ok(Removal::Removed { guessed });
            }
            Ok(removal)
        }
    }
}

/// Takes the child of a branch that has only one.
fn last_child<'a>(children: &mut [Node<'a>; 16]) -> Option<(u8, Node<'a>)> {
    let mut occupied = (0..).zip(children).filter(|(_, child)| !matches!(child, Node::Empty));
    let (nibble, last) = occupied.next()?;
    occupied.next().is_none().then(|| (nibble, mem::take(last)))
}

/// Replaces the branch at `path` by its last child `last` at `nibble`. Also returns the hash of that child, if
/// it was assumed to be a branch.
fn collapse<'a>(
    last: Node<'a>,
    nodes: &'a NodeStore,
    path: Nibbles,
    nibble: u8,
) -> Result<(Node<'a>, Option<B256>), NodeError> {
    let step = Nibbles::from_nibbles_unchecked([nibble]);
    let (last, guessed) = match last {
        Node::Closed(reference) => unless_branch(reference, nodes, path.join(&step))?,
        open => (open, None),
    };
    Ok((last.prefixed(step), guessed))
}

/// Opens the last child at `path`, unless it is a branch, which a collapse does not change.
///
/// A missing child is assumed to be a branch, and its hash is returned. Builders omit branches because nothing
/// in them is needed. If the guess is wrong, the root does not match the header.
fn unless_branch<'a>(
    reference: Reference<'a>,
    nodes: &'a NodeStore,
    path: Nibbles,
) -> Result<(Node<'a>, Option<B256>), NodeError> {
    let rlp = match nodes.follow(reference, path) {
        Ok(rlp) => rlp,
        Err(NodeError::Missing { hash, .. }) => return Ok((Node::Closed(reference), Some(hash))),
        Err(malformed) => return Err(malformed),
    };
    match read(rlp, path.len()) {
        Ok(RawNode::Branch(_)) => Ok((Node::Closed(reference), None)),
        Ok(raw) => Ok((raw.into(), None)),
        Err(reason) => Err(NodeError::malformed(rlp, path, reason)),
    }
}
