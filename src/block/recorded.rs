//! What the cache holds: a block and what a node gave of the state before it.
//!
//! Plain data. Nothing in it is verified; see the [module docs](super) for who does that.

use alloy_consensus::{Block, TxEnvelope};
use alloy_primitives::{Bytes, ChainId};

use super::{BlockId, FlatState};

/// A block as a node gave it, with the state before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedBlock {
    /// The chain that the block belongs to (EIP-155).
    pub chain_id: ChainId,

    /// Header, transactions, ommers, and from Shanghai withdrawals.
    pub block: Block<TxEnvelope>,

    /// What is known of the state before the block.
    pub state: RecordedState,
}

/// The state before a block, in one of the two forms that nodes give it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedState {
    /// Proves every value that the block uses, up to the parent's state root.
    Witness(Witness),
    /// The values alone, without proof.
    Flat(FlatState),
}

impl RecordedBlock {
    /// What names this block. Hashes the header.
    pub fn id(&self) -> BlockId {
        BlockId {
            chain_id: self.chain_id,
            number: self.block.header.number,
            hash: self.block.header.hash_slow(),
        }
    }
}

/// What proves a block's pre-state, as `debug_executionWitness` gives it.
///
/// Every list is in the node's own order. When it comes from the cache, all its byte strings share
/// one buffer: keeping a single one alive keeps the whole container's content in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// RLP of trie nodes, of the state trie and storage tries alike.
    pub nodes: Vec<Bytes>,

    /// Contract bytecode.
    pub codes: Vec<Bytes>,

    /// RLP of ancestors' headers, by ascending number; the last one is the parent.
    pub headers: Vec<Bytes>,

    /// Preimages of hashed trie keys: 20-byte addresses, 32-byte slots, or 52 bytes of both. Many
    /// nodes give none, and nothing here depends on them.
    pub keys: Vec<Bytes>,
}
