//! Errors of a block access list that does not match its block.

use crate::state::StateError;
use alloy_primitives::{Address, U256};
use revm::database_interface::DBErrorMarker;

/// A difference between a block access list and its block (EIP-7928). Index 0 stands for the work
/// before the transactions. Each transaction has the next index, and the last index stands for the
/// work after them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ListError {
    /// The block accesses an account that the list omits.
    #[error("account {address} is not in the list")]
    AccountMissing { address: Address },
    /// The block accesses a slot that the list omits. Its account is listed.
    #[error("slot {slot:#x} of account {address} is not in the list")]
    SlotMissing { address: Address, slot: U256 },
    /// The execution gives another nonce, balance or code than the list.
    #[error("at index {index}, account {address} differs from the list")]
    Account { index: u64, address: Address },
    /// The execution gives another value of a slot than the list.
    #[error("at index {index}, slot {slot:#x} of account {address} differs from the list")]
    Slot { index: u64, address: Address, slot: U256 },
    /// The list has changes that the execution does not make.
    #[error("at index {index}, the list has {listed} changes, and the execution makes {found}")]
    Superfluous { index: u64, listed: usize, found: usize },
    /// The list names an account that the block does not access.
    #[error("account {address} is in the list, and the block does not access it")]
    AccountUnused { address: Address },
    /// The list names a slot that the block does not access.
    #[error("slot {slot:#x} of account {address} is in the list, and the block does not access it")]
    SlotUnused { address: Address, slot: U256 },
    /// A value that the list does not carry is unknown.
    #[error(transparent)]
    State(#[from] StateError),
}

impl DBErrorMarker for ListError {}
