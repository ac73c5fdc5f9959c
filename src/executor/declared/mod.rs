//! Transactions whose reads and writes are declared before they run.
//!
//! [`Declared`] is what was declared, by location; [`AccessListDb`] is where a transaction reads: for every
//! location the declarations say which earlier transaction wrote it last, and its value is taken out of what
//! that one left ([`left`]). Nothing is versioned. *When* a transaction may run is
//! left to executors; this module asks only that those it was declared to read from are done or will be, whatever
//! happens to it: then it waits for them where it reads. It notices if it reads from others.
//!
//! # Invariants
//!
//! By induction over the block: if all transactions before one kept to their declared writes, and those it
//! reads from are done, then it read what block order gives. Three things are read without waiting for
//! anybody, and are checked when the block is put together ([`settled`]): the sender's nonce, which the block
//! tells; balances of which it is enough that they are enough; and balances that nobody asked for. Nonces that nobody
//! asked for are read without waiting, too, and change nothing.
//!
//! # When a declaration is wrong
//!
//! A read that was not declared from a transaction that is not done fails, and a write that was not declared is
//! noticed by the worker that did it. Either way nothing of the run is believed: all of it is thrown away, and the
//! block executed in order.

mod ending;
mod left;
mod lookup;
mod published;
mod run;
mod settled;
mod writers;

pub(super) use published::AccessListDb;
pub(super) use run::{Ran, Run};
pub(super) use writers::{Declared, account_of, exact_balance};

#[cfg(test)]
mod tests;
