//! blockrace
pub mod block;
pub mod cache;
pub mod cli;
pub mod commands;
pub mod evm;
pub mod executor;
pub mod fetch;
pub mod measure;
pub mod progress;
pub mod report;
pub mod state;
pub mod trie;
pub mod units;
pub mod verify;
