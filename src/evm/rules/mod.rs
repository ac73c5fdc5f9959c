//! The rules of any chain: fork activations, blob parameters and the deposit contract.
//!
//! [`ChainRules`] come from a chain configuration ([`ChainRules::from_json`]), from the answer of a node
//! ([`CurrentRules`]), or from a known chain id ([`ChainRules::known`]). They have one canonical encoding, which the
//! cache stores and which [`ChainRules::digest`] hashes. [`Chain::new`](super::Chain::new) makes them ready for a
//! block.

mod blobs;
mod canonical;
mod compare;
mod config;
mod current;
mod error;
mod forks;
mod identity;

pub use blobs::BlobSchedule;
pub use compare::Disagreement;
pub use current::CurrentRules;
pub use error::ConfigError;
pub use forks::Activation;

pub(super) use blobs::of_mainnet;
pub(super) use forks::condition;

use super::UnknownChain;
use alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS;
use alloy_hardforks::{EthereumChainHardforks, EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, B256, address, keccak256};
use blobs::Blobs;
use forks::Forks;
use std::fmt;

/// The rules of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRules {
    id: u64,
    forks: Forks,
    blobs: Blobs,
    deposit_contract: Address,
    known: KnownTimes,
}

/// The times for which rules are known. A node may state the rules of its present fork only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownTimes {
    /// The first known time.
    pub(super) since: u64,
    /// The first time after `since` that is not known; `None` if all are.
    pub(super) until: Option<u64>,
}

impl ChainRules {
    /// The rules of a chain that is known by its id (EIP-155).
    ///
    /// Id 31337 belongs to development nodes such as anvil. They are assumed to run the forks of anvil's
    /// default, up to BPO1, from genesis on. [`is_assumed`](Self::is_assumed) tells.
    ///
    /// # Errors
    /// [`UnknownChain`] for any chain but Ethereum's mainnet, public testnets and development nodes.
    pub fn known(id: u64) -> Result<Self, UnknownChain> {
        let (hardforks, deposit_contract) = match id {
            1 => (EthereumChainHardforks::mainnet(), MAINNET_DEPOSIT_CONTRACT_ADDRESS),
            11_155_111 => (
                EthereumChainHardforks::sepolia(),
                address!("0x7f02c3e3c98b133055b8b348b2ac625669ed295d"),
            ),
            17_000 => (
                EthereumChainHardforks::holesky(),
                address!("0x4242424242424242424242424242424242424242"),
            ),
            // Hoodi's genesis has its deposit contract at mainnet's address.
            560_048 => (EthereumChainHardforks::hoodi(), MAINNET_DEPOSIT_CONTRACT_ADDRESS),
            PLATABERGET => (plataberget_hardforks(), MAINNET_DEPOSIT_CONTRACT_ADDRESS),
            DEVELOPMENT => (development_hardforks(), MAINNET_DEPOSIT_CONTRACT_ADDRESS),
            _ => return Err(UnknownChain(id)),
        };
        Ok(Self::of_table(id, &hardforks, deposit_contract))
    }

    fn of_table(id: u64, table: &EthereumChainHardforks, deposit_contract: Address) -> Self {
        let listed = |fork: &EthereumHardfork| {
            let at = forks::activation(table.ethereum_fork_activation(*fork))?;
            // No block of the chain is before the DAO fork, so its state change never happened there.
            let is_void = *fork == EthereumHardfork::Dao && at == Activation::Block(0);
            (*fork > EthereumHardfork::Frontier && !is_void).then_some((*fork, at))
        };
        let forks: Forks = EthereumHardfork::VARIANTS.iter().filter_map(listed).collect();
        let mut blobs = of_mainnet();
        blobs.retain(|fork, _| forks.contains_key(fork));
        Self { id, forks, blobs, deposit_contract, known: KnownTimes::default() }
    }

    /// Whether the rules of this chain id are an assumption about development nodes.
    pub const fn is_assumed(id: u64) -> bool {
        id == DEVELOPMENT
    }

    /// The chain id that transactions are signed for (EIP-155).
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Keccak-256 of the canonical encoding.
    pub fn digest(&self) -> B256 {
        keccak256(self.encode())
    }

    /// The activation of each fork after Frontier, in the order of the forks.
    pub fn forks(&self) -> impl Iterator<Item = (EthereumHardfork, Activation)> {
        self.forks.iter().map(|(fork, at)| (*fork, *at))
    }

    pub(super) const fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    pub(super) const fn deposit_contract(&self) -> Address {
        self.deposit_contract
    }

    /// The times for which the rules are known.
    pub(super) const fn known_times(&self) -> KnownTimes {
        self.known
    }
}

/// The id of development nodes.
const DEVELOPMENT: u64 = 31_337;

/// The id of Platåberget, the public test network of Amsterdam.
const PLATABERGET: u64 = 7_091_047_534;

/// Platåberget's activation of Amsterdam (EIP-7773).
const PLATABERGET_AMSTERDAM: u64 = 1_787_212_224;

fn development_hardforks() -> EthereumChainHardforks {
    EthereumChainHardforks::new(from_genesis_to(EthereumHardfork::Bpo1))
}

fn plataberget_hardforks() -> EthereumChainHardforks {
    let amsterdam = ForkCondition::Timestamp(PLATABERGET_AMSTERDAM);
    let forks = from_genesis_to(EthereumHardfork::Bpo2);
    EthereumChainHardforks::new(forks.chain([(EthereumHardfork::Amsterdam, amsterdam)]))
}

/// All forks up to `last` from genesis on, except the DAO fork.
fn from_genesis_to(
    last: EthereumHardfork,
) -> impl Iterator<Item = (EthereumHardfork, ForkCondition)> {
    let all = EthereumHardfork::devnet().into_iter();
    all.filter(move |(fork, _)| *fork <= last && *fork != EthereumHardfork::Dao)
}

/// The newest fork and the start of the digest.
impl fmt::Display for ChainRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest().to_string();
        let short = digest.get(..10).unwrap_or(&digest);
        match self.forks.last_key_value() {
            Some((fork, at)) => write!(f, "{short}…, up to {fork} at {at}"),
            None => write!(f, "{short}…, Frontier only"),
        }
    }
}

#[cfg(test)]
mod tests;
