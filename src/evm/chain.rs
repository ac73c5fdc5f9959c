//! The rules of a block's chain, ready for execution: fork activations, blob schedules and deposit contracts.
//!
//! [`ChainRules`] say where rules come from. A chain of a test is built from a list of hardforks.

use super::rules::{self, Activation, ChainRules};
use alloy_consensus::BlockHeader;
use alloy_eips::{eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS, eip7840::BlobParams};
use alloy_evm::{EvmEnv, eth::spec::EthExecutorSpec};
use alloy_hardforks::{EthereumChainHardforks, EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, B256};

/// A chain id with unknown rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the hardforks of chain {0} are not known; the known chains are \
     mainnet (1), Sepolia (11155111), Holesky (17000), Hoodi (560048), \
     Platåberget (7091047534) and anvil (31337); \
     give the rules of another chain with --chain-config FILE, such as its genesis.json"
)]
pub struct UnknownChain(pub u64);

/// The reason that the rules of a block are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRules {
    /// The chain is unknown.
    #[error(transparent)]
    Chain(#[from] UnknownChain),
    /// The node stated the rules of its present fork only, and the block is older.
    #[error(
        "block {number} is of time {time}, but the rules of chain {chain} are known from time \
         {since} on only; give all of them with --chain-config FILE, such as the chain's genesis.json"
    )]
    Older {
        /// The block's number.
        number: u64,
        /// The block's time.
        time: u64,
        /// The chain's id.
        chain: u64,
        /// The first known time.
        since: u64,
    },
    /// The node stated the rules of its present fork only, and the block is newer.
    #[error(
        "block {number} is of time {time}, but the rules of chain {chain} are known up to time \
         {until} only; fetch the block again with --overwrite, or give the rules with \
         --chain-config FILE"
    )]
    Newer {
        /// The block's number.
        number: u64,
        /// The block's time.
        time: u64,
        /// The chain's id.
        chain: u64,
        /// The first time that is not known.
        until: u64,
    },
}

/// The rules of one chain over its history.
#[derive(Clone, Debug)]
pub struct Chain {
    id: u64,
    hardforks: EthereumChainHardforks,
    deposit_contract: Address,
    /// Blob parameters by the fork that introduces them (EIP-7840, EIP-7892), ascending by fork.
    blob_schedule: Vec<(EthereumHardfork, BlobParams)>,
    /// Whether blocks before Amsterdam have access lists (EIP-7928), too.
    early_access_lists: bool,
    /// Digest of the rules; `None` for a chain of a test.
    digest: Option<B256>,
}

impl Chain {
    /// The chain with this id (EIP-155), as [`ChainRules::known`].
    ///
    /// # Errors
    /// [`UnknownChain`] for any chain but Ethereum's mainnet, public testnets and development nodes.
    pub fn from_id(id: u64) -> Result<Self, UnknownChain> {
        Ok(Self::of_rules(&ChainRules::known(id)?, None))
    }

    /// The chain of a block: by its own rules if it has some, else by the chain's id.
    ///
    /// # Errors
    /// [`UnknownRules`] if the rules at the time of the block are not known.
    pub fn of_block(
        id: u64,
        rules: Option<&ChainRules>,
        header: &impl BlockHeader,
    ) -> Result<Self, UnknownRules> {
        let Some(rules) = rules else { return Ok(Self::from_id(id)?) };
        let (number, time, chain) = (header.number(), header.timestamp(), rules.id());
        let known = rules.known_times();
        if time < known.since {
            return Err(UnknownRules::Older { number, time, chain, since: known.since });
        }
        if let Some(until) = known.until.filter(|until| time >= *until) {
            return Err(UnknownRules::Newer { number, time, chain, until });
        }
        // A header has no difficulty from the merge on (EIP-3675), and some before.
        let merge = match header.difficulty().is_zero() {
            true => ForkCondition::Block(number),
            false => ForkCondition::Never,
        };
        Ok(Self::of_rules(rules, Some(merge)))
    }

    /// Converts rules. `merge` is the activation of a merge that is known by its total difficulty.
    fn of_rules(rules: &ChainRules, merge: Option<ForkCondition>) -> Self {
        let condition = |at: Activation| match at {
            Activation::TotalDifficulty(_) => merge.unwrap_or(ForkCondition::Never),
            at => rules::condition(at),
        };
        let forks = rules.forks().map(|(fork, at)| (fork, condition(at)));
        let genesis = (EthereumHardfork::Frontier, ForkCondition::ZERO_BLOCK);
        let blobs = rules.blobs().iter();
        Self {
            id: rules.id(),
            hardforks: EthereumChainHardforks::new([genesis].into_iter().chain(forks)),
            deposit_contract: rules.deposit_contract(),
            blob_schedule: blobs.map(|(fork, blobs)| (*fork, blobs.params(*fork))).collect(),
            early_access_lists: false,
            digest: Some(rules.digest()),
        }
    }

