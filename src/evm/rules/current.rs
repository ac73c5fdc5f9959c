//! The rules of a node's present fork, from a node that states no others.
//!
//! `eth_config` (EIP-7910) has the blob parameters and the contracts of the present fork, but not its name. The
//! contracts tell which fork it is: P256VERIFY came with Osaka, the contracts for builders came with Amsterdam. A fork
//! that changes blob parameters alone looks like the one before it.

use super::{
    Activation, BlobSchedule, ChainRules, ConfigError, Forks, KnownTimes, blobs, forks::is_optional,
};
use alloy_eips::{
    eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS,
    eip7910::{EthConfig, SystemContract},
};
use alloy_hardforks::EthereumHardfork as Fork;
use alloy_primitives::{Address, address};

/// The precompile P256VERIFY (EIP-7951).
const P256_VERIFY: Address = address!("0x0000000000000000000000000000000000000100");

/// The rules of a node's present fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentRules {
    id: u64,
    pub(super) fork: Fork,
    /// Time of the fork's activation.
    pub(super) since: u64,
    /// Time of the next fork's activation, if one is scheduled.
    until: Option<u64>,
    /// Blob parameters. Before Cancun there are none.
    pub(super) blobs: Option<BlobSchedule>,
    pub(super) deposit_contract: Option<Address>,
    /// The fork id (EIP-2124), if the node states one.
    pub(super) fork_id: Option<[u8; 4]>,
}

impl CurrentRules {
    /// The rules in an answer to `eth_config`.
    ///
    /// # Errors
    /// [`ConfigError`] if the contracts are those of no known fork, or the blob parameters contradict themselves.
    pub fn from_eth_config(answer: &EthConfig) -> Result<Self, ConfigError> {
        let EthConfig { current, next, .. } = answer;
        let has = |contract| current.system_contracts.contains_key(&contract);
        let fork = if has(SystemContract::BuilderDepositContract) {
            Fork::Amsterdam
        } else if current.precompiles.values().any(|address| *address == P256_VERIFY) {
            Fork::Osaka
        } else if has(SystemContract::HistoryStorage) {
            Fork::Prague
        } else if has(SystemContract::BeaconRoots) {
            Fork::Cancun
        } else {
            return Err(ConfigError::NoFork);
        };
        let contract = current.system_contracts.get(&SystemContract::DepositContract);
        Ok(Self {
            id: current.chain_id,
            fork,
            since: current.activation_time,
            until: next.as_ref().map(|next| next.activation_time),
            blobs: Some(BlobSchedule::from(current.blob_schedule).check(fork)?),
            deposit_contract: contract.copied(),
            fork_id: current.fork_id.as_ref().try_into().ok(),
        })
    }

    /// The rules of a development node that runs one fork from genesis on. `others` has what else the node states.
    ///
    /// # Errors
    /// [`ConfigError::NoFork`] if no fork has this name.
    pub fn of_fork(id: u64, name: &str, others: Option<&Self>) -> Result<Self, ConfigError> {
        let fork = match name.to_ascii_lowercase().as_str() {
            "merge" => Fork::Paris,
            lower => lower.parse().map_err(|_| ConfigError::NoFork)?,
        };
        if fork > Fork::Amsterdam {
            return Err(ConfigError::NoFork);
        }
        let blobs = others.and_then(|others| others.blobs).filter(|_| fork >= Fork::Cancun);
        let deposit_contract = others.and_then(|others| others.deposit_contract);
        Ok(Self { id, fork, since: 0, until: None, blobs, deposit_contract, fork_id: None })
    }

    /// The rules of a chain from which nothing else is known. They hold while the present fork is the newest.
    pub fn into_rules(self) -> ChainRules {
        let Self { id, fork, since, until, blobs: stated, deposit_contract, .. } = self;
        let implied = |other: &&Fork| {
            (Fork::Homestead..=fork).contains(*other) && (**other == fork || !is_optional(**other))
        };
        let from_genesis = |fork: &Fork| match *fork > Fork::Paris {
            true => (*fork, Activation::Time(0)),
            false => (*fork, Activation::Block(0)),
        };
        let forks: Forks = Fork::VARIANTS.iter().filter(implied).map(from_genesis).collect();
        let mut blobs = blobs::of_mainnet();
        blobs.extend(stated.map(|stated| (fork, stated)));
        blobs.retain(|fork, _| forks.contains_key(fork));
        let deposit_contract = deposit_contract.unwrap_or(MAINNET_DEPOSIT_CONTRACT_ADDRESS);
        ChainRules { id, forks, blobs, deposit_contract, known: KnownTimes { since, until } }
    }
}
