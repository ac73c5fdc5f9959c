//! Reads and writes of each transaction, recorded while the block runs in order.
//!
//! The recording is one untimed execution by the block-stm executor's engine, at its granularity
//! ([`Location`]). So the records are as precise as that engine. A payment is an addition. A
//! balance that is only paid from must only be sufficient. The sender's nonce is known from the
//! block. Executors with oracle knowledge start from these records. So do the bounds and the
//! bottlenecks that reports show.
//!
//! Dependencies and schedules are derived elsewhere.

pub use super::block_stm::memory::{AccountNumber, Location, TxIndex, Write, WriteSet};

use super::{
    ExecuteError,
    block_stm::{
        self,
        read_set::{Expected, ReadSet},
    },
};
use crate::block::ReplayJob;
use alloy_primitives::{U256, map::B256Map};
use revm::bytecode::Bytecode;

/// All accesses of a block.
#[derive(Clone, Debug, Default)]
pub struct Accesses {
    /// Writes of the system calls before the first transaction.
    pub before_all: WriteSet,
    /// Accesses of each transaction, in block order.
    pub transactions: Vec<TxAccess>,
    /// Codes that the block deployed, by the hashes that a `Set` of [`Location::Code`] holds.
    pub new_codes: B256Map<Bytecode>,
}

/// Reads and writes of one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxAccess {
    /// Ascending by location. Each location occurs once, with its strictest need.
    pub reads: Vec<(Location, Need)>,
    /// Ascending by location. Each location occurs once.
    pub writes: WriteSet,
    /// Gas after refunds, as in receipts.
    pub gas: u64,
}

/// How a transaction depends on a location that it reads. The variants ascend in strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// No dependency: the block itself contains the value. This is the sender's nonce.
    Known,
    /// The balance must be sufficient. The transaction only pays from it.
    AtLeast {
        /// Required balance, in wei.
        minimum: U256,
        /// Balance of the account before the block, in wei.
        before: U256,
    },
    /// The exact value.
    Exact,
}

impl Need {
    const fn of(expected: &Expected) -> Self {
        match expected {
            Expected::Seen(_) => Self::Exact,
            Expected::Value { .. } => Self::Known,
            Expected::AtLeast { before, minimum } => {
                Self::AtLeast { minimum: *minimum, before: *before }
            }
        }
    }
}

/// Executes the block once, in order, on the calling thread.
///
/// # Errors
/// The block is invalid, or the pre-state lacks a value that the block reads.
pub fn record(job: &ReplayJob) -> Result<Accesses, ExecuteError> {
    block_stm::record(job)
}

/// Each location once, with its strictest need.
pub(super) fn needs(reads: &ReadSet) -> Vec<(Location, Need)> {
    let need = |(location, expected)| (location, Need::of(&expected));
    let mut needs: Vec<_> = reads.iter().map(need).collect();
    needs.sort_unstable_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)));
    needs.dedup_by_key(|(location, _)| *location);
    needs
}

#[cfg(test)]
mod tests;
