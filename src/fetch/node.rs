//! The questions that make a [`RecordedBlock`], and which of them a node understands.
//!
//! With an execution witness a block costs two questions, one more per ommer, and one more if the
//! witness lacks the parent's header. Which witness methods a node has is found out in `source`.
//!
//! What the answers are held against is said in `block` and `witness`; what is left to others, in the
//! module's own page.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, U64};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    block::{BlockAnswer, CheckedBlock},
    client::Client,
    error::{FetchError, RpcError},
    proofs::TraceMethod,
    source::{WitnessMethod, WitnessSource},
};
use crate::cache::RecordedBlock;

/// A node that has answered which chain it follows. Cheap to clone; clones share what is known.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) client: Client,
    chain_id: u64,
    pub(super) witness_source: WitnessSource,
    /// Set once, by whoever fetches the first witness.
    pub(super) witness_method: Arc<OnceCell<WitnessMethod>>,
    /// Set once, by whoever traces the first block.
    pub(super) trace_method: Arc<OnceCell<TraceMethod>>,
}

impl Node {
    /// Asks the node for its chain. A node that is not there is given up within seconds.
    ///
    /// # Errors
    /// [`RpcError::Unreachable`] if there is no connection; otherwise as [`Client::call`].
    pub async fn connect(client: Client) -> Result<Self, RpcError> {
        let chain_id: U64 = client.first_call("eth_chainId", json!([])).await?;
        Ok(Self {
            client,
            chain_id: chain_id.to(),
            witness_source: WitnessSource::Auto,
            witness_method: Arc::default(),
            trace_method: Arc::default(),
        })
    }

    /// The same node, asked for witnesses in this way. Without it, in whichever way it knows.
    #[must_use]
    pub fn with_witness(self, witness_source: WitnessSource) -> Self {
        Self { witness_source, witness_method: Arc::default(), ..self }
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

    /// Fetches a block with its ommers and its witness, parent header included.
    ///
    /// # Errors
    /// If the node lacks the block, its witness, or the methods for it; if it answers with something
    /// that is not this block; or if a question fails for good.
    pub async fn fetch_block(&self, number: BlockNumber) -> Result<RecordedBlock, FetchError> {
        if number == 0 {
            return Err(FetchError::Genesis);
        }
        if self.witness_method.get() == Some(&WitnessMethod::Neither) {
            return Err(self.no_witness_method());
        }
        let block = self.block(number).await?;
        let ommers = self.ommers(&block).await?;
        let witness = self.witness(&block, &ommers).await?;
        let block = block.with_ommers(ommers);
        Ok(RecordedBlock { chain_id: self.chain_id, block, witness })
    }

    async fn block(&self, number: BlockNumber) -> Result<CheckedBlock, FetchError> {
        let params = json!([U64::from(number), true]);
        let answer: Option<BlockAnswer> = self.ask(number, "eth_getBlockByNumber", params).await?;
        let missing = || FetchError::NoSuchBlock { number, origin: self.client.origin().clone() };
        answer.ok_or_else(missing)?.check(number, |error| self.client.safe_text(error))
    }

    async fn ommers(&self, block: &CheckedBlock) -> Result<Vec<Header>, FetchError> {
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
