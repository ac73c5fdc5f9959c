//! Execution of transactions with reads and writes that are declared in advance.
//!
//! [`Declared`] holds the declarations by location. The database [`Published`] finds the values
//! that a transaction reads. For each location the declarations name the last earlier writer, and
//! the value comes from that writer's effects ([`left`]). There is no multi-version memory.
//! Executors decide *when* a transaction runs. This module only requires that the declared sources
//! of a transaction are done, or will be executed regardless of it. The transaction then waits for
//! them at its read. The module detects reads from other transactions.
//!
//! # Invariants
//!
//! By induction over the block: assume that all earlier transactions kept to their declared writes,
//! and that the sources of a transaction are done. Then the transaction has read the values of
//! block order. Three kinds of values are read without waiting, and are validated at the end
//! ([`settled`]). The first is the sender's nonce, which the block contains. The second is a
//! balance that must only be sufficient. The third is a balance without a dependency. Nonces
//! without a dependency are read without waiting as well, and do not affect the outcome.
//!
//! # When a declaration is wrong
//!
//! An undeclared read from a transaction that is not done fails. The worker that executes a
//! transaction detects its undeclared writes. In both cases the whole run is discarded, and the
//! block is executed in order.

mod ending;
mod left;
mod lookup;
mod published;
mod run;
mod settled;
mod writers;

pub(super) use published::Published;
pub(super) use run::{Ran, Run};
pub(super) use writers::{Declared, account_of, exact_balance};

#[cfg(test)]
mod tests;
