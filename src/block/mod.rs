//! Blocks ready to execute: [`ReplayJob`], and how a recorded block becomes one.
//!
//! [`prepare`] checks the body against the header and recovers the senders. It proves the witness against the
//! parent's state root and flattens the accessed state into a `PreState`. No value in the job then depends on
//! trust in a node. The block hash certifies the header, and the header certifies the body and the parent. The
//! parent's state root certifies every account and slot.
//!
//! A flat pre-state has no such proof: its accounts and slots come from a node unproved, or are assumed.
//! `verify` can then compare gas, bloom, receipts and body with the header, but not the state root. Before
//! Byzantium, receipts contain state roots, so only gas, bloom and body can be compared. A [`TraceCompletion`] completes
//! such a block when it is fetched. A value that is missing at replay is an error.
//!
//! Blocks of tests are built on fully known states. A [`FullState`] holds these states and makes jobs by the same
//! steps.
//!
//! `executors` executes a job, and `verify` compares the result with the header. [`range`] parses the `BLOCKS`
//! argument.

mod access_list;
mod block_id;
mod body;
mod confirmation;
mod flat;
mod flat_state;
mod flatten;
mod gas;
mod job;
mod ledger;
mod merge;
mod open;
mod prepare;
mod proved;
pub mod range;
mod reads;
mod recorded;
mod reduce;
mod rules;
mod survey;
mod traced;
mod walk;
mod witness;

pub use access_list::{
    AccessListFacts, BlockAccessList, DerivedList, ListDifference, ListedField, MalformedList,
    OwnList, WrongList, derive_access_list, empties_storage, index_of, transaction_of,
};
pub use block_id::BlockId;
pub use body::{BodyError, check_recorded_body};
pub use confirmation::Confirmation;
pub use flat::{FlatError, MalformedCode};
pub use flat_state::{Assumed, FlatAccount, FlatFields, FlatState};
pub use gas::{GasError, MAX_BLOCK_GAS};
pub use job::{Proof, ReceiptStatus, ReplayJob, TrieAfter};
pub use ledger::{FoundedAccount, FullState, Rehearsal};
pub use merge::{MergeError, MergedCounts, merge};
pub use open::OpenBlock;
pub use prepare::{Phase, PrepareError, prepare, prepare_and_execute};
pub use proved::WitnessReadError;
pub use reads::missing_reads;
pub use recorded::{RecordedBlock, RecordedState, Witness};
pub use reduce::{Unneeded, reduce};
pub use rules::{RulesError, chain_of, stored_rules};
pub use survey::{MissingState, Surveyed, TraceCompletion};
pub use traced::{AccountFields, TracedAccount, TracedBlock, TracedSlot, TracedState};
pub use walk::Executed;
pub use witness::{WitnessError, check_reach};
