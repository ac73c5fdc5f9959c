//! Errors of a witness, in three layers.
//!
//! [`TrieError`] names the account or slot that could not be proved. Its source [`NodeError`] names the node
//! and its path. For a bad node, [`Malformed`] names the rule that it breaks. No error makes a statement about
//! the state: an unproved account is not an absent one.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::Nibbles;

use super::store::MAX_NODE_BYTES;

/// The reason that a witness could not be loaded, read or updated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum TrieError {
    /// An entry of the witness is far larger than any node of the state.
    #[error(
        "node {index} of the witness has {size} bytes, over the limit of {MAX_NODE_BYTES}; \
         fetch the witness again"
    )]
    OversizedNode { index: usize, size: usize },

    /// Neither the account nor its absence is proved, or its leaf cannot be updated.
    #[error("the witness does not prove account {address}; fetch the witness again")]
    Account { address: Address, source: Box<NodeError> },

    /// Neither the slot's value nor its absence is proved, or its leaf cannot be updated.
    #[error(
        "the witness does not prove slot {slot:#x} of account {address}; fetch the witness again"
    )]
    Slot { address: Address, slot: U256, source: Box<NodeError> },
}

impl TrieError {
    /// Adds the requested account to `source`.
    pub(super) fn account(address: Address, source: NodeError) -> Self {
        Self::Account { address, source: Box::new(source) }
    }

    /// Adds the requested slot to `source`.
    pub(super) fn slot(address: Address, slot: U256, source: NodeError) -> Self {
        Self::Slot { address, slot, source: Box::new(source) }
    }
}

/// The reason that the path to a key could not be followed. The path leads from the root of the trie to the
/// node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum NodeError {
    /// A parent refers to this hash, but the witness holds no such node.
    #[error("trie node {hash} at path {} is missing", hex(.path))]
    Missing { hash: B256, path: Nibbles },

    /// The node matches its hash but is no valid node of Ethereum's state. For an embedded node, this is the
    /// hash of its own bytes, since its parent holds none.
    #[error("trie node {hash} at path {} is malformed", hex(.path))]
    Malformed { hash: B256, path: Nibbles, source: Malformed },
}

impl NodeError {
    /// Adds the rule that the node in `rlp` breaks.
    pub(super) fn malformed(rlp: &[u8], path: Nibbles, source: Malformed) -> Self {
        Self::Malformed { hash: keccak256(rlp), path, source }
    }
}

/// The rule of Ethereum's tries that a node breaks (Yellow Paper, appendices B to D).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Malformed {
    /// A length does not fit, or an encoding is not the shortest.
    #[error("it is not valid RLP")]
    Rlp(#[from] alloy_rlp::Error),

    /// Bytes follow the end of the list.
    #[error("{bytes} bytes follow its end")]
    TrailingBytes { bytes: usize },

    /// The node is neither a branch nor an extension or leaf.
    #[error("it has neither 2 nor 17 items")]
    ItemCount,

    /// The first nibble of the path is not in the range from 0 to 3.
    #[error("its path starts with flags {flags:#x}, which are not defined")]
    PathFlags { flags: u8 },

    /// The padding nibble of a path of even length is not zero.
    #[error("the padding of its path is not zero")]
    PathPadding,

    /// Keys have 64 nibbles: a leaf ends at depth 64, an extension above.
    #[error("its depth of {depth} and its path of {nibbles} nibbles do not fit keys of 64 nibbles")]
    PathLength { depth: usize, nibbles: usize },

    /// An extension with an empty path.
    #[error("it is an extension with an empty path")]
    EmptyExtension,

    /// An extension without a child.
    #[error("it is an extension without a child")]
    NoChild,

    /// A branch with a value. All keys have the same length, so none ends at a branch.
    #[error("it is a branch with a value")]
    BranchValue,

    /// A branch at the depth where keys end.
    #[error("it is a branch at depth 64, where keys end")]
    BranchTooDeep,

    /// A branch with fewer than two children.
    #[error("it is a branch with {children} children")]
    TooFewChildren { children: usize },

    /// A reference to a child has neither 32 bytes nor none.
    #[error("it refers to a child by {bytes} bytes instead of 32")]
    ChildHash { bytes: usize },

    /// A child of 32 bytes or more must be referred to by its hash.
    #[error("it embeds a child of {bytes} bytes, but a child of 32 bytes or more is hashed")]
    EmbeddedTooLong { bytes: usize },

    /// A child of fewer than 32 bytes must be embedded in its parent.
    #[error("its parent refers to it by its hash, but a node of {bytes} bytes is embedded")]
    NotEmbedded { bytes: usize },

    /// A leaf with an empty value. Deleted keys are removed from the trie.
    #[error("it is a leaf without a value")]
    EmptyValue,

    /// The value is not the RLP of nonce, balance, storage root and code hash.
    #[error("its value is not an account")]
    Account(#[source] alloy_rlp::Error),

    /// The value is not the RLP of an integer of at most 32 bytes without leading zeros.
    #[error("its value is not a storage word")]
    Slot(#[source] alloy_rlp::Error),

    /// A slot with the value zero. Such slots are removed from the trie.
    #[error("its value is zero, which storage tries do not hold")]
    ZeroSlot,
}

/// Writes a path as hex digits, one for each nibble.
fn hex(path: &Nibbles) -> String {
    let digits = path.iter().filter_map(|nibble| char::from_digit(u32::from(nibble), 16));
    "0x".chars().chain(digits).collect()
}
