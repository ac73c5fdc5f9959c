//! Walks from a trusted root to one key, in place, and returns what the witness proves about it.
//!
//! The walk allocates nothing: it reads nodes in the witness's own memory. It ends at the key's leaf, at a node
//! that proves its absence, or with an error. Correctness lives in the choice between these three.

use alloy_primitives::{B256, U256};
use alloy_trie::{Nibbles, TrieAccount};

use super::{
    error::{Malformed, NodeError},
    raw::{RawNode, Reference, read},
    store::NodeStore,
};

/// A leaf that was found, with the context for errors about its value.
#[derive(Debug)]
pub(super) struct ProvedLeaf<'a> {
    pub(super) value: &'a [u8],
    /// The whole node.
    rlp: &'a [u8],
    /// The path from the root to the node.
    path: Nibbles,
}

/// Finds `key` below `root`; `None` if its absence is proved.
///
/// # Errors
///
/// The node on the path that is missing or malformed.
pub(super) fn find<'a>(
    nodes: &'a NodeStore,
    root: &B256,
    key: &B256,
) -> Result<Option<ProvedLeaf<'a>>, NodeError> {
    find_along(nodes, root, key, |_| ())
}

/// As [`find`]. `entered` is called with the hash of each node on the path. Embedded nodes have none.
///
/// # Errors
///
/// As [`find`].
pub(super) fn find_along<'a>(
    nodes: &'a NodeStore,
    root: &B256,
    key: &B256,
    mut entered: impl FnMut(&B256),
) -> Result<Option<ProvedLeaf<'a>>, NodeError> {
    let Some(mut rlp) = nodes.root_node(root)? else { return Ok(None) };
    entered(root);
    let key = Nibbles::unpack_array(&key.0);
    let mut depth = 0;
    loop {
        let path = key.slice(..depth);
        let node = read(rlp, depth).map_err(|reason| NodeError::malformed(rlp, path, reason))?;
        let rest = key.slice(depth..);
        let child = match node {
            RawNode::Leaf { path: end, value } => {
                return Ok((end == rest).then_some(ProvedLeaf { value, rlp, path }));
            }
            RawNode::Extension { path: stretch, child } if rest.starts_with(&stretch) => {
                depth += stretch.len();
                child
            }
            RawNode::Extension { .. } => return Ok(None),
            // A branch lies above depth 64, so one nibble is left.
            RawNode::Branch(children) => match children[usize::from(rest.get_unchecked(0))] {
                Some(child) => {
                    depth += 1;
                    child
                }
                None => return Ok(None),
            },
        };
        rlp = nodes.follow(child, key.slice(..depth))?;
        if let Reference::Hash(hash) = child {
            entered(hash);
        }
    }
}

impl ProvedLeaf<'_> {
    /// Decodes the leaf's value as an account: nonce, balance, storage root, code hash (Yellow Paper, 4.1).
    ///
    /// # Errors
    ///
    /// [`Malformed::Account`] if it is not an account.
    pub(super) fn account(&self) -> Result<TrieAccount, NodeError> {
        alloy_rlp::decode_exact(self.value)
            .map_err(|reason| self.malformed(Malformed::Account(reason)))
    }

    /// Decodes the leaf's value as a storage word, which is not zero.
    ///
    /// # Errors
    ///
    /// [`Malformed::Slot`] or [`Malformed::ZeroSlot`] if it is not such a word.
    pub(super) fn slot(&self) -> Result<U256, NodeError> {
        match alloy_rlp::decode_exact::<U256>(self.value) {
            Ok(U256::ZERO) => Err(self.malformed(Malformed::ZeroSlot)),
            Ok(value) => Ok(value),
            Err(reason) => Err(self.malformed(Malformed::Slot(reason))),
        }
    }

    fn malformed(&self, reason: Malformed) -> NodeError {
        NodeError::malformed(self.rlp, self.path, reason)
    }
}
