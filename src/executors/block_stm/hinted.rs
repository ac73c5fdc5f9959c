//! Block-STM with hints from a block access list.

use super::{BlockStm, hints::Hints};
use crate::{
    block::{ReplayJob, TrieAfter},
    execution::{ExecuteError, Execution, Observable, observe::Observer},
    threads::WorkerPool,
};

/// Block-STM with hints, for one block.
#[derive(Debug)]
pub struct HintedBlockStm {
    stm: BlockStm,
    hints: Hints,
}

impl HintedBlockStm {
    /// Takes the hints from the block's own list, or from one that is derived from a sequential run.
    ///
    /// # Errors
    /// The block has no list and is invalid, or the pre-state lacks a value that it reads.
    pub fn prepare(stm: BlockStm, job: &ReplayJob) -> Result<Self, ExecuteError> {
        Ok(Self { stm, hints: Hints::prepare(job)? })
    }
}

impl Observable for HintedBlockStm {
    fn has_work_for_others(&self, job: &ReplayJob, pool: &WorkerPool) -> bool {
        Observable::has_work_for_others(&self.stm, job, pool)
    }

    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        self.stm.run_hinted(job, pool, &self.hints, observer)
    }

    fn has_root_beside(&self, job: &ReplayJob, pool: &WorkerPool) -> bool {
        Observable::has_root_beside(&self.stm, job, pool)
    }

    fn run_with_root<'j>(
        &self,
        job: &'j ReplayJob,
        pool: &WorkerPool,
    ) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
        self.stm.run_hinted_with_root(job, pool, &self.hints)
    }
}
