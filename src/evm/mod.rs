//! The EVM for a block: its chain, its rules and its phases.
//!
//! [`ChainRules`] are the rules of a chain: from its configuration, from a node, or by its id. A [`Chain`] gives the
//! hardfork and the blob parameters of a header. A [`BlockContext`] bundles the inputs of a block's phases and creates
//! alloy-evm's block executor over any state. revm and alloy-evm implement the rules themselves: gas, system calls,
//! rewards and requests. The `executors` module does scheduling and speculation, and `state` holds flat state.

mod block_evm;
mod chain;
mod context;
mod deposits;
mod header_fields;
mod receipts;
mod rules;
#[cfg(test)]
mod tests;

pub use block_evm::BlockEvm;
pub use chain::{Chain, UnknownChain, UnknownRules};
pub use context::{BlockContext, BlockRun, FailedPhase, run_block};
pub use header_fields::{FieldError, check_fields};
pub use receipts::{PlainReceipts, Receipt};
pub use rules::{Activation, BlobSchedule, ChainRules, ConfigError, CurrentRules, Disagreement};

pub use alloy_evm::{
    Database as EvmDatabase, EvmEnv,
    block::{
        BlockExecutionError, BlockExecutionResult, BlockExecutor, BlockValidationError,
        system_calls::{
            BUILDER_DEPOSIT_REQUEST_PREDEPLOY_ADDRESS, BUILDER_EXIT_REQUEST_PREDEPLOY_ADDRESS,
        },
    },
};

/// The gas of a transaction without code and data (Yellow Paper, appendix G).
pub const PLAIN_TRANSFER_GAS: u64 = 21_000;
