//! Lists stored and refused blocks for the result file of a fetch.

use crate::{
    block::Confirmation,
    report::fetched::{RefusedBlock, StoredBlock},
    session::{ListSource, Refused, Stored},
    verify::VerifiedTo,
};
use alloy_primitives::BlockNumber;
use std::collections::BTreeMap;

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
            Ok(stored) => self.store(block_number, stored),
            Err(Refused::Failed(error)) => self.refuse(block_number, false, format!("{error:#}")),
            Err(Refused::Mismatch(verdict)) => self.refuse(block_number, true, verdict.to_string()),
        }
    }

    fn store(&mut self, block_number: BlockNumber, Stored { assumed, list, header, .. }: &Stored) {
        let to = if assumed.is_some() { VerifiedTo::Receipts } else { VerifiedTo::StateRoot };
        self.stored.push(StoredBlock {
            block_number,
            block_hash: header.id.hash,
            header: Confirmation::level(header.confirmed.as_ref()),
            confirmed_by: header.confirmed.as_ref().map(ToString::to_string),
            verified_to: to.name(),
            access_list: list.map(ListSource::name),
            assumed: assumed.as_ref().map(ToString::to_string),
        });
    }

    /// Notes the confirmed headers, among them those that a descendant confirms.
    pub(super) fn confirm(&mut self, confirmed: &BTreeMap<BlockNumber, Confirmation>) {
        for block in &mut self.stored {
            let by = confirmed.get(&block.block_number);
            block.header = Confirmation::level(by);
            block.confirmed_by = by.map(ToString::to_string);
        }
    }

    fn refuse(&mut self, block_number: BlockNumber, is_mismatch: bool, what: String) {
        self.refused.push(RefusedBlock { block_number, is_mismatch, what });
    }
}
