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
//! Modules `files`, `fixture`, `json_header`, `blobs` and `quantity` read test files and their JSON, and `glob` selects
//! tests by name. Module `network` maps network names to hardforks, `rules` replaces this mapping, and `draft` names
//! tests of drafts, which are not run. Module [`exchange`] converts between recorded blocks and tests. Module `reason` compares refusals with the reasons that a test names, and
//! `post_state` the final state. The rules that need only headers are in `header`,
//! `difficulty` and `ommers`. Module `branches` holds accepted blocks, and `chain` judges the next one. The
//! executors, which must agree, run in `panel`. Module `run` runs one test.

mod blobs;
mod branches;
mod chain;
mod difficulty;
mod draft;
pub mod exchange;
mod files;
mod fixture;
mod glob;
mod header;
mod json_header;
mod network;
mod ommers;
mod panel;
mod post_state;
mod quantity;
mod reason;
mod rules;
mod run;

pub use chain::{Ground, Refusal, Touched, Trouble};
pub use draft::Draft;
pub use files::{FilesError, Found, SkipReason, Skipped, TestFile, read_tests, visit};
pub use fixture::{GenesisError, Test, tests};
pub use glob::Glob;
pub use header::HeaderError;
pub use network::NetworkError;
pub use ommers::OmmerError;
pub use panel::{Agreed, Disagreement, Made, Member, Panel};
pub use post_state::PostStateError;
pub use rules::{NetworkRules, RulesError};
pub use run::{Blocks, Ending, Failure, OutOfScope, Refused, Run, run};
