//! Bounds the gas of a block, and with it the time of its execution.
//!
//! A node can state any gas limit. The EVM executes at most the gas limit of the block and of its transactions
//! together, so a loop in a block with 2^62 gas would run for years.

use alloy_consensus::{Block, Transaction, TxEnvelope};

/// The most gas that a block may use: more than 100 times the limit of mainnet in 2025. A simple loop needs some
/// seconds for it.
pub const MAX_BLOCK_GAS: u64 = 10_000_000_000;

/// The block may use more than [`MAX_BLOCK_GAS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the block may use {gas} gas, more than {MAX_BLOCK_GAS}, which no supported chain allows; \
     the node made it up"
)]
pub struct GasError {
    gas: u64,
}

/// Checks that neither the stated nor the possible gas of a block exceeds the limit. Development chains have
/// huge gas limits, so the limits of the transactions count as well.
pub(super) fn check_gas(block: &Block<TxEnvelope>) -> Result<(), GasError> {
    let Block { header, body } = block;
    let limits = body.transactions.iter().map(Transaction::gas_limit);
    let possible = limits.fold(0, u64::saturating_add).min(header.gas_limit);
    let gas = possible.max(header.gas_used);
    if gas > MAX_BLOCK_GAS { Err(GasError { gas }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{BlockBody, Header, SignableTransaction as _, TxLegacy};
    use alloy_primitives::Signature;

    fn checked(gas_used: u64, gas_limit: u64, transactions: &[u64]) -> Result<(), GasError> {
        let signed = |gas_limit: &u64| {
            let transaction = TxLegacy { gas_limit: *gas_limit, ..Default::default() };
            transaction.into_signed(Signature::test_signature()).into()
        };
        let transactions = transactions.iter().map(signed).collect();
        let header = Header { gas_used, gas_limit, ..Default::default() };
        check_gas(&Block { header, body: BlockBody { transactions, ..Default::default() } })
    }

    #[test]
    fn the_stated_and_the_possible_gas_are_bounded() {
        let most = MAX_BLOCK_GAS;
        assert!(checked(30_000_000, u64::MAX, &[30_000_000, 21_000]).is_ok());
        assert!(checked(most, most, &[u64::MAX, u64::MAX]).is_ok());
        assert_eq!(checked(0, u64::MAX, &[1 << 62]), Err(GasError { gas: 1 << 62 }));
        assert_eq!(checked(0, u64::MAX, &[most, 1]), Err(GasError { gas: most + 1 }));
        assert_eq!(checked(1 << 62, 0, &[]), Err(GasError { gas: 1 << 62 }));
    }
}