    /// A chain with these forks, for example of a test. A fork that is not listed is never active. The deposit
    /// contract and the blob schedule are those of mainnet.
    pub fn of_forks(
        id: u64,
        forks: impl IntoIterator<Item = (EthereumHardfork, ForkCondition)>,
    ) -> Self {
        let hardforks = EthereumChainHardforks::new(forks);
        let deposit_contract = MAINNET_DEPOSIT_CONTRACT_ADDRESS;
        let blobs = rules::of_mainnet().into_iter();
        let blob_schedule = blobs.map(|(fork, blobs)| (fork, blobs.params(fork))).collect();
        Self {
            id,
            hardforks,
            deposit_contract,
            blob_schedule,
            early_access_lists: false,
            digest: None,
        }
    }

    /// Adds block access lists (EIP-7928) to the rules of the forks before Amsterdam. No chain has such rules. Tests
    /// of EIP-7928 alone do.
    #[must_use]
    pub fn with_early_access_lists(mut self) -> Self {
        self.early_access_lists = true;
        self
    }

    /// Whether the block of this header has an access list (EIP-7928).
    pub fn has_access_list(&self, header: &impl BlockHeader) -> bool {
        self.early_access_lists || self.is_active(EthereumHardfork::Amsterdam, header)
    }

    /// Replaces the blob parameters from `fork` on.
    #[must_use]
    pub fn with_blobs(mut self, fork: EthereumHardfork, params: BlobParams) -> Self {
        match self.blob_schedule.binary_search_by_key(&fork, |(from, _)| *from) {
            Ok(index) => self.blob_schedule[index].1 = params,
            Err(index) => self.blob_schedule.insert(index, (fork, params)),
        }
        self
    }

    /// Address of the deposit contract (EIP-6110).
    pub const fn deposit_contract(&self) -> Address {
        self.deposit_contract
    }

    /// The chain id that transactions are signed for (EIP-155).
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Digest of the rules ([`ChainRules::digest`]); `None` for a chain of a test.
    pub const fn digest(&self) -> Option<B256> {
        self.digest
    }

    /// The newest fork that is active at this header, blob-parameter-only forks included.
    pub fn fork(&self, header: &impl BlockHeader) -> EthereumHardfork {
        let newest_first = EthereumHardfork::VARIANTS.iter().rev();
        newest_first
            .copied()
            .find(|fork| self.is_active(*fork, header))
            .unwrap_or(EthereumHardfork::Frontier)
    }

    /// Whether receipts hold a status (EIP-658, Byzantium) instead of a state root.
    pub fn has_status_receipts(&self, header: &impl BlockHeader) -> bool {
        self.is_active(EthereumHardfork::Byzantium, header)
    }

    /// Whether signatures must have a low `s` (EIP-2, Homestead).
    pub fn requires_low_s(&self, header: &impl BlockHeader) -> bool {
        self.is_active(EthereumHardfork::Homestead, header)
    }

    /// Whether signatures may contain the chain id (EIP-155, Spurious Dragon).
    pub fn has_replay_protection(&self, header: &impl BlockHeader) -> bool {
        self.is_active(EthereumHardfork::SpuriousDragon, header)
    }

    /// Whether this block applies the DAO fork's irregular state change (EIP-779).
    pub fn is_dao_fork_block(&self, header: &impl BlockHeader) -> bool {
        self.dao_fork_block() == Some(header.number())
    }

    /// Number of the block with the DAO fork's irregular state change (EIP-779), if the chain has one.
    pub fn dao_fork_block(&self) -> Option<u64> {
        self.hardforks.ethereum_fork_activation(EthereumHardfork::Dao).block_number()
    }

    /// Block and configuration environment of the EVM at this header.
    pub fn evm_env(&self, header: &impl BlockHeader) -> EvmEnv {
        EvmEnv::for_eth_block(header, self, self.id, self.blob_params(header))
    }

    /// Whether the fork is active at this header.
    pub fn is_active(&self, fork: EthereumHardfork, header: &impl BlockHeader) -> bool {
        let condition = self.hardforks.ethereum_fork_activation(fork);
        condition.active_at_timestamp_or_number(header.timestamp(), header.number())
    }

