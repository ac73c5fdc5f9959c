//! blockrace races EVM executors over real Ethereum blocks and checks every lap.
//!
//! It answers one question for any block: how much faster could it have been executed, and is the
//! answer right? This page follows a block from a node to a number.
//!
//! [`fetch`] asks a node for the block and for the witness that proves its pre-state. Nothing the node
//! says is believed: before [`cache`] keeps a block, it was executed once and compared with its header.
//! A cached file is no more trusted than a node. [`block`] makes a [`block::ReplayJob`] of it: the hash
//! certifies the header, the header the body and the parent, the parent's state root every account and
//! slot through the partial tries of [`trie`]. What the block touches is flattened into hash maps
//! ([`state`]), so that execution is not slowed by proofs.
//!
//! [`executor`] has the contestants, behind one trait. All of them run the same EVM ([`evm`]: revm and
//! alloy-evm, which also bring the protocol's rules) over the same flat state, and end with the same
//! kind of outcome. The baseline is alloy-evm's own block executor.
//!
//! [`measure`] is the only reader of the clock. It runs the contestants in shuffled rounds on warm
//! thread pools; what is inside the timer is one function. Each lap's outcome goes to [`verify`], which
//! compares gas, bloom, receipts, requests and state root with the header. A contestant that is wrong
//! once has no times. From the samples follow medians and bootstrap intervals, and warnings where
//! something spoils them; [`report`] writes all of it as a table, a page, Markdown, CSV or JSON, and
//! compares two runs.
//!
//! [`insight`] says what the block itself allows: who depends on whom, the bound that follows, and what
//! stands in the way.
//!
//! [`conformance`] runs Ethereum's own blockchain tests through the same executors and checks.
//!
//! [`commands`] ties this together for the command line of [`cli`], with [`progress`] on the side.
//! Modules depend on those below them only; a test reads the sources and holds that, and which module
//! may use which crate.

pub mod commands;

pub mod cli;
pub mod progress;

pub mod report;

pub mod measure;

pub mod insight;

pub mod conformance;

pub mod verify;

pub mod executor;

pub mod block;

pub mod evm;
pub mod trie;

pub mod state;

pub mod fetch;

pub mod cache;

pub mod units;
