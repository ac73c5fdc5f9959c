//! Block-STM: optimistic parallel execution of a block of ordered transactions, without an EVM.
//!
//! The outcome equals that of an execution in block order, for every schedule of the threads. The
//! algorithm is that of Gelashvili et al., "Block-STM: Scaling Blockchain Execution by Turning
//! Ordering Curse to a Performance Blessing" (PPoPP 2023).
//!
//! Workers execute the transactions of a block speculatively. Each execution of a transaction is an
//! *incarnation*. It reads the writes of lower transactions from multi-version memory, and records
//! its *read set*. When it ends, it publishes its *write set*. *Validation* reads a read set again
//! and compares the values. An invalid incarnation is *aborted*: its writes become *estimates*, and
//! the transaction is executed again. Transactions *commit* in block order.
//!
//! ```text
//!                 Task                         read             Observed
//!   Scheduler ───────────▶ Worker ──▶ Vm ◀────────────▶ IncarnationView ◀──▶ Memory
//!       ▲                    │                                │                ▲
//!       │                    │ publish the write set          │ read set       │
//!       │                    └───────────────────────────────────────────────┐ │
//!       │                                                     ▼              ▼ │
//!       │  executed, blocked, validated                    ReadSet ──▶ validate against
//!       └────────────── readers that may be stale ◀────────────────── Memory ──┘
//!
//!   Committed transactions ──▶ commit closure, in block order
//! ```
//!
//! # Use
//!
//! The caller brings a [`Vm`](engine::Vm), the threads, and the values before the block. It makes
//! one [`Memory`](memory::Memory), one [`Running`](running::Running) and one
//! [`TxTable`](engine::TxTable) for a block, and runs one [`Worker`](engine::Worker) on each thread.
//! A machine reads through its [`IncarnationView`](view::IncarnationView), which returns only what
//! the block has written, and adds the value before the block itself. `examples/toy_vm.rs` is a
//! complete program.
//!
//! # Correctness
//!
//! One rule decides it (C1 in [`scheduler`]). An incarnation commits only if every value that it
//! read is still the value of block order. Either it started when all lower transactions had
//! committed. Or no value that it may have read has changed since it started or was last validated.
//! Otherwise it must pass a validation after all lower transactions have committed. An incarnation
//! that assumed a value always needs a passed validation. All other rules affect only speed.
//!
//! The machine has one duty: equal reads give an equal result.
//!
//! # Modules
//!
//! | module | task |
//! |---|---|
//! | [`location`] | transactions, locations, and writes to them |
//! | [`engine`] | the main loop of a worker, and the trait `Vm` |
//! | [`scheduler`] | indices and statuses of transactions, and the next task |
//! | [`memory`] | multi-version memory |
//! | [`view`], [`read_set`] | the reads of an incarnation, and their validation |
//! | [`running`], [`call_classes`] | which writer a reader waits for |
//! | [`observe`] | events of a profiled run |
//! | [`sync`] | locks, atomics and spin-waits |
//!
//! # Features
//!
//! - `testing`: the toy machine of the unit tests, with random programs.
//! - `shuttle`: locks, condition variables and atomics come from shuttle, for model checks.

mod budgets;
pub mod call_classes;
pub mod engine;
pub mod location;
pub mod memory;
pub mod observe;
mod pending_writes;
pub mod read_set;
pub mod running;
pub mod scheduler;
pub mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod view;

pub use running::Oversubscribed;