    /// The blob parameters at this header; `None` before Cancun.
    pub fn blob_params(&self, header: &impl BlockHeader) -> Option<BlobParams> {
        let since = |fork| match self.hardforks.ethereum_fork_activation(fork) {
            ForkCondition::Timestamp(time) => time,
            _ => 0,
        };
        let active = self.blob_schedule.iter().filter(|(fork, _)| self.is_active(*fork, header));
        // Blob parameters may change after any fork, so the last activation counts, not the newest name.
        active.max_by_key(|(fork, _)| (since(*fork), *fork)).map(|(_, params)| *params)
    }
}

/// The fork activations that alloy-evm sees.
impl EthereumHardforks for Chain {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        match fork {
            // alloy-evm moves the DAO's ether after the block's transactions. EIP-779 moves it before them,
            // which receipts of that time confirm. So `BlockContext::begin` does it.
            EthereumHardfork::Dao => ForkCondition::Never,
            fork => self.hardforks.ethereum_fork_activation(fork),
        }
    }
}

impl EthExecutorSpec for Chain {
    fn deposit_contract_address(&self) -> Option<Address> {
        Some(self.deposit_contract)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::Header;

    fn fork_at(chain: u64, number: u64, timestamp: u64) -> String {
        let header = Header { number, timestamp, ..Default::default() };
        let chain = Chain::from_id(chain).expect("the test names known chains");
        chain.fork(&header).to_string()
    }

    #[test]
    fn forks_change_exactly_at_their_blocks_and_times() {
        for (number, timestamp, fork) in [
            (0, 0, "Frontier"),
            (1_149_999, 1_457_981_342, "Frontier"),
            (1_150_000, 1_457_981_393, "Homestead"),
            (1_920_000, 1_469_020_840, "Dao"),
            (2_675_000, 1_479_831_344, "SpuriousDragon"),
            (15_537_393, 1_663_224_162, "GrayGlacier"),
            (15_537_394, 1_663_224_179, "Paris"),
            (19_426_586, 1_710_338_123, "Shanghai"),
            (19_426_587, 1_710_338_135, "Cancun"),
        ] {
            assert_eq!(fork_at(1, number, timestamp), fork, "block {number}");
        }
    }

    #[test]
    fn blob_parameters_follow_the_schedule() {
        let chain = Chain::from_id(1).expect("mainnet is known");
        let params_at = |timestamp| {
            chain.blob_params(&Header { number: 23_000_000, timestamp, ..Default::default() })
        };
        assert_eq!(params_at(1_710_338_134), None);
        assert_eq!(params_at(1_710_338_135), Some(BlobParams::cancun()));
        assert_eq!(params_at(1_764_798_551), Some(BlobParams::osaka()));
        assert_eq!(params_at(1_765_290_071), Some(BlobParams::bpo1()));
        assert_eq!(params_at(1_767_747_671), Some(BlobParams::bpo2()));
    }

    #[test]
    fn a_development_chain_runs_anvils_newest_fork_from_genesis() {
        assert_eq!(fork_at(31_337, 1, 1), "Bpo1");
        let header = Header { number: 1, timestamp: 1, ..Default::default() };
        let chain = Chain::from_id(31_337).expect("development nodes are known");
        assert_eq!(chain.blob_params(&header), Some(BlobParams::bpo1()));
        assert!(!chain.is_dao_fork_block(&header));
    }

    #[test]
    fn a_chain_of_forks_has_only_these_forks_and_its_own_blob_schedule() {
        use EthereumHardfork::{Bpo3, Cancun, Prague};
        let forks = [
            (Cancun, ForkCondition::Timestamp(0)),
            (Prague, ForkCondition::Timestamp(100)),
            (Bpo3, ForkCondition::Timestamp(200)),
        ];
        let (own, third) = (BlobParams::prague(), BlobParams::bpo1());
        let chain = Chain::of_forks(1, forks).with_blobs(Cancun, own).with_blobs(Bpo3, third);
        let params_at = |timestamp| chain.blob_params(&Header { timestamp, ..Default::default() });
        assert_eq!(params_at(99), Some(own));
        assert_eq!(params_at(100), Some(BlobParams::prague()));
        assert_eq!(params_at(200), Some(third));
        assert_eq!(chain.dao_fork_block(), None);
    }

    #[test]
    fn an_unknown_chain_is_named() {
        assert_eq!(Chain::from_id(42).map(|chain| chain.id()), Err(UnknownChain(42)));
    }
}
