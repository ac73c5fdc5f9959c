//! Fetches what execution found missing in a witness.
//!
//! This works for witnesses of any origin. A flat state gets only ancestors here: `block::TraceCompletion`
//! completes it before the proof. The code that executes the block names the missing items. Another
//! execution shows whether more are missing. [`Node::complete_by_trace`] is for witnesses with
//! so many missing items that this would take long.

use std::collections::HashSet;

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, BlockNumber, U256};

use super::{
    super::{block_error::FetchError, node::Node},
    gather::append,
    siblings::cut_back,
    touched::Touched,
    trace::{TraceMode, Wanted},
};
use crate::block::{RecordedBlock, RecordedState, Witness};

/// Data that a block needs and its witness lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// An account, or the proof of its absence.
    Account(Address),
    /// A slot's value.
    Slot(Address, U256),
    /// The code of an account.
    Code(Address),
    /// The header of an ancestor. A flat state may need it too.
    Ancestor(BlockNumber),
    /// Nodes that deletions left as the only child of a branch, and that are known by hash only.
    Siblings(Vec<Sibling>),
    /// Several of the others.
    Several(Vec<Missing>),
}

/// Missing data, sorted by the calls that fetch it.
#[derive(Debug, Default)]
struct Requests<'a> {
    touched: Touched,
    codes: Vec<Address>,
    siblings: &'a [Sibling],
    /// The oldest missing ancestor.
    ancestor: Option<BlockNumber>,
}

/// A trie node that a deletion left as the only child of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// The account that was deleted, or that owns the deleted slot.
    pub address: Address,
    /// The deleted slot. `None` if the account itself was deleted.
    pub slot: Option<U256>,
    /// The node's Keccak-256.
    pub hash: B256,
}

/// Result of completing a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The witness holds more than before.
    Added,
    /// The node gave no new data. Asking again would not help.
    NothingNew,
}

impl<'a> Requests<'a> {
    fn add(&mut self, missing: &'a Missing) {
        match missing {
            Missing::Account(of) => self.touched.touch(*of, []),
            Missing::Slot(of, slot) => self.touched.touch(*of, [*slot]),
            Missing::Code(of) => self.codes.push(*of),
            Missing::Siblings(siblings) => self.siblings = siblings,
            Missing::Ancestor(number) => {
                let oldest = self.ancestor.map_or(*number, |other| other.min(*number));
                self.ancestor = Some(oldest);
            }
            Missing::Several(all) => all.iter().for_each(|one| self.add(one)),
        }
    }
}

impl Node {
    /// Fetches the missing data and adds it to the block's witness. A flat state gets ancestors
    /// only.
    ///
    /// # Errors
    /// If the node lacks the method for it, or does not answer.
    pub async fn complete(
        &self,
        recorded: &mut RecordedBlock,
        missing: &Missing,
    ) -> Result<Completion, FetchError> {
        let before = size(recorded);
        let mut requests = Requests::default();
        requests.add(missing);
        if let Some(number) = requests.ancestor {
            self.fetch_ancestors(recorded, number).await?;
        }
        if let RecordedState::Witness(witness) = &mut recorded.state {
            self.add_missing(&recorded.block.header, &requests, witness).await?;
        }
        Ok(since(before, recorded))
    }

    /// Fetches at once the proofs of everything that the block touches or writes according to the
    /// tracer. A block without a witness gets nothing.
    ///
    /// # Errors
    /// If the node has no tracer or no proofs, or does not answer.
    pub async fn complete_by_trace(
        &self,
        recorded: &mut RecordedBlock,
    ) -> Result<Completion, FetchError> {
        let before = size(recorded);
        let RecordedState::Witness(witness) = &mut recorded.state else {
            return Ok(Completion::NothingNew);
        };
        let (header, transactions) = (&recorded.block.header, &recorded.block.body.transactions);
        let hash = header.hash_slow();
        let wanted = |mode| Wanted { mode, header, hash, transactions };
        let mut touched = self.trace(wanted(TraceMode::Before)).await?;
        touched.add(self.trace(wanted(TraceMode::Changes)).await?);
        self.gather(header, touched, witness).await?;
        Ok(since(before, recorded))
    }

    async fn add_missing(
        &self,
        header: &Header,
        requests: &Requests<'_>,
        witness: &mut Witness,
    ) -> Result<(), FetchError> {
        let Requests { touched, codes, siblings, .. } = requests;
        if !touched.accounts.is_empty() {
            self.gather(header, touched.clone(), witness).await?;
        }
        if !codes.is_empty() {
            let parent = header.number.saturating_sub(1);
            let codes = self.codes(header.number, parent, codes).await?;
            append(&mut witness.codes, codes);
        }
        if !siblings.is_empty() {
            self.add_siblings(header, siblings, witness).await?;
        }
        Ok(())
    }

    /// Searches for the siblings in the proofs that the deleted keys are absent after the block.
    async fn add_siblings(
        &self,
        header: &Header,
        siblings: &[Sibling],
        witness: &mut Witness,
    ) -> Result<(), FetchError> {
        let mut deleted = Touched::default();
        for Sibling { address, slot, .. } in siblings {
            deleted.touch(*address, *slot);
        }
        let at = (header.number, Some(header.state_root));
        let after = self.prove(header.number, at, &deleted).await?;
        let wanted: HashSet<_> = siblings.iter().map(|sibling| sibling.hash).collect();
        append(&mut witness.nodes, cut_back(&after.nodes, &wanted));
        Ok(())
    }
}

/// Number of items in a block's witness or flat state. It never decreases.
fn size(recorded: &RecordedBlock) -> usize {
    match &recorded.state {
        RecordedState::Witness(witness) => {
            witness.nodes.len() + witness.codes.len() + witness.headers.len()
        }
        RecordedState::Flat(flat) => flat.headers.len(),
    }
}

fn since(before: usize, recorded: &RecordedBlock) -> Completion {
    if size(recorded) > before { Completion::Added } else { Completion::NothingNew }
}
