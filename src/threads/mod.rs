//! Threads of the executors, and how they hand over work and values.
//!
//! This module knows no block and no EVM. A [`WorkerPool`] runs work on warm threads, and a
//! [`Watchdog`] contains work that panics or does not end.

mod affinity;
mod budgets;
mod deferred_drop;
mod interrupt;
mod pool;
mod spin;
pub(crate) mod tasks;
pub(crate) mod wait_cell;
pub mod watchdog;

pub use affinity::{BoundCaller, Pinning};
pub use deferred_drop::DeferredDrop;
pub use interrupt::Interrupt;
pub(crate) use pool::WorkerLimit;
pub use pool::{Buffers, PoolError, WorkerPool};
pub use watchdog::{ExecutionLimit, Watchdog, WatchdogError};
