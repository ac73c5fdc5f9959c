//! Is the outcome the one that the network agreed on?
//!
//! [`check`] compares what an executor produced with the block's header: gas, blob gas, receipts root,
//! bloom, requests and state root, in the order in which a difference is most telling.
//! A difference is a [`Verdict`], not an error; whoever shows a number shows it beside its verdict.
//! [`verify_block`] goes the whole way of one recorded block, [`first_difference`] compares two outcomes with each other, for tests and for finding out what a
//! wrong executor did.

mod block;
mod diff;
mod header;

pub use block::{Step, VerifyError, guesses, verify_block};
pub use diff::{Difference, first_difference};
pub use header::{Check, Verdict, check};
