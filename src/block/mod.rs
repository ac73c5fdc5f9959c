//! A block ready to execute: [`ReplayJob`], and how a recorded block becomes one.
//!
//! [`prepare`] is the way of recorded blocks to a [`ReplayJob`]: it checks the body against the header, recovers
//! senders, proves the witness against the parent's state root and flattens what the block touches
//! into a `PreState`. After it, nothing in the job rests on a node's word: the block hash certifies the
//! header, the header the body and the parent, the parent's state root every account and slot.
//!
//! A flat pre-state has no such proof: accounts and slots are the node's word, or assumed, and what
//! `verify` can hold against the header ends with the receipts. Before Byzantium receipts hold state
//! roots, so that even they cannot be compared, and gas, bloom and body are all that is checked. A
//! [`Survey`] makes such a block complete when it is fetched; at replay, what is missing is an error.
//!
//! Blocks of tests come on top of states that are known in full: a [`Ledger`] holds those, and makes jobs
//! by the same steps.
//!
//! Executing the job is `executor`'s business, comparing the outcome with the header `verify`'s, and
//! what a user may write for `BLOCKS` is in [`range`].

mod body;
mod flat;
mod flatten;
mod job;
mod ledger;
mod open;
mod prepare;
mod proved;
pub mod range;
mod survey;
mod walk;
mod witness;

pub use body::{BodyError, check_recorded_body};
pub use flat::{FlatError, MalformedCode};
pub use job::{Proof, ReceiptStatus, ReplayJob};
pub use ledger::{FoundedAccount, Ledger, Rehearsal};
pub use open::OpenBlock;
pub use prepare::{Phase, PrepareError, prepare};
pub use proved::WitnessReadError;
pub use survey::{Gap, Survey, Surveyed};
pub use witness::{WitnessError, check_reach};
