//! The part of Ethereum's state trie that a witness proves: what it says, and what it becomes.
//!
//! A witness is a heap of trie nodes (Yellow Paper, appendix D). [`NodeStore`] files each under the
//! Keccak-256 of its bytes, [`StateTrie`] reads accounts and slots out of it and computes the state
//! root after a block, and [`PartialTrie`] is the working copy of one trie while it changes.
//!
//! Knows nothing of blocks, codes or headers: the caller says which state root to trust, and compares
//! the root that comes out with the header's. Threads are the caller's too; work is spread over the
//! rayon pool that it runs in.
//!
//! Correctness lives in two places. What is read rests on hashes alone: a node counts only under the
//! hash that its parent names, from the trusted root down, so a witness can withhold but not lie, and
//! what it withholds is an error, never zero. What is written rests on the shape rules of [`PartialTrie`],
//! which the tests compare with alloy-trie's computation over the whole state.
//!
//! | file | holds |
//! |---|---|
//! | `store` | nodes by hash |
//! | `raw` | reads one node in place and refuses what Ethereum's tries cannot hold |
//! | `lookup` | walks to one key, in place |
//! | `node`, `partial`, `remove`, `encode` | the working trie: nodes, insertion, deletion, hashing |
//! | `reach` | which nodes belong to a state at all |
//! | `state` | accounts and storages, the root after a block |

mod encode;
mod error;
mod lookup;
mod node;
mod partial;
mod raw;
mod reach;
mod remove;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use error::{Malformed, NodeError, TrieError};
pub use partial::PartialTrie;
pub use state::{Guess, StateTrie, UpdatedTrie};
pub use store::{MAX_NODE_BYTES, NewNodes, NodeStore};
