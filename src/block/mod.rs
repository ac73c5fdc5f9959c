//! A block ready to execute: [`ReplayJob`], and how a recorded block becomes one.
//!
//! [`prepare`] is the only way to a [`ReplayJob`]: it checks the body against the header, recovers
//! senders, proves the witness against the parent's state root and flattens what the block touches
//! into a `PreState`. After it, nothing in the job rests on a node's word: the block hash certifies the
//! header, the header the body and the parent, the parent's state root every account and slot.
//!
//! Executing the job is `executor`'s business, comparing the outcome with the header `verify`'s, and
//! what a user may write for `BLOCKS` is in [`range`].

mod body;
mod flatten;
mod job;
mod prepare;
pub mod range;
mod witness;

pub use body::{BodyError, check_body};
pub use flatten::WitnessReadError;
pub use job::ReplayJob;
pub use prepare::{Phase, PrepareError, prepare};
pub use witness::WitnessError;
