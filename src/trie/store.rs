//! The nodes of a witness, indexed by the Keccak-256 of their bytes.
//!
//! The store trusts and checks nothing else about a node. Order, duplicates and unneeded nodes make no
//! difference. A walk checks that the bytes are a valid node when it reaches them.

use alloy_primitives::{B256, Bytes, keccak256, map::B256Map};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles};

use super::{
    error::{Malformed, NodeError, TrieError},
    raw::{HASHED_FROM, Reference},
};

/// Maximum size in bytes of one entry of a witness.
///
/// The largest real node is a full branch of 532 bytes. The limit tolerates unneeded entries, but avoids
/// hashing gigabytes of a malicious file.
pub const MAX_NODE_BYTES: usize = 64 * 1024;

/// Trie nodes by hash. They belong to all tries of a state and have no order.
#[derive(Clone, Debug, Default)]
pub struct NodeStore {
    nodes: B256Map<Bytes>,
}

/// Nodes that a working trie created, with their hashes.
#[derive(Clone, Debug, Default)]
pub struct NewNodes(Vec<(B256, Bytes)>);

impl NewNodes {
    /// Adds a node. `hash` must be the hash of `rlp`.
    pub(super) fn push(&mut self, hash: B256, rlp: Bytes) {
        self.0.push((hash, rlp));
    }

    /// The RLP of each node. No order is promised.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(_, rlp)| &rlp[..])
    }
}

impl NodeStore {
    /// Adds the nodes of a working trie, so that the state after a block can be read as well.
    pub fn absorb(&mut self, made: NewNodes) {
        self.nodes.extend(made.0);
    }

    /// Hashes and stores the nodes of a witness, given as RLP.
    ///
    /// # Errors
    ///
    /// [`TrieError::OversizedNode`] for an entry of more than [`MAX_NODE_BYTES`].
    pub fn new(nodes: impl IntoIterator<Item = Bytes>) -> Result<Self, TrieError> {
        let hashed = nodes.into_iter().enumerate().map(|(index, rlp)| match rlp.len() {
            ..=MAX_NODE_BYTES => Ok((keccak256(&rlp), rlp)),
            size => Err(TrieError::OversizedNode { index, size }),
        });
        Ok(Self { nodes: hashed.collect::<Result<_, _>>()? })
    }

    /// The node with this hash, if the witness contains it.
    pub(super) fn get(&self, hash: &B256) -> Option<&[u8]> {
        self.nodes.get(hash).map(AsRef::as_ref)
    }

    /// The bytes of the node with this hash, shared with the witness.
    pub(super) fn shared(&self, hash: &B256) -> Option<Bytes> {
        self.nodes.get(hash).cloned()
    }

    /// The hashes of all nodes, in no order.
    pub(super) fn hashes(&self) -> impl Iterator<Item = &B256> {
        self.nodes.keys()
    }

    /// The root node of a trie, or `None` for the empty trie. A root is hashed even if it is short.
    ///
    /// # Errors
    ///
    /// [`NodeError::Missing`] if the witness lacks it.
    pub(super) fn root_node(&self, root: &B256) -> Result<Option<&[u8]>, NodeError> {
        if *root == EMPTY_ROOT_HASH {
            return Ok(None);
        }
        let missing = || NodeError::Missing { hash: *root, path: Nibbles::new() };
        self.get(root).map(Some).ok_or_else(missing)
    }

    /// The RLP of the node at `path` behind `reference`.
    ///
    /// # Errors
    ///
    /// [`NodeError::Missing`] if the witness lacks the node with this hash. [`NodeError::Malformed`] if the
    /// node is too short to be referred to by hash.
    pub(super) fn follow<'a>(
        &'a self,
        reference: Reference<'a>,
        path: Nibbles,
    ) -> Result<&'a [u8], NodeError> {
        let hash = match reference {
            Reference::Embedded(rlp) => return Ok(rlp),
            Reference::Hash(hash) => hash,
        };
        match self.get(hash) {
            None => Err(NodeError::Missing { hash: *hash, path }),
            Some(rlp) if rlp.len() < HASHED_FROM => {
                let reason = Malformed::NotEmbedded { bytes: rlp.len() };
                Err(NodeError::malformed(rlp, path, reason))
            }
            Some(rlp) => Ok(rlp),
        }
    }
}
