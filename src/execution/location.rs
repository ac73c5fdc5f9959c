//! The vocabulary of conflicts: transactions, locations, and writes to them.
//!
//! All executors and the analysis of a block use that of the Block-STM engine. Accounts and slots
//! have the dense indices of the block's pre-state.

pub use blockrace_stm::location::{AccountNumber, Location, TxIndex, Write, WriteSet};
