//! Execution of transactions with reads and writes that are declared in advance.
//!
//! [`Declared`] holds the declarations by location. The database [`AccessListDb`] finds the values
//! that a transaction reads. For each location the declarations name the last earlier writer, and
//! the value comes from that writer's effects ([`tx_effects`]). There is no multi-version memory.
//! Executors decide *when* a transaction runs. This module only requires that the declared sources
//! of a transaction are done, or will be executed regardless of it. The transaction then waits for
//! them at its read. The module detects reads from other transactions.
//!
//! # Invariants
//!
//! By induction over the block: assume that all earlier transactions kept to their declared writes,
//! and that the sources of a transaction are done. Then the transaction has read the values of
//! block order. Three kinds of values are read without waiting, and are validated at the end
//! ([`final_state`]). The first is the sender's nonce, which the block contains. The second is a
//! balance that must only be sufficient. The third is a balance without a dependency. Nonces
//! without a dependency are read without waiting as well, and do not affect the outcome.
//!
//! # When a declaration is wrong
//!
//! An undeclared read from a transaction that is not done fails. The worker that executes a
//! transaction detects its undeclared writes. In both cases the whole run is discarded, and the
//! block is executed in order.

mod access_list_db;
mod error;
mod final_state;
mod lookup;
mod outcome;
mod run;
mod tx_effects;
mod writers;

pub(crate) use access_list_db::AccessListDb;
pub(crate) use run::{Ran, Run};
pub(crate) use writers::{Declared, account_of, exact_balance};

#[cfg(test)]
mod tests;
