//! The content of the cache: a block with its pre-state, as a node answered them.
//!
//! This is plain data, and nothing in it is verified. The [module docs](super) name the code that
//! verifies it.

use alloy_consensus::{Block, TxEnvelope};
use alloy_primitives::{Bytes, ChainId};

use super::{BlockId, FlatState};

/// A block with its pre-state, as a node answered them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedBlock {
    /// The id of the block's chain (EIP-155).
    pub chain_id: ChainId,

    /// Header, transactions, ommers, and from Shanghai withdrawals.
    pub block: Block<TxEnvelope>,

    /// The pre-state, as far as it is known.
    pub state: RecordedState,

    /// RLP of the block access list (EIP-7928). Empty if it is not known; a replay derives it then.
    pub access_list: Bytes,

    /// Encoding of the rules of the block's chain. Empty if they are those of the known chain id.
    pub rules: Bytes,
}

/// The pre-state of a block, in one of the two forms that nodes give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedState {
    /// Proves every value that the block uses, up to the parent's state root.
    Witness(Witness),
    /// The values alone, without proof.
    Flat(FlatState),
}

impl RecordedBlock {
    /// A block of a chain with known rules, without a block access list.
    pub const fn new(chain_id: ChainId, block: Block<TxEnvelope>, state: RecordedState) -> Self {
        Self { chain_id, block, state, access_list: Bytes::new(), rules: Bytes::new() }
    }

    /// Whether the record has the block access list; `None` before Amsterdam.
    pub fn has_access_list(&self) -> Option<bool> {
        self.block.header.block_access_list_hash.map(|_| !self.access_list.is_empty())
    }

    /// The id of this block. Hashes the header.
    pub fn id(&self) -> BlockId {
        BlockId {
            chain_id: self.chain_id,
            number: self.block.header.number,
            hash: self.block.header.hash_slow(),
        }
    }
}

/// The proof of a block's pre-state, as `debug_executionWitness` gives it.
///
/// Every list has the node's own order, until [`reduce`](super::reduce) orders it. All byte strings of a witness from the cache share one
/// buffer. So a single live one keeps the whole content of the container in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// RLP of trie nodes, both of the state trie and of storage tries.
    pub nodes: Vec<Bytes>,

    /// Contract bytecode.
    pub codes: Vec<Bytes>,

    /// RLP of ancestors' headers, by ascending number. The last one is the parent.
    pub headers: Vec<Bytes>,

    /// Preimages of hashed trie keys: 20-byte addresses, 32-byte slots, or 52 bytes of both. Many
    /// nodes give none, and nothing here depends on them.
    pub keys: Vec<Bytes>,
}
