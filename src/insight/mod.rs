//! What a block itself allows: who depends on whom, and how fast any schedule could be.
//!
//! A speedup alone says little: 1.7 on two threads is poor where 2 was possible, and excellent where the
//! block allows 1.75. This module finds the bound, and what stands in the way.
//!
//! A [`Study`] starts from two facts about a block: what each transaction reads and writes
//! ([`executor::access`](crate::executor::access)) and how long each takes ([`timeline`]). A [`Model`]
//! says what counts as a conflict, and gives a [`Graph`] of dependencies: whoever reads depends on who
//! wrote what was read, and waits where it reads it. From that follow the critical path and, by
//! [`schedule::simulate`], the bound on a number of threads. [`Analysis`] is all of that about one block, with the conflicts by cause, the
//! hottest contracts and slots, and what would be gained without each.
//!
//! A [`Trace`] is the other side: what each thread of an executor really did in one run, and when results
//! became final ([`Latency`]), and where the threads' time went ([`Spent`]).
//!
//! Correctness lives in the graph: a dependency too few, and an executor could beat the bound; one too
//! many, and the bound is too low. Tests drop single transactions out of real blocks, and compare who
//! notices with what the graph says.
//!
//! The clock is read in [`timeline`] only, and never while executors are measured.

mod analysis;
mod graph;
mod hot;
mod known;
mod latency;
mod model;
pub mod schedule;
mod spent;
mod study;
pub mod timeline;
mod trace;

pub use analysis::{Analysis, Bounds, OrderedCost};
pub use graph::{Dependency, Graph};
pub use hot::{HotSpot, Place};
pub use known::well_known;
pub use latency::Latency;
pub use model::{Model, Ordered, Spot};
pub use spent::Spent;
pub use study::{Start, Study};
pub use trace::{Counted, Effect, Flow, Moment, Point, Span, Trace};
