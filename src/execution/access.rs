//! Reads and writes of each transaction, recorded while the block runs in order.
//!
//! The recording is one untimed execution by the block-stm executor's engine
//! ([`record_accesses`](crate::executors::record_accesses)), at its granularity ([`Location`]). So the records are as precise as that engine. A payment is an addition. A
//! balance that is only paid from must only be sufficient. The sender's nonce is known from the
//! block. Executors with oracle knowledge start from these records. So do the bounds and the
//! bottlenecks that reports show.
//!
//! Dependencies and schedules are derived elsewhere.

use super::location::{Location, WriteSet};
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
