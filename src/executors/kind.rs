//! How an executor presents itself: name, description, oracle knowledge, and how it is made for a block.
//!
//! [`ExecutorFactory`] is the seam for executors from outside this crate. [`ExecutorKind`] is a handle to
//! one; everything above `executors` carries these handles. Which executors a run can choose from is the
//! [`Registry`](super::Registry)'s business.

use crate::{
    block::ReplayJob,
    execution::{ExecuteError, Executor},
};
use std::{cmp::Ordering, fmt, hash, num::NonZeroUsize};

/// How an executor schedules transactions. It decides which bound its speedup is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// One transaction after the other, on any number of threads.
    InOrder,
    /// A transaction waits for the values that earlier transactions write.
    Dependencies,
    /// Every value that a transaction reads is known beforehand, so that no transaction waits.
    Independent,
}

impl Schedule {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InOrder => "in-order",
            Self::Dependencies => "dependencies",
            Self::Independent => "independent",
        }
    }
}

/// An executor as it is chosen by name, and how it is made for a block.
///
/// One value serves a whole run, all blocks and all numbers of threads.
pub trait ExecutorFactory: Send + Sync + fmt::Debug {
    /// The name on the command line and in reports: ASCII letters, digits and hyphens.
    fn name(&self) -> &str;

    /// One line for `--help` and reports.
    fn description(&self) -> &str;

    /// Oracle knowledge: facts about a block that the executor has before it executes the block, and that
    /// the block itself does not contain. Reports mark such an executor with a star. `None` if it has none.
    fn oracle_knowledge(&self) -> Option<&str> {
        None
    }

    /// Whether this block itself contains what is oracle knowledge otherwise.
    fn is_carried_by(&self, _job: &ReplayJob) -> bool {
        false
    }

    /// How it schedules transactions.
    fn schedule(&self) -> Schedule {
        Schedule::Dependencies
    }

    /// Whether the number of threads changes its work. An executor that is not parallel runs on one thread only, and
    /// may be the baseline.
    fn is_parallel(&self) -> bool {
        true
    }

    /// Makes the executor for one block on this number of threads. Oracle knowledge is derived here. This
    /// step is not timed.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks a value that it reads.
    fn prepare(
        &self,
        job: &ReplayJob,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Executor>, ExecuteError>;

    /// Makes the executor for a race. It may leave a block that is too small for several threads to one
    /// thread; its [`ExecutionMode`](super::ExecutionMode) has to say so.
    ///
    /// # Errors
    /// As [`ExecutorFactory::prepare`].
    fn prepare_contender(
        &self,
        job: &ReplayJob,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Executor>, ExecuteError> {
        self.prepare(job, threads)
    }
}

/// A handle to an [`ExecutorFactory`]. Two handles are equal if their names are.
#[derive(Clone, Copy)]
pub struct ExecutorKind(&'static dyn ExecutorFactory);

impl ExecutorKind {
    /// A handle to an executor that lives as long as the process.
    pub const fn new(factory: &'static dyn ExecutorFactory) -> Self {
        Self(factory)
    }

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// One line about it.
    pub fn description(self) -> &'static str {
        self.0.description()
    }

    /// As [`ExecutorFactory::oracle_knowledge`].
    pub fn oracle_knowledge(self) -> Option<&'static str> {
        self.0.oracle_knowledge()
    }

    /// As [`ExecutorFactory::is_carried_by`].
    pub fn is_carried_by(self, job: &ReplayJob) -> bool {
        self.0.is_carried_by(job)
    }

    /// How it schedules transactions.
    pub fn schedule(self) -> Schedule {
        self.0.schedule()
    }

    /// Makes the executor for one block, as [`ExecutorFactory::prepare`].
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks a value that it reads.
    pub fn prepare(
        self,
        job: &ReplayJob,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Executor>, ExecuteError> {
        self.0.prepare(job, threads)
    }

    /// Makes the executor for a race, as [`ExecutorFactory::prepare_contender`].
    ///
    /// # Errors
    /// As [`ExecutorKind::prepare`].
    pub fn contender(
        self,
        job: &ReplayJob,
        threads: NonZeroUsize,
    ) -> Result<Box<dyn Executor>, ExecuteError> {
        self.0.prepare_contender(job, threads)
    }

    /// As [`ExecutorFactory::is_parallel`].
    pub fn is_parallel(self) -> bool {
        self.0.is_parallel()
    }
}

impl PartialEq for ExecutorKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for ExecutorKind {}

impl hash::Hash for ExecutorKind {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl PartialOrd for ExecutorKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ExecutorKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl fmt::Debug for ExecutorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ExecutorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
