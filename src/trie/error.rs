//! What can go wrong with a witness, in three layers: who asked, which node failed, what is wrong with it.
//!
//! [`TrieError`] names the account or slot that could not be proved, its source [`NodeError`] the node
//! and its place, and for a bad node [`Malformed`] the rule that it breaks. None of them says that the
//! state is anything: an unproved account is not an absent one.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::Nibbles;

use super::store::MAX_NODE_BYTES;

/// Why a witness could not be loaded, read or updated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum TrieError {
    /// Something in the witness is far larger than any node of the state.
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
    /// Adds to `source` the account that was asked for.
    pub(super) fn account(address: Address, source: NodeError) -> Self {
        Self::Account { address, source: Box::new(source) }
    }

    /// Adds to `source` the slot that was asked for.
    pub(super) fn slot(address: Address, slot: U256, source: NodeError) -> Self {
        Self::Slot { address, slot, source: Box::new(source) }
    }
}

/// Why the path to a key could not be followed. The path leads from the root of its trie to the node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum NodeError {
    /// A parent names this hash, and the witness holds no such node.
    #[error("trie node {hash} at path {} is missing", hex(.path))]
    Missing { hash: B256, path: Nibbles },

    /// The node is what its hash says, and yet no node of Ethereum's state. One embedded in its
    /// parent has no hash there; it is named by that of its own bytes.
    #[error("trie node {hash} at path {} is malformed", hex(.path))]
    Malformed { hash: B256, path: Nibbles, source: Malformed },
}

impl NodeError {
    /// Says what is wrong with the node that `rlp` holds.
    pub(super) fn malformed(rlp: &[u8], path: Nibbles, source: Malformed) -> Self {
        Self::Malformed { hash: keccak256(rlp), path, source }
    }
}

/// The rule of Ethereum's tries that a node breaks (Yellow Paper, appendices B to D).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Malformed {
    /// Lengths that do not fit, or an encoding that is not the shortest.
    #[error("it is not valid RLP")]
    Rlp(#[from] alloy_rlp::Error),

    /// The list ends before the bytes do.
    #[error("{bytes} bytes follow its end")]
    TrailingBytes { bytes: usize },

    /// Neither a branch nor an extension or leaf.
    #[error("it has neither 2 nor 17 items")]
    ItemCount,

    /// The path's first nibble is none of 0 to 3.
    #[error("its path starts with flags {flags:#x}, which mean nothing")]
    PathFlags { flags: u8 },

    /// The nibble that fills up a path of even length is not zero.
    #[error("the padding of its path is not zero")]
    PathPadding,

    /// Keys have 64 nibbles: a leaf ends at 64, an extension before.
    #[error("it lies at depth {depth} and its path has {nibbles} nibbles, where keys have 64")]
    PathLength { depth: usize, nibbles: usize },

    /// An extension that extends nothing.
    #[error("it is an extension with an empty path")]
    EmptyExtension,

    /// An extension that leads nowhere.
    #[error("it is an extension without a child")]
    NoChild,

    /// All keys have the same length, so none ends at a branch.
    #[error("it is a branch with a value")]
    BranchValue,

    /// A branch where keys have ended.
    #[error("it is a branch at depth 64, where keys have ended")]
    BranchTooDeep,

    /// A branch where no two keys part.
    #[error("it is a branch with {children} children")]
    TooFewChildren { children: usize },

    /// A child is named by 32 bytes, or by none.
    #[error("it names a child by {bytes} bytes instead of 32")]
    ChildHash { bytes: usize },

    /// A child of 32 bytes or more belongs behind its hash.
    #[error("it embeds a child of {bytes} bytes, where 32 and more are hashed")]
    EmbeddedTooLong { bytes: usize },

    /// A child of fewer than 32 bytes belongs inside its parent.
    #[error("its parent names it by its hash, where {bytes} bytes are embedded")]
    NotEmbedded { bytes: usize },

    /// Deleted keys leave the trie, they do not stay with an empty value.
    #[error("it is a leaf without a value")]
    EmptyValue,

    /// Not the RLP of nonce, balance, storage root and code hash.
    #[error("its value is not an account")]
    Account(#[source] alloy_rlp::Error),

    /// Not the RLP of an integer of at most 32 bytes without leading zeros.
    #[error("its value is not a storage word")]
    Slot(#[source] alloy_rlp::Error),

    /// A slot is set to zero by leaving the trie.
    #[error("its value is zero, which storage tries do not hold")]
    ZeroSlot,
}

/// Writes a path as hex digits, one for each nibble.
fn hex(path: &Nibbles) -> String {
    let digits = path.iter().filter_map(|nibble| char::from_digit(u32::from(nibble), 16));
    "0x".chars().chain(digits).collect()
}
