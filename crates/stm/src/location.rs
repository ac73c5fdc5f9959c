//! The vocabulary of conflicts: transactions, locations, and writes to them.
//!
//! All executors, the analysis of a block and the model checks share it. Accounts and slots have the
//! dense indices of the block's pre-state.

use alloy_primitives::U256;

/// Index of a transaction in the block, from 0.
pub type TxIndex = usize;

/// Dense index of an account.
pub type AccountNumber = u32;

/// Unit of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// Balance of an account, in wei.
    Balance(AccountNumber),
    /// Nonce of an account.
    Nonce(AccountNumber),
    /// Code hash of an account. It is zero if the account does not exist, so it also encodes existence.
    Code(AccountNumber),
    /// Storage of an account as a whole. It is written when the storage is cleared. Only reads of slots read
    /// it.
    Storage(AccountNumber),
    /// Slot with a dense index among all slots, and its account.
    Slot(AccountNumber, u32),
    /// Slot without an index, by its key, and its account.
    OtherSlot(AccountNumber, U256),
}

/// A transaction's write to a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Replaces the value.
    Set(U256),
    /// Adds to the value, modulo 2^256. The order of additions does not matter. A subtraction adds the
    /// complement.
    Add(U256),
}

/// Writes of a transaction, ascending by location. Each location occurs at most once.
pub type WriteSet = Vec<(Location, Write)>;
