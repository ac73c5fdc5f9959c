//! The order of the ways to fetch the pre-state of a block.
//!
//! `auto` prefers the strongest proof, and among equal proofs the cheapest way: the node's witness,
//! then single proofs, then a trace. A way is skipped if the node lacks a method for it. It is also
//! skipped if the node says that it has no data for this block, because it pruned the state or
//! never built the witness. If the node only failed to make a witness, or the witness was too large
//! for one answer, single proofs prove as much. A trace does not, so it is not tried. Any other
//! failure ends the fetch: a node that lies about a witness is not trusted with a flat state.
//!
//! `node`, `proofs` and `prestate` send the calls of each way.

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, U64};
use futures::future::{join, try_join};
use serde::de::IgnoredAny;
use serde_json::json;

use super::{block::CheckedBlock, block_error::FetchError, node::Node};
use crate::block::TracedBlock;
use crate::block::{RecordedBlock, RecordedState, Witness};

/// The methods that fetch blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WitnessChoice {
    /// The first of the others that the node supports.
    #[default]
    Auto,
    /// `debug_executionWitness`, by number or by hash.
    ExecutionWitness,
    /// Accounts and slots from a tracer, proved by `eth_getProof` (EIP-1186).
    Proofs,
    /// `debug_traceBlockByNumber` with `prestateTracer`.
    Prestate,
}

impl WitnessChoice {
    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::ExecutionWitness => "execution-witness",
            Self::Proofs => "proofs",
            Self::Prestate => "prestate",
        }
    }

    /// The JSON-RPC methods that a node lacks if it cannot serve the choice. Part of an error
    /// message.
    const fn wanted(self) -> &'static str {
        match self {
            Self::Auto => {
                "neither debug_executionWitness, nor debug_executionWitnessByBlockHash, \
                 nor eth_getProof, nor debug_traceBlockByNumber, nor debug_traceTransaction"
            }
            Self::ExecutionWitness => {
                "neither debug_executionWitness nor debug_executionWitnessByBlockHash"
            }
            Self::Proofs => "no eth_getProof",
            Self::Prestate => "neither debug_traceBlockByNumber nor debug_traceTransaction",
        }
    }
}

/// A fetched block with its pre-state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchedBlock {
    /// A block with the node's own witness, which may lack headers of older ancestors.
    Recorded(RecordedBlock),
    /// A block with a witness that was assembled from single proofs.
    Gathered(RecordedBlock),
    /// A block with a tracer's answer, which is incomplete.
    Traced(TracedBlock),
}

/// Whether a node serves single proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SingleProofs {
    Offered,
    Missing,
}

impl Node {
    /// Fetches a block with its ommers by the method that `choice` names.
    ///
    /// # Errors
    /// The node lacks the block, or the data or the methods for it. The node answers with another
    /// block. A call fails permanently. If no way is left, the error is that of the first way.
    pub async fn fetch(
        &self,
        number: BlockNumber,
        choice: WitnessChoice,
    ) -> Result<FetchedBlock, FetchError> {
        match choice {
            WitnessChoice::ExecutionWitness => {
                self.fetch_block(number).await.map(FetchedBlock::Recorded)
            }
            WitnessChoice::Proofs => {
                self.fetch_block_by_proofs(number).await.map(FetchedBlock::Gathered)
            }
            WitnessChoice::Prestate => {
                self.fetch_block_flat(number).await.map(FetchedBlock::Traced)
            }
            WitnessChoice::Auto => self.fetch_by_what_is_there(number).await,
        }
    }

    /// Fetches a block with its ommers and the node's own witness, parent header included.
    ///
    /// # Errors
    /// As [`Node::fetch`].
    pub async fn fetch_block(&self, number: BlockNumber) -> Result<RecordedBlock, FetchError> {
        if self.makes_no_witnesses() {
            return Err(self.no_way(WitnessChoice::ExecutionWitness));
        }
        let block = self.block(number).await?;
        let (ommers, witness) = try_join(self.ommers(&block), self.witness(&block)).await?;
        Ok(self.recorded(block, ommers, witness))
    }

