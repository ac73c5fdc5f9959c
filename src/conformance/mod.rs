//! Ethereum's own blockchain tests: a genesis state, blocks, and what must come of them.
//!
//! A file, a folder or a release archive ([`visit`]) holds tests by name ([`tests`]). [`run`] takes one from its genesis
//! block to its last: it keeps the chain with all its branches, checks headers and ommers by their parents
//! and ancestors, has every block executed by all executors of a [`Panel`], and compares what comes of it
//! with the block's header, to the state root, and with what the test says.
//!
//! The state is known in full, and yet a block comes to the executors by the way of a real one: a
//! `Ledger` gives a witness that lacks nothing. Proof of work is not looked at; a block that is invalid for
//! its seal alone is counted as out of scope, as is a test whose rules are not here.
//!
//! | file | holds |
//! |---|---|
//! | `files`, `glob`, `fixture`, `quantity` | test files and their JSON |
//! | `network` | hardforks by the name of a network |
//! | `header`, `difficulty`, `ommers` | rules that need headers only |
//! | `branches`, `chain` | blocks that were accepted, and judging the next |
//! | `panel` | executors, which must agree |
//! | `run` | one test |

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
