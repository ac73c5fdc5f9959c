//! A query for cached blocks.

use super::filter::BlockFilter;
use crate::{
    block::range::{BlockSpec, Shard},
    text::shell_word,
};
use alloy_primitives::ChainId;
use std::path::PathBuf;

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
    /// File with the rules under which the blocks are executed. It selects nothing, and is shown in the reported command.
    pub chain_config: Option<PathBuf>,
}

impl BlockQuery {
    /// The arguments that select these blocks and their rules.
    pub fn arguments(&self) -> Vec<String> {
        let chain = self.chain.map(|chain| format!("--chain {chain}"));
        let shard = self.shard.map(|shard| format!("--shard {shard}"));
        let rules = self.chain_config.as_ref();
        let rules =
            rules.map(|file| format!("--chain-config {}", shell_word(&file.display().to_string())));
        self.blocks
            .as_ref()
            .map(ToString::to_string)
            .into_iter()
            .chain(chain)
            .chain(shard)
            .chain(self.filter.arguments())
            .chain(rules)
            .collect()
    }
}
