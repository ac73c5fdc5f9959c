//! Insertion, of one key and of many.

use std::{borrow::Cow, mem};

use alloy_trie::Nibbles;

use super::{
    change::{Change, ChangeError, over_children},
    error::NodeError,
    node::{Branch, Extension, Leaf, Node},
    store::NodeStore,
};

/// Opens the nodes on the paths of `changes`, which are in ascending order of their keys, in the subtree `node`
/// at `depth`.
///
/// # Errors
/// A node on a path is missing or malformed.
pub(super) fn open_paths<'a>(
    node: &mut Node<'a>,
    nodes: &'a NodeStore,
    changes: &mut [Change],
    depth: usize,
) -> Result<(), ChangeError> {
    if changes.is_empty() {
        return Ok(());
    }
    match node {
        Node::Empty | Node::Leaf(_) => Ok(()),
        Node::Closed(_) => {
            open_first(node, nodes, changes, depth)?;
            open_paths(node, nodes, changes, depth)
        }
        Node::Extension(extension) => {
            let Extension { path, child } = &mut **extension;
            open_paths(child, nodes, below(changes, path, depth), depth + path.len())
        }
        Node::Branch(branch) => over_children(branch.changed(), changes, depth, |child, group| {
            open_paths(child, nodes, group, depth + 1)
        })
        .map(drop),
    }
}

/// Opens the node at `depth` if it is closed. An error belongs to the first change.
pub(super) fn open_first<'a>(
    node: &mut Node<'a>,
    nodes: &'a NodeStore,
    changes: &[Change],
    depth: usize,
) -> Result<(), ChangeError> {
    if let Node::Closed(reference) = node
        && let Some(first) = changes.first()
    {
        let opened = Node::open(nodes, *reference, first.key.slice(..depth));
        *node = opened.map_err(|source| first.error(source))?;
    }
    Ok(())
}

/// The changes below an extension at `depth` with this path. They are neighbours in the ascending order.
pub(super) fn below<'c>(
    changes: &'c mut [Change],
    path: &Nibbles,
    depth: usize,
) -> &'c mut [Change] {
    let inside = |change: &Change| change.key.slice(depth..).starts_with(path);
    let start = changes.iter().position(inside).unwrap_or(changes.len());
    let (_, rest) = changes.split_at_mut(start);
    let end = rest.iter().position(|change| !inside(change)).unwrap_or(rest.len());
    rest.split_at_mut(end).0
}

/// Writes the values of `changes`, which all have one and are in ascending order of their keys, in the subtree
/// `node` at `depth`.
///
/// # Errors
/// A node on a path is missing or malformed.
pub(super) fn insert_all<'a>(
    node: &mut Node<'a>,
    nodes: &'a NodeStore,
    changes: &mut [Change],
    depth: usize,
) -> Result<(), ChangeError> {
    match node {
        Node::Branch(branch) => over_children(branch.changed(), changes, depth, |child, group| {
            insert_all(child, nodes, group, depth + 1)
        })
        .map(drop),
        Node::Closed(_) => {
            open_first(node, nodes, changes, depth)?;
            insert_all(node, nodes, changes, depth)
        }
        _ => insert_each(node, nodes, changes, depth),
    }
}

/// Writes one value after the other, where the subtree may change its kind of node.
fn insert_each<'a>(
    node: &mut Node<'a>,
    nodes: &'a NodeStore,
    changes: &mut [Change],
    depth: usize,
) -> Result<(), ChangeError> {
    for change in changes {
        if let Some(value) = change.value.take() {
            insert(node, nodes, &change.key, depth, value)
                .map_err(|source| change.error(source))?;
        }
    }
    Ok(())
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
    match node {
        Node::Closed(reference) => {
            *node = Node::open(nodes, *reference, key.slice(..depth))?;
            insert(node, nodes, key, depth, value)
        }
        Node::Branch(branch) => {
            // A branch lies above depth 64, so one nibble is left.
            let child = &mut branch.changed()[usize::from(key.get_unchecked(depth))];
            insert(child, nodes, key, depth + 1, value)
        }
        Node::Extension(extension) if key.slice(depth..).starts_with(&extension.path) => {
            let depth = depth + extension.path.len();
            insert(&mut extension.child, nodes, key, depth, value)
        }
        Node::Empty | Node::Extension(_) | Node::Leaf(_) => {
            *node = with_leaf(mem::take(node), key.slice(depth..), Cow::Owned(value));
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
    let branch = Node::Branch(Box::new(Branch::new(children)));
    if shared == 0 { branch } else { branch.prefixed(rest.slice(..shared)) }
}
