//! Optimistic parallel execution with multi-version memory, after Block-STM (Gelashvili et al., PPoPP 2023).
//!
//! The engine is the crate [`blockrace_stm`], which knows no EVM. Its documentation describes the algorithm and
//! the rule that decides correctness. The page `docs/block-stm.md` lists each optimisation with its measured
//! gain.
//!
//! This module knows Ethereum. The module `vm` executes batches with revm, over the database in `stm_db`. It
//! publishes the beneficiary's fees as additions to its balance. The module `batches` plans the batches.
//! Balance dependencies come from `dependencies`, and write sets from `writes`. One block runs on all threads in
//! `block_execution`. The module `hints` takes expected writes from a block access list. Gas and receipts are added up in `committer`. The modules `final_state` and `collection`
//! read the state after the block from memory. With `early_root`, idle threads update storage tries meanwhile.

mod accounts;
mod batches;
mod block_execution;
mod collection;
mod committer;
mod dependencies;
mod early_root;
mod final_state;
mod hinted;
mod hints;
mod precompiles;
mod record;
mod shared;
mod stm_db;
mod vm;
mod writes;

use super::Sequential;
use crate::{
    block::{ReplayJob, TrieAfter},
    execution::{
        ExecuteError, Execution, Observable,
        observe::{Observer, Unobserved},
        with_root_in_turn,
    },
    threads::{WorkerLimit, WorkerPool},
};
use batches::threads_that_pay;
use block_execution::no_help;
use hints::Hints;
use std::num::NonZeroUsize;

pub(crate) use batches::single;
pub use batches::{Batch, Plan};
pub use hinted::HintedBlockStm;
pub use record::record_accesses;

const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// Block-STM. A block that is too small for it is executed by the baseline's code, and the mode says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockStm {
    /// Executes every block of several transactions with all threads of the pool. Tests use this variant.
    Always,
    /// Executes a block only if it has enough work for two threads. Uses no more threads than have work and
    /// than run at the same time. Races use this variant.
    WhereItPays,
}

impl BlockStm {
    /// Returns the threads that work on the block. Returns `None` if the baseline's code executes it.
    fn limit(self, job: &ReplayJob, pool: &WorkerPool) -> Option<WorkerLimit> {
        let limit = match self {
            Self::Always => WorkerLimit::All,
            // On one thread, the decision is made as for two, so that the mode is the same for all numbers of
            // threads.
            Self::WhereItPays => {
                WorkerLimit::AtMost(threads_that_pay(job, pool.at_once().max(TWO)))
            }
        };
        let is_shared =
            job.transactions.len() > 1 && limit != WorkerLimit::AtMost(NonZeroUsize::MIN);
        is_shared.then_some(limit)
    }

    /// Returns the threads that work on the block and on storage tries meanwhile. Returns `None` if the root is
    /// computed after the execution.
    fn limit_beside_root(self, job: &ReplayJob, pool: &WorkerPool) -> Option<WorkerLimit> {
        let limit = self.limit(job, pool)?;
        let has_threads = self == Self::Always || early_root::pays(pool, limit);
        (has_threads && job.proved_state().is_some()).then_some(limit)
    }

    /// [`Observable::run`] with hints.
    fn run_hinted(
        self,
        job: &ReplayJob,
        pool: &WorkerPool,
        hints: &Hints,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        match self.limit(job, pool) {
            Some(limit) => block_execution::execute(job, pool, limit, hints, (observer, &no_help)),
            None => Sequential.run(job, pool, observer),
        }
    }

    /// [`Observable::run_with_root`] with hints.
    fn run_hinted_with_root<'j>(
        self,
        job: &'j ReplayJob,
        pool: &WorkerPool,
        hints: &Hints,
    ) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
        match self.limit_beside_root(job, pool) {
            Some(limit) => early_root::execute(job, pool, limit, hints),
            None => {
                let execution = self.run_hinted(job, pool, hints, &Unobserved)?;
                Ok(with_root_in_turn(job, pool, execution))
            }
        }
    }
}

impl Observable for BlockStm {
    fn has_work_for_others(&self, job: &ReplayJob, pool: &WorkerPool) -> bool {
        self.limit(job, pool).is_some()
    }

    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        self.run_hinted(job, pool, &Hints::default(), observer)
    }

    fn has_root_beside(&self, job: &ReplayJob, pool: &WorkerPool) -> bool {
        self.limit_beside_root(job, pool).is_some()
    }

    fn run_with_root<'j>(
        &self,
        job: &'j ReplayJob,
        pool: &WorkerPool,
    ) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
        self.run_hinted_with_root(job, pool, &Hints::default())
    }
}
