//! Puts the results of committed transactions together, in block order.
//!
//! State is not touched here: when all is committed, memory has it.

use super::{batches::Batch, vm::BatchOutput};
use crate::{
    block::ReplayJob,
    executor::{ExecuteError, tally::ReceiptAccumulator},
};
use std::ops::ControlFlow;

/// The block's gas and receipts so far.
pub(super) struct Committer<'a> {
    tally: ReceiptAccumulator<'a>,
    failed: Option<ExecuteError>,
}

impl<'a> Committer<'a> {
    /// Nothing committed yet.
    pub(super) fn new(job: &'a ReplayJob) -> Self {
        Self { tally: ReceiptAccumulator::new(job), failed: None }
    }

    /// Commits the next batch; a transaction that makes the block invalid ends it.
    pub(super) fn commit(&mut self, batch: Batch, output: BatchOutput) -> ControlFlow<()> {
        match self.add(batch, output) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn add(&mut self, batch: Batch, output: BatchOutput) -> Result<(), ExecuteError> {
        for (tx, share) in batch.zip(output?) {
            self.tally.add(share).map_err(|source| ExecuteError::transaction(tx, source))?;
        }
        Ok(())
    }

    /// What all transactions add up to.
    ///
    /// # Errors
    /// What made the block invalid.
    pub(super) fn finish(&mut self) -> Result<&mut ReceiptAccumulator<'a>, ExecuteError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(&mut self.tally),
        }
    }
}
