//! The questions that make a [`RecordedBlock`], and which of them a node understands.
//!
//! A block costs two questions, one more per ommer, and one more if the witness lacks the parent's
//! header. Which of the two witness methods a node has is found out once, with the first block, while
//! the others wait.
//!
//! What the answers are held against is said in `block` and `witness`; what is left to others, in the
//! module's own page.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, U64};
use futures::future::{try_join, try_join_all};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    block::{BlockAnswer, CheckedBlock},
    client::Client,
    error::{FetchError, RpcError},
    witness::WitnessAnswer,
};
use crate::cache::{RecordedBlock, Witness};

/// A node that has answered which chain it follows. Cheap to clone; clones share what is known.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) client: Client,
    chain_id: u64,
    /// Set once, by whoever fetches the first witness.
    witness_method: Arc<OnceCell<WitnessMethod>>,
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
        Ok(Self { client, chain_id: chain_id.to(), witness_method: Arc::default() })
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
        let (ommers, witness) = try_join(self.ommers(&block), self.witness(&block)).await?;
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

    async fn witness(&self, block: &CheckedBlock) -> Result<Witness, FetchError> {
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
            Some(answer) => Ok(answer),
            None => self.ask_witness(block, method).await,
        }
    }

    /// Tries the methods in turn with a block; the one that is there answers for it too.
    async fn find_witness_method(
        &self,
        block: &CheckedBlock,
    ) -> Result<(WitnessMethod, Option<WitnessAnswer>), FetchError> {
        for method in [WitnessMethod::ByNumber, WitnessMethod::ByHash] {
            match self.ask_witness(block, method).await {
                Ok(answer) => return Ok((method, Some(answer))),
                Err(FetchError::Rpc { source, .. }) if source.is_method_missing() => {}
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
            WitnessMethod::Neither => return Err(self.no_witness_method()),
        };
        self.ask(number, method, params).await
    }

    async fn parent(&self, number: BlockNumber, hash: B256) -> Result<Header, FetchError> {
        let parent: Header = self.ask(number, "eth_getBlockByHash", json!([hash, false])).await?;
        let computed = parent.hash_slow();
        if computed != hash {
            let (ancestor, expected) = (number.saturating_sub(1), hash);
            return Err(FetchError::WrongAncestor { number, ancestor, expected, computed });
        }
        Ok(parent)
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

    fn no_witness_method(&self) -> FetchError {
        FetchError::NoWitnessMethod { origin: self.client.origin().clone() }
    }
}
