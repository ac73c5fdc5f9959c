//! The block and its state, which all workers share.

use super::accounts::NewCodes;
use crate::{block::ReplayJob, state::Storage, threads::Buffers};
use alloy_primitives::map::B256Map;
use blockrace_stm::memory::Memory;
use revm::bytecode::Bytecode;
use std::cell::Cell;

thread_local! {
    /// Memory of an earlier block. The next block that this thread leads reuses its allocations.
    static MEMORY: Cell<Memory> = Cell::default();
}

/// Block and its state: all that the phases before the transactions need.
pub(super) struct Shared<'a> {
    pub(super) job: &'a ReplayJob,
    pub(super) storage: &'a Storage<'a>,
    pub(super) memory: Memory,
    pub(super) new_codes: NewCodes,
}

impl<'a> Shared<'a> {
    /// Creates the state of a block without writes.
    pub(super) fn new(job: &'a ReplayJob, storage: &'a Storage<'a>) -> Self {
        let base = &job.indexed_state;
        let memory = MEMORY.take().start_over(base.accounts().len(), base.slots().len());
        Self { job, storage, memory, new_codes: NewCodes::default() }
    }

    /// Keeps the memory's allocations for the next block that this thread leads. Returns the codes that were
    /// deployed.
    pub(super) fn leave(self) -> B256Map<Bytecode> {
        if Buffers::here() == Buffers::Kept {
            MEMORY.set(self.memory);
        }
        self.new_codes.into_inner()
    }
}
