//! The EVM for a block: which chain, which rules, which phases.
//!
//! [`Chain`] says which hardfork and which blob parameters hold at a header; [`BlockContext`] bundles
//! what a block's phases need and makes alloy-evm's block executor over any state. The rules
//! themselves (gas, system calls, rewards, requests) are revm's and alloy-evm's. Scheduling and
//! speculation are the `executor` module's business; flat state is `state`'s.

mod chain;
mod context;
mod receipts;

pub use chain::{Chain, UnknownChain};
pub use context::{BlockContext, BlockRun, FailedPhase, run_block};
pub use receipts::{PlainReceipts, Receipt};

pub use alloy_evm::{
    Database as EvmDatabase, EvmEnv,
    block::{BlockExecutionError, BlockExecutionResult, BlockExecutor, BlockValidationError},
};

/// The gas of a transaction that runs no code and carries no data (Yellow Paper, appendix G).
pub const PLAIN_TRANSFER_GAS: u64 = 21_000;
