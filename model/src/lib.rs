//! Model checks of `block-stm`, and a simulation: its engine, scheduler and memory, over threads whose every step is
//! chosen.
//!
//! The modules below `executor` are the very sources of the package above, not copies. They take locks,
//! condition variables and atomics from `executor::sync`; here that is shuttle's, which runs one thread at a
//! time and decides at each access who is next. So a schedule that goes wrong is found by search rather than
//! luck, is printed, and can be run again. A deadlock is an error of the schedule, and so is a lost wake-up,
//! since nobody else wakes a sleeper. What shuttle does not model is weak memory: to it every access is
//! sequentially consistent. For that, the same checks run on real threads under miri, without the feature
//! `schedules`.
//!
//! `tests/it/schedules.rs` of the package above runs the checks, so that they are part of its `cargo test`.
//!
//! What is not the package's own source: threads are started by [`threads::WorkerPool`], in place of rayon, and
//! a wait without sleeping gives up after a look, since more of them only repeat schedules.
//!
//! In [`simulation`] threads have clocks, and whoever is furthest behind is next: what the engine would do with a block on
//! more cores than there are.

#[path = "../../src/executor"]
#[allow(dead_code, reason = "most of it is for executors that are not here")]
mod executor {
    pub mod access {
        //! Names that observers know.
        pub use super::block_stm::memory::{Location, TxIndex};
    }
    #[path = "block_stm"]
    pub mod block_stm {
        //! The parts that know no EVM.
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
