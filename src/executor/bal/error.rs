//! Why a block access list is not the block's.

use crate::state::StateError;
use alloy_primitives::{Address, U256};
use revm::database_interface::DBErrorMarker;

/// What about a block access list is wrong (EIP-7928). Indices are the list's: 0 is what comes before the
/// transactions, then one for each, then what comes after them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ListError {
    /// Something was read or written that the list leaves out.
    #[error("account {address} is not in the list")]
    AccountMissing { address: Address },
    /// The same for a slot of an account that is listed.
    #[error("slot {slot:#x} of account {address} is not in the list")]
    SlotMissing { address: Address, slot: U256 },
    /// Execution left another nonce, balance or code, or none where the list has one.
    #[error("at index {index}, account {address} became another than the list says")]
    Account { index: u64, address: Address },
    /// Execution left another value, or none where the list has one.
    #[error(
        "at index {index}, slot {slot:#x} of account {address} became another than the list says"
    )]
    Slot { index: u64, address: Address, slot: U256 },
    /// The list has changes that did not happen.
    #[error("at index {index}, the list has {listed} changes, of which {found} happened")]
    Superfluous { index: u64, listed: usize, found: usize },
    /// The list names an account that nobody accessed.
    #[error("account {address} is in the list, and nobody accessed it")]
    AccountUnused { address: Address },
    /// The same for a slot.
    #[error("slot {slot:#x} of account {address} is in the list, and nobody accessed it")]
    SlotUnused { address: Address, slot: U256 },
    /// What the list does not hold is not known.
    #[error(transparent)]
    State(#[from] StateError),
}

impl DBErrorMarker for ListError {}