    /// Fetches a block with its ommers and a witness that is assembled from single proofs.
    ///
    /// # Errors
    /// As [`Node::fetch`].
    pub async fn fetch_block_by_proofs(
        &self,
        number: BlockNumber,
    ) -> Result<RecordedBlock, FetchError> {
        let block = self.block(number).await?;
        let ommers = self.ommers(&block).await?;
        match self.witness_by_proofs(&block, &ommers).await {
            Ok(witness) => Ok(self.recorded(block, ommers, witness)),
            Err(error) if error.is_method_missing() => Err(self.no_way(WitnessChoice::Proofs)),
            Err(error) => Err(error),
        }
    }

    async fn fetch_by_what_is_there(
        &self,
        number: BlockNumber,
    ) -> Result<FetchedBlock, FetchError> {
        let block = self.block(number).await?;
        let (ommers, witness) = join(self.ommers(&block), self.witness(&block)).await;
        let missing = match witness {
            Ok(witness) => {
                return Ok(FetchedBlock::Recorded(self.recorded(block, ommers?, witness)));
            }
            Err(FetchError::NoWitnessMethod { .. }) => self.no_way(WitnessChoice::Auto),
            Err(error) if error.is_lack() || is_only_failure(&error) => error,
            Err(error) => return Err(error),
        };
        // A witness is useless without the ommers, because their beneficiaries are in the state
        // root.
        let gathered = match &ommers {
            Ok(known) => self.gathered_witness(&block, known).await,
            Err(_) => Ok(None),
        };
        match gathered {
            Ok(Some(witness)) => {
                return Ok(FetchedBlock::Gathered(self.recorded(block, ommers?, witness)));
            }
            _ if is_only_failure(&missing) => return Err(missing),
            Ok(None) => {}
            Err(error) => return Err(error),
        }
        match self.traced_state(&block).await {
            Ok(state) => self.traced(block, ommers, state).map(FetchedBlock::Traced),
            // No way works, so the error names the first one, which the user should fix.
            Err(error) if error.is_lack() => Err(missing),
            Err(error) => Err(error),
        }
    }

    /// A witness that is assembled from single proofs, if the node supports them.
    async fn gathered_witness(
        &self,
        block: &CheckedBlock,
        ommers: &[Header],
    ) -> Result<Option<Witness>, FetchError> {
        if self.single_proofs(block).await? == SingleProofs::Missing {
            return Ok(None);
        }
        match self.witness_by_proofs(block, ommers).await {
            Ok(witness) => Ok(Some(witness)),
            Err(error) if error.is_lack() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Finds out with the first block whether the node serves single proofs. This avoids a trace
    /// that only single proofs need.
    async fn single_proofs(&self, block: &CheckedBlock) -> Result<SingleProofs, FetchError> {
        let find_out = async || {
            let Header { number, beneficiary, .. } = block.header;
            let params = json!([beneficiary, [], U64::from(number.saturating_sub(1))]);
            match self.ask::<IgnoredAny>(number, "eth_getProof", params).await {
                Err(error) if error.is_method_missing() => Ok(SingleProofs::Missing),
                Err(error) if !error.is_lack() => Err(error),
                _ => Ok(SingleProofs::Offered),
            }
        };
        self.single_proofs.get_or_try_init(find_out).await.copied()
    }

    fn recorded(
        &self,
        block: CheckedBlock,
        ommers: Vec<Header>,
        witness: Witness,
    ) -> RecordedBlock {
        let access_list = block.access_list.clone();
        let (block, state) = (block.with_ommers(ommers), RecordedState::Witness(witness));
        RecordedBlock {
            rules: self.rules.clone(),
            access_list,
            ..RecordedBlock::new(self.chain_id(), block, state)
        }
    }

    /// The parent of block `number`. `hash` is the parent's hash.
    pub(super) async fn parent(
        &self,
        number: BlockNumber,
        hash: B256,
    ) -> Result<Header, FetchError> {
        let parent: Header = self.ask(number, "eth_getBlockByHash", json!([hash, false])).await?;
        let computed = parent.hash_slow();
        if computed != hash {
            let (ancestor, expected) = (number.saturating_sub(1), hash);
            return Err(FetchError::WrongAncestor { number, ancestor, expected, computed });
        }
        Ok(parent)
    }

    pub(super) fn no_way(&self, choice: WitnessChoice) -> FetchError {
        let (origin, wanted) = (self.client().origin().clone(), choice.wanted());
        FetchError::NoWitnessMethod { origin, wanted }
    }
}

/// Whether making a witness failed, once or always, although the node may well have the state.
fn is_only_failure(error: &FetchError) -> bool {
    error.is_failure_of_node() || error.is_witness_kept_back()
}
