//! A query for cached blocks.

use super::filter::BlockFilter;
use crate::block::range::{BlockSpec, Shard};
use alloy_primitives::ChainId;

/// A query for cached blocks. The default one finds every block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockQuery {
    /// Numbers of the blocks; `None` for every block.
    pub blocks: Option<BlockSpec>,
    /// EIP-155 chain id of the blocks; `None` for every chain.
    pub chain: Option<ChainId>,
    /// The part of these blocks that this process works on; `None` for all of them.
    pub shard: Option<Shard>,
    /// Further conditions on these blocks, and their order.
    pub filter: BlockFilter,
}

impl BlockQuery {
    /// The arguments that select these blocks.
    pub fn arguments(&self) -> Vec<String> {
        let chain = self.chain.map(|chain| format!("--chain {chain}"));
        let shard = self.shard.map(|shard| format!("--shard {shard}"));
        self.blocks
            .as_ref()
            .map(ToString::to_string)
            .into_iter()
            .chain(chain)
            .chain(shard)
            .chain(self.filter.arguments())
            .collect()
    }
}
