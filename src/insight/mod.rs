//! Analyses blocks: dependencies, bounds of the speedup, and bottlenecks.
//!
//! A speedup needs a bound for comparison. A speedup of 1.7 on two threads is poor if 2 is possible, and
//! excellent if the bound is 1.75. This module computes the bound and its causes.
//!
//! A [`Study`] holds the accesses ([`execution::access`](crate::execution::access)) and times ([`timeline`]) of
//! each transaction. A [`Model`] defines conflicts, and gives a [`Graph`] of dependencies. A reader depends on
//! the writer of the value, and waits where it reads it. The critical path follows from the graph. So does the
//! bound on a number of threads, by [`schedule::simulate`]. An [`Analysis`] has all of this for one block. It
//! also has the conflicts by cause, the hottest contracts and slots, and the gain without each of them.
//!
//! A [`Trace`] shows a profiled run. It has the activities of each thread, the times at which results became
//! final ([`Latency`]), and the parts of the threads' time ([`Spent`]).
//!
//! Correctness lives in the graph. With a missing dependency, an executor could exceed the bound. With a
//! superfluous one, the bound is too low. Tests remove single transactions from real blocks, and compare the
//! affected transactions with the graph.
//!
//! Only [`timeline`] reads the clock, and never during timed samples. Presentation is left to `report`.

mod analysis;
mod graph;
mod hot;
mod known;
mod latency;
mod model;
mod root;
pub mod schedule;
mod spent;
mod study;
pub mod timeline;
mod trace;

pub use analysis::{Analysis, Bounds, OrderedCost};
pub use graph::{Edge, Graph};
pub use hot::{HotSpot, Place};
pub use known::well_known;
pub use latency::Latency;
pub use model::{Model, Ordered, Spot};
pub use root::{NodeCount, RootWork, StorageWork};
pub use spent::Spent;
pub use study::{Start, Study};
pub use trace::{Counted, Effect, Flow, Moment, Point, Span, Trace};
