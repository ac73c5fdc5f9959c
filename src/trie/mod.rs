//! The part of Ethereum's state trie that a witness proves: lookups and updates.
//!
//! A witness is a heap of trie nodes (Yellow Paper, appendix D). A [`NodeStore`] indexes the nodes by the
//! Keccak-256 of their bytes. A [`StateTrie`] reads accounts and slots and computes the state root after a block.
//! A [`PartialTrie`] is the working copy of one trie while it changes.
//!
//! The module does not know blocks, codes or headers. The caller chooses the state root to trust and compares
//! the computed root with the header. The caller also provides the threads: work runs on the current rayon
//! pool.
//!
//! Correctness lives in two places. Reads depend on hashes alone: from the trusted root down, a node counts
//! only under the hash that its parent refers to. So a witness can omit values but not forge them, and an
//! omitted value is an error, never zero. Writes depend on the shape rules of [`PartialTrie`]. Tests compare
//! these with alloy-trie's root of the whole state.
//!
//! | file | holds |
//! |---|---|
//! | `store` | nodes by hash |
//! | `raw` | reads one node in place and rejects nodes that Ethereum's tries cannot contain |
//! | `lookup` | walks to one key, in place |
//! | `node`, `partial`, `insert`, `remove`, `encode`, `branch_rlp` | the working trie: nodes, insertion, deletion, hashing |
//! | `change` | changes of many keys, split over threads |
//! | `reach` | the nodes that belong to a state |
//! | `needed` | the nodes that a block needs |
//! | `state` | accounts and storage, the root after a block |
//! | `early` | storage tries that are updated before the block has ended |

mod branch_rlp;
mod change;
mod early;
mod encode;
mod error;
mod insert;
mod lookup;
mod needed;
mod node;
mod partial;
mod raw;
mod reach;
mod remove;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use change::{ChangeError, Changes};
pub use early::{EarlySlot, EarlyStorage, EarlyStorages};
pub use error::{Malformed, NodeError, TrieError};
pub use partial::PartialTrie;
pub use state::{Guess, StateTrie, UpdatedTrie};
pub use store::{MAX_NODE_BYTES, NewNodes, NodeStore};
