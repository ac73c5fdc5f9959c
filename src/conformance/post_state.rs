//! Compares the state after the last block with the expectation of the test.
//!
//! Each listed account is compared in each field that the test gives, and in each listed slot. Files may list only
//! some accounts. The hash of the last block and `postStateHash` cover the others.

use super::{
    chain::TestChain,
    fixture::{PostAccount, Test},
    quantity::Quantity,
};
use crate::trie::TrieError;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::TrieAccount;
use std::fmt::{Debug, LowerHex};

/// The first difference between a state and the expectation of a test.
#[derive(Debug, thiserror::Error)]
pub enum PostStateError {
    /// The state has another root.
    #[error("the final state has root {actual}, the test says {expected}")]
    Root {
        /// The root in the test.
        expected: B256,
        /// The root of the state.
        actual: B256,
    },
    /// An account exists that must not.
    #[error("account {address} exists in the final state, the test says that it does not")]
    Existence {
        /// The account.
        address: Address,
    },
    /// A field or slot of an account differs.
    #[error(
        "{field} of account {address} is {actual} in the final state, the test says {expected}"
    )]
    Field {
        /// The account.
        address: Address,
        /// The field or slot.
        field: String,
        /// The value in the test.
        expected: String,
        /// The value in the state.
        actual: String,
    },
    /// The state cannot be read.
    #[error("the final state cannot be read")]
    State(#[from] TrieError),
}

/// Compares the state with this root, if the test has an expectation.
///
/// # Errors
/// The first difference.
pub(super) fn check(test: &Test, chain: &TestChain, root: B256) -> Result<(), PostStateError> {
    if let Some(expected) = test.post_state_hash.filter(|expected| *expected != root) {
        return Err(PostStateError::Root { expected, actual: root });
    }
    for (address, expected) in test.post_state.iter().flatten() {
        let address = *address;
        match (expected, chain.account(root, address)?) {
            (None, None) => {}
            (None, Some(_)) => return Err(PostStateError::Existence { address }),
            (Some(expected), actual) => {
                // An absent account reads like an empty one.
                let actual = actual.unwrap_or_default();
                check_fields(address, expected, &actual)?;
                check_slots(address, expected, &actual, chain)?;
            }
        }
    }
    Ok(())
}

fn check_fields(
    address: Address,
    expected: &PostAccount,
    actual: &TrieAccount,
) -> Result<(), PostStateError> {
    let quantity = |quantity: &Option<Quantity>| quantity.map(|quantity| quantity.0);
    same(address, "the nonce", quantity(&expected.nonce), U256::from(actual.nonce))?;
    same(address, "the balance", quantity(&expected.balance), actual.balance)?;
    same(address, "the code hash", expected.code.as_ref().map(keccak256), actual.code_hash)
}

fn check_slots(
    address: Address,
    expected: &PostAccount,
    actual: &TrieAccount,
    chain: &TestChain,
) -> Result<(), PostStateError> {
    for (slot, value) in &expected.storage {
        let found = chain.slot(address, actual.storage_root, slot.0)?;
        same(address, &format!("slot {:#x}", slot.0), Some(value.0), found)?;
    }
    Ok(())
}

fn same<T: PartialEq + LowerHex + Debug>(
    address: Address,
    field: &str,
    expected: Option<T>,
    actual: T,
) -> Result<(), PostStateError> {
    match expected {
        Some(expected) if expected != actual => Err(PostStateError::Field {
            address,
            field: field.to_owned(),
            expected: format!("{expected:#x}"),
            actual: format!("{actual:#x}"),
        }),
        _ => Ok(()),
    }
}
