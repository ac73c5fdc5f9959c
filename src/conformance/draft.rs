//! Recognises tests that were filled for a draft of a fork. Such a draft has other rules, so that its valid blocks
//! are invalid today.
//!
//! Drafts are told by the fields and contracts that a fork received last. A draft that differs in gas alone cannot be
//! told apart.

use super::{fixture::Test, json_header::Named, network::Network};
use crate::evm::{
    BUILDER_DEPOSIT_REQUEST_PREDEPLOY_ADDRESS, BUILDER_EXIT_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::U256;

/// The draft that a test was filled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Draft {
    /// The headers of the fork lack a field.
    #[error("it was filled for a draft of {fork:?}: its headers have no {field} ({eip})")]
    Header {
        /// The fork.
        fork: EthereumHardfork,
        /// The field in words.
        field: &'static str,
        /// The EIP that introduced the field.
        eip: &'static str,
    },
    /// The genesis state lacks the contracts of builder requests.
    #[error(
        "it was filled for a draft of Amsterdam: its state has no builder contracts (EIP-8282)"
    )]
    BuilderContracts,
}

impl Draft {
    /// The draft of the test, if it can be told. `genesis` is the header of the genesis block.
    pub(super) fn of(network: &Network, test: &Test, genesis: &Named) -> Option<Self> {
        let valid = test.blocks.iter().filter_map(|block| block.valid_header());
        let headers = std::iter::once(genesis).chain(valid);
        headers
            .filter_map(|header| Self::of_header(network, header))
            .next()
            .or_else(|| Self::of_state(network, test))
    }

    fn of_header(network: &Network, header: &Named) -> Option<Self> {
        let place = header.place()?;
        // All forks with these fields come at a time.
        let chain = network.chain(place.number, U256::MAX);
        let lacks = |fork, is_there: bool| !is_there && chain.is_active(fork, &place);
        if lacks(EthereumHardfork::Prague, header.has_requests_hash()) {
            let (fork, field, eip) = (EthereumHardfork::Prague, "requests hash", "EIP-7685");
            return Some(Self::Header { fork, field, eip });
        }
        if lacks(EthereumHardfork::Amsterdam, header.has_slot_number()) {
            let (fork, field, eip) = (EthereumHardfork::Amsterdam, "slot number", "EIP-7843");
            return Some(Self::Header { fork, field, eip });
        }
        None
    }

    /// A test of missing contracts expects invalid blocks. So only a test without them tells.
    fn of_state(network: &Network, test: &Test) -> Option<Self> {
        let contracts =
            [BUILDER_DEPOSIT_REQUEST_PREDEPLOY_ADDRESS, BUILDER_EXIT_REQUEST_PREDEPLOY_ADDRESS];
        let is_amsterdam = network.first_fork() >= EthereumHardfork::Amsterdam;
        let is_valid = test.blocks.iter().all(|block| block.valid_header().is_some());
        let lacks = contracts.iter().any(|address| !test.has_code(address));
        (is_amsterdam && is_valid && lacks).then_some(Self::BuilderContracts)
    }
}
