//! Compares outcomes with block headers and with each other.
//!
//! [`check`] compares an executor's outcome with the block's header. It checks gas, blob gas, bloom, receipts
//! root, requests and state root in this order and reports the first difference. On a flat pre-state no state
//! root can be computed; [`VerifiedTo`] gives the extent of a verdict. A difference is a [`Verdict`], not an
//! error. Every report shows a measured value beside its verdict. [`verify_block`] prepares, executes and
//! checks one recorded block. [`first_difference`] compares two outcomes, for tests and for debugging an
//! executor.

mod block;
mod diff;
mod header;

pub use block::{Reduced, Step, VerifyError, guesses, verify_and_reduce, verify_block};
pub use diff::{Difference, first_difference};
pub use header::{Check, Verdict, VerifiedTo, check, seal, wrong_list};
