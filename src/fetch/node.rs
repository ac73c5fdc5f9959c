//! The questions that make a block, and which of them a node understands.
//!
//! A block with a witness that the node made costs two questions, one more per ommer, and one more if
//! the witness lacks the parent's header. Which of the two witness methods a node has is found out
//! once, with the first block, while the others wait.
//!
//! In which order the ways to a block's state are tried is said in `choice`, what the answers are
//! held against in `block` and `witness`; what is left to others, in the module's own page.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, U64};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    block::{BlockAnswer, CheckedBlock},
    choice::{SingleProofs, WitnessChoice},
    client::Client,
    error::{FetchError, RpcError},
    proofs::TraceMethod,
    witness::WitnessAnswer,
};
use crate::block::Witness;

/// A node that has answered which chain it follows. Cheap to clone; clones share what is known.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) client: Client,
    chain_id: u64,
    /// Set once, by whoever fetches the first witness.
    witness_method: Arc<OnceCell<WitnessMethod>>,
    /// Set once, by whoever traces the first block.
    pub(super) trace_method: Arc<OnceCell<TraceMethod>>,
    /// Set once, by the first block for which no witness was there.
    pub(super) single_proofs: Arc<OnceCell<SingleProofs>>,
    /// Set once a method like `eth_getBalance` turns out to be missing.
    no_state_methods: Arc<OnceCell<()>>,
}

/// By which method a node gives witnesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WitnessMethod {
    /// `debug_executionWitness`
    ByNumber,
    /// `debug_executionWitnessByBlockHash`
    ByHash,
    Neither,
}

impl Node {
    /// Asks the node for its chain. A node that is not there is given up within seconds.
    ///
    /// # Errors
    /// [`RpcError::Unreachable`] if there is no connection; otherwise as [`Client::call`].
    pub async fn connect(client: Client) -> Result<Self, RpcError> {
        let chain_id: U64 = client.first_call("eth_chainId", json!([])).await?;
        let chain_id = chain_id.to();
        Ok(Self {
            client,
            chain_id,
            witness_method: Arc::default(),
            trace_method: Arc::default(),
            single_proofs: Arc::default(),
            no_state_methods: Arc::default(),
        })
    }

    /// The chain's id (EIP-155).
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The newest block that the node has.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn head(&self) -> Result<BlockNumber, RpcError> {
        let head: U64 = self.client.call("eth_blockNumber", json!([])).await?;
        Ok(head.to())
    }

    pub(super) async fn block(&self, number: BlockNumber) -> Result<CheckedBlock, FetchError> {
        if number == 0 {
            return Err(FetchError::Genesis);
        }
        let params = json!([U64::from(number), true]);
        let answer: Option<BlockAnswer> = self.ask(number, "eth_getBlockByNumber", params).await?;
        let missing = || FetchError::NoSuchBlock { number, origin: self.client.origin().clone() };
        answer.ok_or_else(missing)?.check(number, |error| self.client.safe_text(error))
    }

    pub(super) async fn ommers(&self, block: &CheckedBlock) -> Result<Vec<Header>, FetchError> {
        let hashes = block.ommer_hashes.iter().enumerate();
        try_join_all(hashes.map(|(index, listed)| self.ommer(block, index, *listed))).await
    }

    async fn ommer(
        &self,
        block: &CheckedBlock,
        index: usize,
        listed: B256,
    ) -> Result<Header, FetchError> {
        let number = block.header.number;
        let params = json!([block.hash, U64::from(index)]);
        let ommer: Header = self.ask(number, "eth_getUncleByBlockHashAndIndex", params).await?;
        let computed = ommer.hash_slow();
        if computed != listed {
            return Err(FetchError::WrongOmmer { number, index, listed, computed });
        }
        Ok(ommer)
    }

    pub(super) async fn witness(&self, block: &CheckedBlock) -> Result<Witness, FetchError> {
        let Header { number, parent_hash, .. } = block.header;
        let mut witness = self.witness_answer(block).await?.into_witness(number, parent_hash)?;
        if witness.headers.is_empty() {
            let parent = self.parent(number, parent_hash).await?;
            witness.headers.push(alloy_rlp::encode(parent).into());
        }
        Ok(witness)
    }

    /// Asks by the method that the node has, and with the first block finds out which that is.
    async fn witness_answer(&self, block: &CheckedBlock) -> Result<WitnessAnswer, FetchError> {
        let mut first = None;
        let find_out = async || {
            let (method, answer) = self.find_witness_method(block).await?;
            first = answer;
            Ok::<_, FetchError>(method)
        };
        let method = *self.witness_method.get_or_try_init(find_out).await?;
        match first {
            Some(answer) => answer,
            None => self.ask_witness(block, method).await,
        }
    }

    /// Tries the methods in turn with a block; the one that is there answers for it too, if only that
    /// it has no witness for this block, or failed to make it.
    async fn find_witness_method(
        &self,
        block: &CheckedBlock,
    ) -> Result<(WitnessMethod, Option<Result<WitnessAnswer, FetchError>>), FetchError> {
        for method in [WitnessMethod::ByNumber, WitnessMethod::ByHash] {
            match self.ask_witness(block, method).await {
                Ok(answer) => return Ok((method, Some(Ok(answer)))),
                Err(FetchError::Rpc { source, .. }) if source.is_method_missing() => {}
                Err(error) if error.is_lack() || error.is_failure_of_node() => {
                    return Ok((method, Some(Err(error))));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((WitnessMethod::Neither, None))
    }

    async fn ask_witness(
        &self,
        block: &CheckedBlock,
        method: WitnessMethod,
    ) -> Result<WitnessAnswer, FetchError> {
        let number = block.header.number;
        let (method, params) = match method {
            WitnessMethod::ByNumber => ("debug_executionWitness", json!([U64::from(number)])),
            WitnessMethod::ByHash => ("debug_executionWitnessByBlockHash", json!([block.hash])),
            WitnessMethod::Neither => return Err(self.no_way(WitnessChoice::ExecutionWitness)),
        };
        self.ask(number, method, params).await
    }

    /// Whether it was found out that the node has neither method for witnesses.
    pub(super) fn makes_no_witnesses(&self) -> bool {
        self.witness_method.get() == Some(&WitnessMethod::Neither)
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// How long a tracer may take for one transaction: as long as we wait. By itself geth gives it five seconds.
    pub(super) fn tracer_time(&self) -> String {
        format!("{}s", self.client.timeout().as_secs().max(1))
    }

    pub(super) fn lacks_state_methods(&self) -> bool {
        self.no_state_methods.initialized()
    }

    pub(super) fn note_lack_of_state_methods(&self) {
        // Whoever comes second finds it noted.
        let _ = self.no_state_methods.set(());
    }

    /// Asks a question for the sake of block `number`.
    pub(super) async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: Value,
    ) -> Result<T, FetchError> {
        let answer = self.client.call(method, params).await;
        answer.map_err(|source| FetchError::Rpc { number, source })
    }

    /// The same question about several things, in batches where the node takes them.
    pub(super) async fn ask_each<T: serde::de::DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<T>, FetchError> {
        let answers = self.client.call_each(method, params).await;
        answers.map_err(|source| FetchError::Rpc { number, source })
    }
}
