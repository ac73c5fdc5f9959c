//! Reads one trie node in place: no copies, no allocation.
//!
//! The input is a node's RLP and its depth, the output its parts as slices of the input. Lookups and the
//! working trie both use [`read`], so only this file decides which nodes are accepted. The depth makes the
//! check strict. Keys have 64 nibbles, so every path through accepted nodes ends at a leaf of exactly that
//! depth. Code that follows a path therefore neither runs past its key nor loops forever.
//!
//! `lookup` decodes the value of a leaf.

use alloy_primitives::B256;
use alloy_rlp::{EMPTY_STRING_CODE, Header};
use alloy_trie::Nibbles;

use super::error::Malformed;

/// Number of nibbles of a key: keys are Keccak-256 hashes.
pub(super) const KEY_NIBBLES: usize = 64;

/// Nodes with at least this many bytes of RLP are referred to by hash; shorter nodes are embedded.
pub(super) const HASHED_FROM: usize = 32;

/// The first byte of a reference by hash: a string of 32 bytes.
pub(super) const HASH_CODE: u8 = EMPTY_STRING_CODE + 32;

/// The parts of a node, borrowed from the bytes that were read.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for one step; a box would allocate"
)]
pub(super) enum RawNode<'a> {
    /// The end of one key and its value, which is not empty.
    Leaf { path: Nibbles, value: &'a [u8] },
    /// A path segment that all keys below share. It is not empty.
    Extension { path: Nibbles, child: Reference<'a> },
    /// A fork of the keys with at least two children.
    Branch([Option<Reference<'a>>; 16]),
}

/// A parent's reference to its child.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reference<'a> {
    /// The Keccak-256 of the child.
    Hash(&'a B256),
    /// The child's RLP, which is shorter than [`HASHED_FROM`] bytes.
    Embedded(&'a [u8]),
}

/// One item of a node's list.
struct Item<'a> {
    list: bool,
    /// The item with its header.
    rlp: &'a [u8],
    /// The item without its header.
    payload: &'a [u8],
}

/// Reads the node in `rlp`. Its path from the root has `depth` nibbles.
///
/// # Errors
///
/// The rule that the node breaks.
pub(super) fn read(mut rlp: &[u8], depth: usize) -> Result<RawNode<'_>, Malformed> {
    let mut items = Header::decode_bytes(&mut rlp, true)?;
    if !rlp.is_empty() {
        return Err(Malformed::TrailingBytes { bytes: rlp.len() });
    }
    if depth < KEY_NIBBLES
        && let Some(children) = read_full_branch(items)
    {
        return Ok(RawNode::Branch(children.map(Some)));
    }
    let (first, second) = (next_item(&mut items)?, next_item(&mut items)?);
    if items.is_empty() {
        read_short(&first, &second, depth)
    } else {
        read_branch(&first, &second, items, depth)
    }
}

/// Reads the items of a branch if each of its 16 children has a hash, as in most branches near the root. Its items have
/// known places.
fn read_full_branch(items: &[u8]) -> Option<[Reference<'_>; 16]> {
    let (references, [EMPTY_STRING_CODE]) = items.as_chunks() else { return None };
    let references: &[[u8; 1 + 32]; 16] = references.try_into().ok()?;
    let all = references.iter().all(|[code, ..]| *code == HASH_CODE);
    all.then(|| references.each_ref().map(|[_, hash @ ..]| Reference::Hash(hash.into())))
}

/// Removes the next item from a list's payload.
fn next_item<'a>(items: &mut &'a [u8]) -> Result<Item<'a>, Malformed> {
    if items.is_empty() {
        return Err(Malformed::ItemCount);
    }
    let start = *items;
    let Header { list, payload_length } = Header::decode(items)?;
    // `Header::decode` has checked that the payload is complete.
    let (payload, rest) = items.split_at(payload_length);
    *items = rest;
    let (rlp, _) = start.split_at(start.len() - rest.len());
    Ok(Item { list, rlp, payload })
}

/// Reads a node of two items: a leaf or an extension.
fn read_short<'a>(
    path: &Item<'a>,
    value: &Item<'a>,
    depth: usize,
) -> Result<RawNode<'a>, Malformed> {
    let (kind, path) = read_path(path, depth)?;
    match kind {
        ShortKind::Leaf => Ok(RawNode::Leaf { path, value: read_value(value)? }),
        ShortKind::Extension => {
            let child = read_reference(value)?.ok_or(Malformed::NoChild)?;
            Ok(RawNode::Extension { path, child })
        }
    }
}

/// Kind of a node with two items, from the flags of its path.
#[derive(Clone, Copy)]
enum ShortKind {
    Leaf,
    Extension,
}

