//! Adds up the results of committed transactions, in block order.
//!
//! It does not handle state. Multi-version memory holds the state when all transactions have committed.

use super::vm::BatchOutput;
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
    pub(super) fn commit(&mut self, output: BatchOutput) -> ControlFlow<()> {
        match output.and_then(|shares| self.tally.add_all(shares)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
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
