//! Adds up the results of committed transactions, in block order.
//!
//! It does not handle state. Multi-version memory holds the state when all transactions have committed.

use super::{batches::Batch, vm::BatchOutput};
use crate::{
    block::ReplayJob,
    execution::{ExecuteError, receipts::ReceiptAccumulator},
};
use std::ops::ControlFlow;

/// Gas and receipts of the committed transactions.
pub(super) struct Committer<'a> {
    tally: ReceiptAccumulator<'a>,
    failed: Option<ExecuteError>,
}

impl<'a> Committer<'a> {
    /// Creates a committer without committed transactions.
    pub(super) fn new(job: &'a ReplayJob) -> Self {
        Self { tally: ReceiptAccumulator::new(job), failed: None }
    }

    /// Adds the next batch. Ends the run if a transaction makes the block invalid.
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

    /// Returns the sums over all transactions.
    ///
    /// # Errors
    /// The error that made the block invalid.
    pub(super) fn finish(&mut self) -> Result<&mut ReceiptAccumulator<'a>, ExecuteError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(&mut self.tally),
        }
    }
}
