//! Runs Ethereum's official blockchain tests: a genesis state, blocks, and the expected results.
//!
//! A file, a folder or a release archive ([`visit`]) holds tests by name ([`tests`]). The function [`run`]
//! executes one test from its genesis block to its last block. It keeps the chain with all branches, and checks
//! headers and ommers against their parents and ancestors. All executors of a [`Panel`] execute every block.
//! The outcome is compared with the block's header, up to the state root, and with the expectation of the test.
//!
//! The complete state is known. A block still reaches the executors like a real one: a `FullState` creates a
//! complete witness. Proof of work is not checked. A block that is invalid only because of its seal is counted
//! as out of scope. So is a test that needs missing rules.
//!
//! Modules `files`, `fixture` and `quantity` read test files and their JSON, and `glob` selects tests by name.
//! Module `network` maps network names to hardforks. The rules that need only headers are in `header`,
//! `difficulty` and `ommers`. Module `branches` holds accepted blocks, and `chain` judges the next one. The
//! executors, which must agree, run in `panel`. Module `run` runs one test.

mod branches;
mod chain;
mod difficulty;
mod files;
mod fixture;
mod glob;
mod header;
mod network;
mod ommers;
mod panel;
mod quantity;
mod run;

pub use chain::{Ground, Refusal, Touched, Trouble};
pub use files::{FilesError, TestFile, visit};
pub use fixture::{Test, tests};
pub use glob::Glob;
pub use header::HeaderError;
pub use network::NetworkError;
pub use ommers::OmmerError;
pub use panel::{Agreed, Disagreement, Made, Member, Panel};
pub use run::{Blocks, Ending, Failure, OutOfScope, Refused, Run, run};
