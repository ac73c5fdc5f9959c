//! Reads and writes of each transaction, recorded while the block runs in order.
//!
//! The recording is one untimed execution by the block-stm executor's engine
//! ([`record_accesses`](crate::executors::record_accesses)), at its granularity ([`Location`]). So the records are as precise as that engine. A payment is an addition. A
//! balance that is only paid from must only be sufficient. The sender's nonce is known from the
//! block. Executors with oracle knowledge start from these records. So do the bounds and the
//! bottlenecks that reports show.
//!
//! Dependencies and schedules are derived elsewhere.

use super::{
    dependency::Dependency,
    location::{Location, WriteSet},
};
use alloy_primitives::map::B256Map;
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
    /// Ascending by location. Each location occurs once, with its strictest dependency.
    pub reads: Vec<(Location, Dependency)>,
    /// Ascending by location. Each location occurs once.
    pub writes: WriteSet,
    /// Gas after refunds, as in receipts.
    pub gas: u64,
}
