//! What each transaction of a block reads and writes when the block runs in order.
//!
//! One execution that nobody times, with the block-stm executor's own machine and at its granularity
//! ([`Location`]), so that what is sharp there is sharp here: payments are additions, a balance that was
//! only paid from need only be enough, and the sender's nonce is known from the block. Whoever needs to
//! know accesses beforehand starts here, and so does everything that says what a block allows.
//!
//! What follows from the accesses (dependencies, schedules) is left to others.

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
    /// What the system calls before the first transaction wrote.
    pub before_all: WriteSet,
    /// One for each transaction, in block order.
    pub transactions: Vec<TxAccess>,
    /// The codes that the block deployed, by the hashes that `Set`s of [`Location::Code`] hold.
    pub new_codes: B256Map<Bytecode>,
}

/// What one transaction reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxAccess {
    /// Ascending by location; each at most once, with the strictest need.
    pub reads: Vec<(Location, Need)>,
    /// Ascending by location; each at most once.
    pub writes: WriteSet,
    /// After refunds, as receipts count it.
    pub gas: u64,
}

/// What a transaction needs to know of a location that it reads, the laxest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing: the block itself says it. The sender's nonce.
    Known,
    /// That there is enough. A balance that was paid from.
    AtLeast {
        /// In wei.
        minimum: U256,
        /// What the account had before the block, in wei.
        before: U256,
    },
    /// The value.
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
/// The block is invalid, or the pre-state lacks what it reads.
pub fn record(job: &ReplayJob) -> Result<Accesses, ExecuteError> {
    block_stm::record(job)
}

/// Each location once, with the strictest of its needs.
pub(super) fn needs(reads: &ReadSet) -> Vec<(Location, Need)> {
    let need = |(location, expected)| (location, Need::of(&expected));
    let mut needs: Vec<_> = reads.iter().map(need).collect();
    needs.sort_unstable_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)));
    needs.dedup_by_key(|(location, _)| *location);
    needs
}

#[cfg(test)]
mod tests;
