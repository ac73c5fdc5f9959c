//! By which of its methods a node is asked to prove a block's pre-state.
//!
//! The user fixes it, or leaves it to the node: then the methods are tried in turn with the first
//! block, while the others wait, and the first one that is there is used for all. Execution witnesses
//! come first, as one answer holds everything. What each method asks is in `witness` and `proofs`.

use alloy_consensus::Header;
use alloy_primitives::{B256, U64};
use serde_json::json;

use super::{block::CheckedBlock, error::FetchError, node::Node, witness::WitnessAnswer};
use crate::cache::Witness;

/// Where the proof of a block's pre-state comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WitnessSource {
    /// From whatever the node has.
    #[default]
    Auto,
    /// `debug_executionWitness` or `debug_executionWitnessByBlockHash`.
    ExecutionWitness,
    /// What the tracer says the block touches, proved by `eth_getProof` (EIP-1186).
    Proofs,
}

/// One method of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WitnessMethod {
    /// `debug_executionWitness`
    ByNumber,
    /// `debug_executionWitnessByBlockHash`
    ByHash,
    /// `debug_traceBlockByNumber` or one of its kind, and `eth_getProof`
    Proofs,
    /// The node has none of those that were asked for.
    Neither,
}

impl WitnessSource {
    /// What to try, in this order.
    const fn methods(self) -> &'static [WitnessMethod] {
        use WitnessMethod::{ByHash, ByNumber, Proofs};
        match self {
            Self::Auto => &[ByNumber, ByHash, Proofs],
            Self::ExecutionWitness => &[ByNumber, ByHash],
            Self::Proofs => &[Proofs],
        }
    }

    /// The JSON-RPC methods that a node must have, for messages.
    pub(super) const fn wanted(self) -> &'static str {
        match self {
            Self::Auto => {
                "neither debug_executionWitness, nor debug_executionWitnessByBlockHash, \
                 nor debug_traceBlockByNumber together with eth_getProof"
            }
            Self::ExecutionWitness => {
                "neither debug_executionWitness nor debug_executionWitnessByBlockHash"
            }
            Self::Proofs => "no debug_traceBlockByNumber together with eth_getProof",
        }
    }
}

impl Node {
    /// Asks by the method that the node has, and with the first block finds out which that is.
    pub(super) async fn witness(
        &self,
        block: &CheckedBlock,
        ommers: &[Header],
    ) -> Result<Witness, FetchError> {
        let mut first = None;
        let find_out = async || {
            let (method, witness) = self.find_witness_method(block, ommers).await?;
            first = witness;
            Ok::<_, FetchError>(method)
        };
        let method = *self.witness_method.get_or_try_init(find_out).await?;
        match first {
            Some(witness) => Ok(witness),
            None => self.witness_by(method, block, ommers).await,
        }
    }

    /// Tries the methods in turn with a block; the one that is there answers for it too.
    async fn find_witness_method(
        &self,
        block: &CheckedBlock,
        ommers: &[Header],
    ) -> Result<(WitnessMethod, Option<Witness>), FetchError> {
        for method in self.witness_source.methods() {
            match self.witness_by(*method, block, ommers).await {
                Ok(witness) => return Ok((*method, Some(witness))),
                Err(error) if error.is_method_missing() => {}
                Err(error) => return Err(error),
            }
        }
        Ok((WitnessMethod::Neither, None))
    }

    async fn witness_by(
        &self,
        method: WitnessMethod,
        block: &CheckedBlock,
        ommers: &[Header],
    ) -> Result<Witness, FetchError> {
        let number = U64::from(block.header.number);
        let (method, params) = match method {
            WitnessMethod::ByNumber => ("debug_executionWitness", json!([number])),
            WitnessMethod::ByHash => ("debug_executionWitnessByBlockHash", json!([block.hash])),
            WitnessMethod::Proofs => return self.witness_by_proofs(block, ommers).await,
            WitnessMethod::Neither => return Err(self.no_witness_method()),
        };
        let answer: WitnessAnswer = self.ask(block.header.number, method, params).await?;
        let mut witness = answer.into_witness(block.header.number, block.header.parent_hash)?;
        if witness.headers.is_empty() {
            witness.headers.push(alloy_rlp::encode(self.parent(&block.header).await?).into());
        }
        Ok(witness)
    }

    /// The header before this one.
    pub(super) async fn parent(&self, header: &Header) -> Result<Header, FetchError> {
        let (number, hash) = (header.number, header.parent_hash);
        let parent: Header = self.ask(number, "eth_getBlockByHash", json!([hash, false])).await?;
        let computed: B256 = parent.hash_slow();
        if computed != hash {
            let (ancestor, expected) = (number.saturating_sub(1), hash);
            return Err(FetchError::WrongAncestor { number, ancestor, expected, computed });
        }
        Ok(parent)
    }

    pub(super) fn no_witness_method(&self) -> FetchError {
        let (origin, wanted) = (self.client.origin().clone(), self.witness_source.wanted());
        FetchError::NoWitnessMethod { origin, wanted }
    }
}
