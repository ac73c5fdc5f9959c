//! Model checks and a simulation of `block-stm`. Its engine, scheduler and memory run on threads
//! with a controlled schedule.
//!
//! The modules below `executor` are the package's own sources, not copies. They take locks,
//! condition variables and atomics from `executor::sync`. Here these come from shuttle, which runs
//! one thread at a time and chooses the next thread at each access. So a failing schedule is found
//! by search, is printed, and can be repeated. A deadlock fails the schedule. A lost wake-up is
//! such a deadlock, because no other event wakes the sleeping thread. shuttle does not model weak
//! memory: every access is sequentially consistent. So the same checks also run on real threads
//! under miri, without the feature `schedules`.
//!
//! `tests/it/schedules.rs` of the package runs the checks, so they are part of its `cargo test`.
//!
//! Two parts are not the package's own sources. [`threads::WorkerPool`] starts threads in place of
//! rayon. A spin-wait ends after a few polls, since more of them would only repeat schedules.
//!
//! In [`simulation`] each thread has a clock, and the thread with the earliest clock is next. This
//! shows the engine on more cores than the machine has.

#[path = "../../src/executor"]
#[allow(dead_code, reason = "other executors use the rest")]
mod executor {
    pub mod access {
        //! Names that events use.
        pub use super::block_stm::memory::{Location, TxIndex};
    }
    #[path = "block_stm"]
    pub mod block_stm {
        //! The modules that do not depend on the EVM.
        pub mod engine;
        pub mod kinds;
        pub mod memory;
        mod own;
        pub mod read_set;
        pub mod running;
        pub mod scheduler;
        pub(crate) mod testing;
        pub mod view;
    }
    pub mod observe;
    #[cfg(feature = "schedules")]
    pub(crate) use crate::sync;
    #[cfg(not(feature = "schedules"))]
    pub(crate) mod sync;
    pub use crate::threads::{Oversubscribed, WorkerPool};
}

pub mod checks;
#[cfg(feature = "schedules")]
pub mod simulation;
#[cfg(feature = "schedules")]
mod sync;
pub mod threads;
#[cfg(feature = "schedules")]
mod time;
mod witness;
