//! Measures executors over blocks, and evaluates the samples.
//!
//! [`Plan`] names the executors, their thread counts and the number of iterations. A [`Runner`] runs one block
//! through the plan, and takes the samples. Module [`stats`] computes medians and speedups from the samples of
//! one run, and [`change`] compares two runs. Modules [`spread`] and [`load`] detect conditions that distort
//! figures. Module [`warnings`] reports them with a remedy. Presentation is left to `report`.
//!
//! Correctness lives in `lap` and `reference`: each outcome is verified before its time counts.

mod bootstrap;
pub mod cgroup;
pub mod change;
mod clock;
mod counters;
pub mod energy;
mod lap;
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

pub use clock::{Clock, Stopwatch, SystemClock, utc_now};
pub use lap::prepare_workers;
pub use plan::{Contender, Iterations, Plan, Readiness, Rounds, SelfCheck, Warmup};
pub use runner::{ContenderResult, End, Measured, Race, RunError, Runner};
