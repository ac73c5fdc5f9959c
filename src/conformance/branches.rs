//! Holds the accepted blocks by hash, and the head.

use super::network::Network;
use alloy_consensus::Header;
use alloy_primitives::{
    B256, U256,
    map::{B256Map, HashMap},
};

/// Number of ancestors that `BLOCKHASH` can return.
const REACH: usize = 256;

/// An accepted block.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) header: Header,
    /// Hashes of its ommers.
    pub(super) ommers: Vec<B256>,
    /// Total difficulty of the block and all its ancestors.
    pub(super) total_difficulty: U256,
}

/// All branches that start at one genesis block.
#[derive(Debug)]
pub(super) struct Branches {
    blocks: B256Map<Accepted>,
    head: B256,
    terminal_difficulty: Option<U256>,
}

impl Branches {
    pub(super) fn new(network: &Network, genesis: Header) -> Self {
        let (head, total_difficulty) = (genesis.hash_slow(), genesis.difficulty);
        let genesis = Accepted { header: genesis, ommers: Vec::new(), total_difficulty };
        let blocks = [(head, genesis)].into_iter().collect();
        Self { blocks, head, terminal_difficulty: network.terminal_difficulty() }
    }

    pub(super) fn get(&self, hash: &B256) -> Option<&Accepted> {
        self.blocks.get(hash)
    }

    pub(super) const fn head(&self) -> B256 {
        self.head
    }

    /// The block with this hash and its ancestors, newest first.
    pub(super) fn back_from(&self, hash: B256) -> impl Iterator<Item = (B256, &Accepted)> {
        let known = move |hash: B256| self.blocks.get(&hash).map(|block| (hash, block));
        std::iter::successors(known(hash), move |(_, block)| known(block.header.parent_hash))
    }

    /// The hashes that `BLOCKHASH` can return to a child of `parent`, by number.
    pub(super) fn hashes_up_to(&self, parent: B256) -> HashMap<u64, B256> {
        let ancestors = self.back_from(parent).take(REACH);
        ancestors.map(|(hash, block)| (block.header.number, hash)).collect()
    }

    /// Adds a block, and makes it the head if the rules say so. Before the merge, the greatest total difficulty
    /// decides, then the lower number. After the merge, the last block is the head.
    pub(super) fn add(&mut self, block: Accepted) {
        let hash = block.header.hash_slow();
        let is_final = self.terminal_difficulty.is_some_and(|at| block.total_difficulty >= at);
        let is_heavier = self.blocks.get(&self.head).is_none_or(|head| {
            let weight = |block: &Accepted| (block.total_difficulty, !block.header.number);
            weight(&block) > weight(head)
        });
        if is_final || is_heavier {
            self.head = hash;
        }
        self.blocks.insert(hash, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::fixture::Config;

    fn header(number: u64, parent_hash: B256, difficulty: u64) -> Header {
        Header { number, parent_hash, difficulty: U256::from(difficulty), ..Default::default() }
    }

    fn accepted(header: Header, total: u64) -> Accepted {
        Accepted { header, ommers: Vec::new(), total_difficulty: U256::from(total) }
    }

    fn branches(network: &str) -> Branches {
        let network = Network::new(network, &Config::default(), &[]).expect("a known network");
        Branches::new(&network, header(0, B256::ZERO, 10))
    }

    #[test]
    fn before_the_merge_the_branch_with_the_most_difficulty_has_the_head() {
        let mut branches = branches("London");
        let (light, heavy) = (header(1, branches.head(), 5), header(1, branches.head(), 6));
        let (light_hash, heavy_hash) = (light.hash_slow(), heavy.hash_slow());
        branches.add(accepted(heavy, 16));
        branches.add(accepted(light, 15));
        assert_eq!(branches.head(), heavy_hash);
        branches.add(accepted(header(2, light_hash, 5), 20));
        assert_eq!(branches.hashes_up_to(branches.head())[&1], light_hash);
    }

    #[test]
    fn after_the_merge_the_last_block_is_the_head() {
        let mut branches = branches("Paris");
        let (first, second) = (header(1, branches.head(), 0), header(1, B256::ZERO, 0));
        let second = Header { parent_hash: branches.head(), gas_used: 1, ..second };
        let last = second.hash_slow();
        branches.add(accepted(first, 10));
        branches.add(accepted(second, 10));
        assert_eq!(branches.head(), last);
    }
}
