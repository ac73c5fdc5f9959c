//! Assembles a witness from single proofs, for nodes that make no witnesses.
//!
//! The `prestateTracer` of `debug_traceBlockByNumber` lists the accounts and slots that a block
//! touches. Without a tracer, `eth_createAccessList` comes close. `eth_getProof` (EIP-1186) proves them at the block before. The result is an ordinary
//! [`Witness`].
//!
//! | file | content |
//! |---|---|
//! | `touched` | Accounts, slots and codes of a block. Tracers omit some of them. |
//! | `trace` | The tracer, called by block or by transaction. |
//! | `access_lists` | Access lists of single transactions, without a tracer. |
//! | `gather` | Fetches proofs and codes. |
//! | `siblings` | The remaining node of a branch. A deletion collapses the branch. |
//! | `complete` | Fetches what execution found missing. |
//!
//! The list of touched accounts and slots need not be complete. Execution over the witness shows
//! what is missing, and the caller fetches it by [`Missing`]. The node's answers are not checked
//! here. `block::prepare` checks the trie nodes and codes of a proof against their hashes.
//!
//! [`Witness`]: crate::block::Witness

mod access_lists;
mod complete;
mod gather;
mod siblings;
mod touched;
mod trace;

pub use complete::{Completion, Missing, Sibling};
pub(super) use trace::{TraceMethod, TraceMode, Wanted};

use alloy_consensus::Header;
use touched::Touched;

use super::{block::CheckedBlock, block_error::FetchError, node::Node};
use crate::block::Witness;

impl Node {
    /// Proves everything that the block is known to touch.
    pub(super) async fn witness_by_proofs(
        &self,
        block: &CheckedBlock,
        ommers: &[Header],
    ) -> Result<Witness, FetchError> {
        let transactions = block.transactions();
        let mut touched = match self.trace(block.traced(TraceMode::Before)).await {
            Err(error) if error.is_lack_of_trace() => {
                self.access_lists(block.header.number, transactions).await?
            }
            traced => traced?,
        };
        touched.add(Touched::by_rule(&block.header, ommers, block.withdrawals()));
        touched.add(Touched::by_transactions(transactions));

        let Header { number, parent_hash, .. } = block.header;
        let parent = self.parent(number, parent_hash).await?;
        let headers = vec![alloy_rlp::encode(parent).into()];
        let mut witness = Witness { headers, ..Witness::default() };
        self.gather(&block.header, touched, &mut witness).await?;
        Ok(witness)
    }
}
