//! A witness put together from single proofs, for nodes that make none themselves.
//!
//! The `prestateTracer` of `debug_traceBlockByNumber` says which accounts and slots a block touches,
//! `eth_getProof` (EIP-1186) proves them at the block before. The result is an ordinary [`Witness`].
//!
//! | file | what it knows |
//! |---|---|
//! | `touched` | accounts, slots and codes of a block; those that tracers leave out |
//! | `trace` | the tracer, by block or by transaction |
//! | `gather` | asks for proofs and codes |
//! | `siblings` | the node that is left when a deletion collapses a branch |
//! | `complete` | what execution found missing, one thing at a time |
//!
//! No list of what a block touches need be complete, as whoever executes the block over the witness
//! learns what is missing and asks for it by [`Missing`]. Nothing that a node answers here is
//! checked: a proof's nodes and codes count only under their hashes, in `block::prepare`.
//!
//! [`Witness`]: crate::block::Witness

mod complete;
mod gather;
mod siblings;
mod touched;
mod trace;

pub use complete::{Completion, Missing, Sibling};
pub(super) use trace::TraceMethod;

use alloy_consensus::Header;
use touched::Touched;
use trace::TraceMode;

use super::{block::CheckedBlock, error::FetchError, node::Node};
use crate::block::Witness;

impl Node {
    /// Proves all that the block is known to touch.
    pub(super) async fn witness_by_proofs(
        &self,
        block: &CheckedBlock,
        ommers: &[Header],
    ) -> Result<Witness, FetchError> {
        let transactions = block.transactions();
        let mut touched =
            self.trace(TraceMode::Before, &block.header, block.hash, transactions).await?;
        touched.add(Touched::by_rule(&block.header, ommers, block.withdrawals()));
        touched.add(Touched::by_transactions(transactions));

        let Header { number, parent_hash, .. } = block.header;
        let parent = self.parent(number, parent_hash).await?;
        let mut witness = Witness::default();
        self.gather(&block.header, touched, &mut witness).await?;
        witness.headers.push(alloy_rlp::encode(parent).into());
        Ok(witness)
    }
}
