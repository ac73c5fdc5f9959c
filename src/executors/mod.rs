//! Executors of a whole block, behind one trait ([`Executor`](crate::execution::Executor)).
//!
//! Each executor has its own folder or file, which describes its algorithm. The table of all of
//! them is `built_in`. An [`ExecutorKind`] is a handle to one, and a [`Registry`] holds those that
//! a run can choose from.

mod access_list;
mod bal;
pub mod block_stm;
mod built_in;
mod contained;
mod kind;
mod prefetch;
mod registry;
mod sequential;
mod sequential_tuned;
mod sharded;
mod side_by_side;
mod two_phase;

pub use access_list::AccessList;
pub use bal::Bal;
pub use block_stm::{BlockStm, record_accesses};
pub use contained::{ContainedError, execute_contained};
pub use kind::{ExecutorFactory, ExecutorKind, Schedule};
pub use prefetch::Prefetch;
pub use registry::{NameError, Registry, UnknownExecutor};
pub use sequential::Sequential;
pub use sequential_tuned::SequentialTuned;
pub use sharded::{Partition, Sharded};
pub use side_by_side::SideBySide;
pub use two_phase::TwoPhase;
