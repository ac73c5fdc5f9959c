//! Deletion of many keys, and the collapse of branches with one child left.
//!
//! A branch collapses after all deletions below it. All insertions of the same trie must come first. A branch
//! that loses a key and gains another in one block never collapses. In the wrong order it would collapse for a
//! moment, and that would need a sibling that an honest witness need not contain.

use std::mem;

use alloy_primitives::B256;
use alloy_trie::Nibbles;

use super::{
    change::{Change, ChangeError, over_children},
    error::NodeError,
    insert::{below, open_first},
    node::Node,
    raw::{RawNode, Reference, read},
    store::NodeStore,
};

/// The effect of deletions in a subtree.
#[derive(Debug, Default)]
pub(super) struct Removal {
    /// Whether one of the keys existed.
    removed: bool,
    /// For each last child that the witness lacks and that was assumed to be a branch: position of the change
    /// that left it alone, and the child's hash.
    pub(super) guesses: Vec<(usize, B256)>,
    /// Hashes of the last children that were opened, as they are no branches.
    pub(super) siblings: Vec<B256>,
}

/// A subtree in place of a branch.
#[derive(Debug, Default)]
struct Collapsed<'a> {
    node: Node<'a>,
    /// The last child, if the witness lacks it and it was assumed to be a branch.
    guess: Option<B256>,
    /// The last child, if it was opened.
    sibling: Option<B256>,
}

impl Removal {
    /// Joins the deletions in the children of one node.
    fn joined(parts: Vec<Self>) -> Self {
        parts.into_iter().fold(Self::default(), |mut all, part| {
            all.removed |= part.removed;
            all.guesses.extend(part.guesses);
            all.siblings.extend(part.siblings);
            all
        })
    }
}

/// Removes the keys of `changes`, which are in ascending order, from the subtree `node` at `depth`.
///
/// # Errors
///
/// A node on a path is missing or malformed, or a branch's last child is malformed.
pub(super) fn remove_all<'a>(
    node: &mut Node<'a>,
    nodes: &'a NodeStore,
    changes: &mut [Change],
    depth: usize,
) -> Result<Removal, ChangeError> {
    match node {
        Node::Closed(_) if !changes.is_empty() => {
            open_first(node, nodes, changes, depth)?;
            remove_all(node, nodes, changes, depth)
        }
        Node::Leaf(leaf) => {
            let removed = changes.iter().any(|change| change.key.slice(depth..) == leaf.path);
            if removed {
                *node = Node::Empty;
            }
            Ok(Removal { removed, ..Removal::default() })
        }
        Node::Extension(extension) => {
            let path = extension.path;
            let inside = below(changes, &path, depth);
            let removal = remove_all(&mut extension.child, nodes, inside, depth + path.len())?;
            if removal.removed {
                // The branch below may have become a leaf, an extension or nothing.
                *node = mem::take(&mut extension.child).prefixed(path);
            }
            Ok(removal)
        }
        Node::Branch(branch) => {
            let children = branch.changed();
            let parts = over_children(children, changes, depth, |child, group| {
                remove_all(child, nodes, group, depth + 1)
            })?;
            let mut removal = Removal::joined(parts);
            if removal.removed
                && let Some(last) = changes.last()
                && let Some(replaced) = without_branch(children, nodes, last, depth)?
            {
                *node = replaced.node;
                removal.guesses.extend(replaced.guess.map(|hash| (last.index, hash)));
                removal.siblings.extend(replaced.sibling);
            }
            Ok(removal)
        }
        Node::Empty | Node::Closed(_) => Ok(Removal::default()),
    }
}

/// The replacement of a branch at `depth` after a deletion; `None` if the branch has two children left.
fn without_branch<'a>(
    children: &mut [Node<'a>; 16],
    nodes: &'a NodeStore,
    change: &Change,
    depth: usize,
) -> Result<Option<Collapsed<'a>>, ChangeError> {
    let mut occupied = (0..).zip(children).filter(|(_, child)| !matches!(child, Node::Empty));
    let Some((nibble, last)) = occupied.next() else { return Ok(Some(Collapsed::default())) };
    if occupied.next().is_some() {
        return Ok(None);
    }
    let collapsed = collapse(mem::take(last), nodes, change.key.slice(..depth), nibble);
    collapsed.map(Some).map_err(|source| change.error(source))
}

/// Replaces the branch at `path` by its last child `last` at `nibble`.
fn collapse<'a>(
    last: Node<'a>,
    nodes: &'a NodeStore,
    path: Nibbles,
    nibble: u8,
) -> Result<Collapsed<'a>, NodeError> {
    let step = Nibbles::from_nibbles_unchecked([nibble]);
    let last = match last {
        Node::Closed(reference) => unless_branch(reference, nodes, path.join(&step))?,
        node => Collapsed { node, ..Collapsed::default() },
    };
    Ok(Collapsed { node: last.node.prefixed(step), ..last })
}

/// Opens the last child at `path`, unless it is a branch, which a collapse does not change.
///
/// A missing child is assumed to be a branch, and its hash is the guess. Builders omit branches because nothing
/// in them is needed. If the guess is wrong, the root does not match the header.
fn unless_branch<'a>(
    reference: Reference<'a>,
    nodes: &'a NodeStore,
    path: Nibbles,
) -> Result<Collapsed<'a>, NodeError> {
    let closed = || Collapsed { node: Node::Closed(reference), ..Collapsed::default() };
    let rlp = match nodes.follow(reference, path) {
        Ok(rlp) => rlp,
        Err(NodeError::Missing { hash, .. }) => {
            return Ok(Collapsed { guess: Some(hash), ..closed() });
        }
        Err(malformed) => return Err(malformed),
    };
    match read(rlp, path.len()) {
        Ok(RawNode::Branch(_)) => Ok(closed()),
        Ok(raw) => Ok(Collapsed { node: raw.into(), sibling: hash_of(reference), guess: None }),
        Err(reason) => Err(NodeError::malformed(rlp, path, reason)),
    }
}

/// The hash of a node that is not embedded in its parent.
const fn hash_of(reference: Reference<'_>) -> Option<B256> {
    match reference {
        Reference::Hash(hash) => Some(*hash),
        Reference::Embedded(_) => None,
    }
}
