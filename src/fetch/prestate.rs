//! The flat pre-state of a block, from a node that has a `prestateTracer` and no witness.
//!
//! `debug_traceBlockByNumber` answers with one entry per transaction. The entry holds the accounts
//! and slots that the transaction touched, as they were before *that transaction*. Some recordings
//! hold the state of the whole block in the first entry and leave the others empty.
//!
//! The first occurrence of a value is kept, with its position, because a later one may show a write
//! of the block itself. Even a first occurrence may show such a write, if the tracer omitted an
//! account while it was empty. `block::TraceCompletion` decides which values are valid.
//!
//! Values in no entry are fetched one by one; see `values`.

use alloy_consensus::Header;
use alloy_primitives::BlockNumber;
use futures::future::join;

use crate::block::{TracedBlock, TracedState};

use super::{
    block::CheckedBlock,
    block_error::FetchError,
    node::Node,
    proofs::TraceMode,
    redact::SafeText,
    tracer::{Entry, Traced},
};

/// Checks the answer against the block's transactions. `safe` makes text from the node
/// printable.
fn traced_state(
    block: &CheckedBlock,
    entries: Vec<Entry>,
    safe: impl Fn(&str) -> SafeText,
) -> Result<TracedState, FetchError> {
    let number = block.header.number;
    let (expected, found) = (block.transactions().len(), entries.len());
    if expected != found {
        return Err(FetchError::TraceLength { number, expected, found });
    }
    let mut state = TracedState::default();
    for (index, (entry, transaction)) in entries.into_iter().zip(block.transactions()).enumerate() {
        let failed = |says: &str| FetchError::TraceFailed { number, index, says: safe(says) };
        let prestate = match entry.traced {
            Traced::Prestate(prestate) => prestate,
            // A failed entry may state no hash or a wrong one.
            Traced::Failed(says) => return Err(failed(&says)),
            Traced::Nothing => return Err(failed("no result")),
            Traced::OtherTracer => return Err(FetchError::TracerIgnored { number }),
        };
        let expected = *transaction.tx_hash();
        if let Some(stated) = entry.hash.filter(|stated| *stated != expected) {
            return Err(FetchError::WrongTrace { number, index, stated, expected });
        }
        for (address, account) in &prestate.before {
            state.add(index, *address, account.fields(), account.slots());
        }
    }
    Ok(state)
}

impl Node {
    /// Fetches a block with its ommers and the answer of the node's `prestateTracer`.
    ///
    /// # Errors
    /// The node lacks the block or the tracer. The node answers with another block. A call fails
    /// permanently.
    pub async fn fetch_block_flat(&self, number: BlockNumber) -> Result<TracedBlock, FetchError> {
        let block = self.block(number).await?;
        let (ommers, state) = join(self.ommers(&block), self.traced_state(&block)).await;
        self.traced(block, ommers, state?)
    }

    /// Combines the parts. No receipt depends on an ommer, so the node may lack them.
    pub(super) fn traced(
        &self,
        block: CheckedBlock,
        ommers: Result<Vec<Header>, FetchError>,
        state: TracedState,
    ) -> Result<TracedBlock, FetchError> {
        let (ommers, unknown_ommers) = match ommers {
            Ok(ommers) => (ommers, Vec::new()),
            Err(error) if error.is_lack() => (Vec::new(), block.ommer_hashes.clone()),
            Err(error) => return Err(error),
        };
        let (chain_id, access_list) = (self.chain_id(), block.access_list.clone());
        let (rules, block) = (self.rules.clone(), block.with_ommers(ommers));
        Ok(TracedBlock { chain_id, block, unknown_ommers, rules, state, access_list })
    }

    pub(super) async fn traced_state(
        &self,
        block: &CheckedBlock,
    ) -> Result<TracedState, FetchError> {
        if block.transactions().is_empty() {
            return Ok(TracedState::default());
        }
        let entries = self.entries(block.traced(TraceMode::Before)).await?;
        traced_state(block, entries, |text| self.client().safe_words(text))
    }
}
