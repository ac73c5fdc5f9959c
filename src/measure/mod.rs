//! Measuring: who races, in which order, what the clock says, and what follows from it.
//!
//! [`Plan`] says which executors run on how many threads and how often; [`Runner`] runs one block
//! through it and is the only reader of the clock; [`stats`] draws conclusions from the samples.
//! Showing them is `report`'s business.
//!
//! Correctness lives in [`runner`]: every lap is verified before its time counts.

mod clock;
pub mod plan;
pub mod runner;
pub mod sample;
pub mod stats;

pub use clock::{Stopwatch, timed};
pub use plan::{Contestant, Plan};
pub use runner::{Finish, Measured, RunError, Runner};
