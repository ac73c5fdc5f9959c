//! Lists stored and refused blocks for the result file of a fetch.

use crate::{
    report::fetched::{RefusedBlock, StoredBlock},
    session::{Refused, Stored},
    verify::VerifiedTo,
};
use alloy_primitives::BlockNumber;

/// The blocks of a fetch, in the order in which they ended.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) stored: Vec<StoredBlock>,
    pub(super) refused: Vec<RefusedBlock>,
}

impl Lists {
    /// Adds the result of a block.
    pub(super) fn add(&mut self, block_number: BlockNumber, result: &Result<Stored, Refused>) {
        match result {
            Ok(Stored::Proved) => self.store(block_number, VerifiedTo::StateRoot, None),
            Ok(Stored::Checked(assumed)) => {
                self.store(block_number, VerifiedTo::Receipts, Some(assumed.to_string()));
            }
            Err(Refused::Failed(error)) => self.refuse(block_number, false, format!("{error:#}")),
            Err(Refused::Mismatch(verdict)) => self.refuse(block_number, true, verdict.to_string()),
        }
    }

    fn store(&mut self, block_number: BlockNumber, to: VerifiedTo, assumed: Option<String>) {
        self.stored.push(StoredBlock { block_number, verified_to: to.name(), assumed });
    }

    fn refuse(&mut self, block_number: BlockNumber, is_mismatch: bool, what: String) {
        self.refused.push(RefusedBlock { block_number, is_mismatch, what });
    }
}
