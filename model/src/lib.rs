//! Model checks and a simulation of `block-stm`. Its engine, scheduler and memory run on threads
//! with a controlled schedule.
//!
//! The engine is the package `blockrace-stm`. With the feature `schedules` it takes locks, condition
//! variables and atomics from shuttle, which runs one thread at a time and chooses the next thread
//! at each access. So a failing schedule is found by search, is printed, and can be repeated. A
//! deadlock fails the schedule. A lost wake-up is such a deadlock, because no other event wakes the
//! sleeping thread. shuttle does not model weak memory: every access is sequentially consistent. So
//! the same checks also run on real threads under miri, without the feature `schedules`.
//!
//! `tests/it/schedules.rs` of the package `blockrace` runs the checks, so they are part of its
//! `cargo test`.
//!
//! Under a schedule a spin-wait ends after a few polls, since more of them would only repeat
//! schedules.
//!
//! In [`simulation`] each thread has a clock, and the thread with the earliest clock is next. This
//! shows the engine on more cores than the machine has.

#[cfg(not(feature = "schedules"))]
use blockrace_stm as stm;
#[cfg(feature = "schedules")]
use blockrace_stm_shuttle as stm;

#[cfg(feature = "schedules")]
use shuttle::thread;
#[cfg(not(feature = "schedules"))]
use std::thread;

pub mod checks;
#[cfg(feature = "schedules")]
pub mod simulation;
mod witness;
