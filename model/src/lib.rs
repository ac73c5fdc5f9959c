//! Model checks and a simulation of `block-stm`. Its engine, scheduler and memory run on threads
//! with a controlled schedule.
//!
//! The modules below `execution` and `executors` are the package's own sources, not copies. They take locks,
//! condition variables and atomics from `threads::sync`. Here these come from shuttle, which runs
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

#[path = "../../src/execution"]
#[allow(dead_code, reason = "other executors use the rest")]
mod execution {
    //! Names of transactions, locations and events.
    pub mod location;
    pub mod observe;
}

#[path = "../../src/executors"]
#[allow(dead_code, reason = "other executors use the rest")]
mod executors {
    #[path = "block_stm"]
    pub mod block_stm {
        //! The modules that do not depend on the EVM.
        pub mod call_classes;
        pub mod engine;
        pub mod memory;
        mod pending_writes;
        pub mod read_set;
        pub mod running;
        pub mod scheduler;
        pub(crate) mod testing;
        pub mod view;
    }
}

pub mod checks;
#[cfg(feature = "schedules")]
mod modelled;
#[cfg(feature = "schedules")]
pub mod simulation;
pub mod threads;
#[cfg(feature = "schedules")]
mod time;
mod witness;
