//! Measuring: who races, in which order, what the clock says, and what follows from it.
//!
//! [`Plan`] says which executors run on how many threads and how often; [`Runner`] runs one block
//! through it and is the only reader of the clock; [`stats`] draws conclusions from the samples,
//! [`change`] from those of two runs. [`spread`] and [`load`] look for what spoils numbers, and
//! [`warnings`] says so, with the remedy. Showing all of it is `report`'s business.
//!
//! Correctness lives in [`runner`]: every lap is verified before its time counts.

mod bootstrap;
pub mod change;
mod clock;
mod counters;
pub mod load;
pub mod plan;
mod reference;
pub mod runner;
pub mod sample;
pub mod spread;
pub mod stats;
mod track;
pub mod warmup;
pub mod warnings;

pub use clock::{Clock, Stopwatch, SystemClock};
pub use plan::{Contestant, Iterations, Plan, Readiness, Rounds, SelfCheck, Warmup};
pub use runner::{End, Finish, Measured, Race, RunError, Runner};
pub use track::line_up;