/// Reads a path in hex-prefix encoding (Yellow Paper, appendix C) and checks its length for its kind.
fn read_path(item: &Item<'_>, depth: usize) -> Result<(ShortKind, Nibbles), Malformed> {
    let [first, rest @ ..] = string(item)? else {
        return Err(alloy_rlp::Error::InputTooShort.into());
    };
    let kind = match first >> 4 {
        0 | 1 => ShortKind::Extension,
        2 | 3 => ShortKind::Leaf,
        flags => return Err(Malformed::PathFlags { flags }),
    };
    let odd = first & 0x10 != 0;
    if !odd && first & 0x0f != 0 {
        return Err(Malformed::PathPadding);
    }

    // The check comes before the path is unpacked, since more than 64 nibbles would not fit.
    let nibbles = rest.len() * 2 + usize::from(odd);
    check_length(kind, depth, nibbles)?;
    let path = if odd { Nibbles::unpack(item.payload).slice(1..) } else { Nibbles::unpack(rest) };
    Ok((kind, path))
}

/// Checks that a leaf ends with the key, and that an extension leaves room for a branch.
fn check_length(kind: ShortKind, depth: usize, nibbles: usize) -> Result<(), Malformed> {
    let fits = match kind {
        ShortKind::Leaf => depth + nibbles == KEY_NIBBLES,
        ShortKind::Extension if nibbles == 0 => return Err(Malformed::EmptyExtension),
        ShortKind::Extension => depth + nibbles < KEY_NIBBLES,
    };
    if fits { Ok(()) } else { Err(Malformed::PathLength { depth, nibbles }) }
}

/// Reads a node of 17 items. The first two are already read; `items` holds the rest.
fn read_branch<'a>(
    first: &Item<'a>,
    second: &Item<'a>,
    mut items: &'a [u8],
    depth: usize,
) -> Result<RawNode<'a>, Malformed> {
    if depth >= KEY_NIBBLES {
        return Err(Malformed::BranchTooDeep);
    }
    let mut children = [None; 16];
    let [child_0, child_1, others @ ..] = &mut children;
    *child_0 = read_reference(first)?;
    *child_1 = read_reference(second)?;
    for child in others {
        *child = next_reference(&mut items)?;
    }
    check_value(&next_item(&mut items)?)?;
    if !items.is_empty() {
        return Err(Malformed::ItemCount);
    }
    match children.iter().flatten().count() {
        children @ 0..=1 => Err(Malformed::TooFewChildren { children }),
        _ => Ok(RawNode::Branch(children)),
    }
}

/// Removes the next reference from a branch's payload. Hashes and absent children are read without the general rules of
/// RLP, since almost all references are such.
fn next_reference<'a>(items: &mut &'a [u8]) -> Result<Option<Reference<'a>>, Malformed> {
    match **items {
        [EMPTY_STRING_CODE, ref rest @ ..] => {
            *items = rest;
            Ok(None)
        }
        [HASH_CODE, ref rest @ ..] if let Some((hash, rest)) = rest.split_first_chunk() => {
            *items = rest;
            Ok(Some(Reference::Hash(hash.into())))
        }
        _ => read_reference(&next_item(items)?),
    }
}

/// Checks that a branch has no value.
fn check_value(item: &Item<'_>) -> Result<(), Malformed> {
    if string(item)?.is_empty() { Ok(()) } else { Err(Malformed::BranchValue) }
}

/// Reads the value of a leaf.
fn read_value<'a>(item: &Item<'a>) -> Result<&'a [u8], Malformed> {
    let value = string(item)?;
    if value.is_empty() { Err(Malformed::EmptyValue) } else { Ok(value) }
}

/// Reads a reference to a child; `None` if there is no child.
fn read_reference<'a>(item: &Item<'a>) -> Result<Option<Reference<'a>>, Malformed> {
    match (item.list, item.payload.len()) {
        (false, 0) => Ok(None),
        (true, _) if item.rlp.len() < HASHED_FROM => Ok(Some(Reference::Embedded(item.rlp))),
        (true, _) => Err(Malformed::EmbeddedTooLong { bytes: item.rlp.len() }),
        (false, bytes) => {
            let hash = <&B256>::try_from(item.payload).ok();
            hash.map(|hash| Some(Reference::Hash(hash))).ok_or(Malformed::ChildHash { bytes })
        }
    }
}

/// The bytes of an item that must be a string.
fn string<'a>(item: &Item<'a>) -> Result<&'a [u8], Malformed> {
    if item.list { Err(alloy_rlp::Error::UnexpectedList.into()) } else { Ok(item.payload) }
}
