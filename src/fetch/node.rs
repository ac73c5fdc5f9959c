//! The calls that make a block, and the choice of the methods that a node understands.
//!
//! A block with a witness from the node costs two calls, and the first block one more for the software's name. Each
//! ommer costs one more, and so does the parent's header if the witness lacks it. The first block finds out which of the two witness
//! methods the node has, while the other blocks wait.
//!
//! `choice` decides in which order the ways to fetch the pre-state are tried. `block` and `witness`
//! check the answers. The [module page](super) lists the checks that are left to other modules.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, Bytes, U64};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    access_list::ListMethod,
    batch::Denial,
    block::{BlockAnswer, CheckedBlock, HeaderAnswer},
    block_error::FetchError,
    choice::{SingleProofs, WitnessChoice},
    client::Client,
    endpoint::Origin,
    error::RpcError,
    proofs::TraceMethod,
    redact::SafeText,
    witness::WitnessAnswer,
};
use crate::{
    block::{RulesError, Witness, chain_of, stored_rules},
    evm::{Chain, ChainRules},
};

/// A node with a known chain id. Cheap to clone. Clones share the methods that were found.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) client: Client,
    chain_id: u64,
    /// Encoding of the rules of the chain, for the recorded blocks. Empty if they are those of the chain id.
    pub(super) rules: Bytes,
    /// Set once, when the first witness is fetched.
    witness_method: Arc<OnceCell<WitnessMethod>>,
    /// Set once, when the first block is traced.
    pub(super) trace_method: Arc<OnceCell<TraceMethod>>,
    /// Set once, by the first block without a witness.
    pub(super) single_proofs: Arc<OnceCell<SingleProofs>>,
    /// Set once, when the first access list is fetched. Empty if the node has no method for lists.
    pub(super) list_methods: Arc<OnceCell<Vec<ListMethod>>>,
    /// Set once a method such as `eth_getBalance` proves to be missing.
    no_state_methods: Arc<OnceCell<()>>,
    /// The name of the software, if the node states it. Set before the first witness is fetched.
    pub(super) software: Arc<OnceCell<Option<SafeText>>>,
    /// Set once `eth_createAccessList` proves to be missing.
    pub(super) no_access_lists: Arc<OnceCell<()>>,
}

/// The method by which a node gives witnesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WitnessMethod {
    /// `debug_executionWitness`
    ByNumber,
    /// `debug_executionWitnessByBlockHash`
    ByHash,
    Neither,
}

impl Node {
    /// Asks the node for its chain id. An unreachable node fails within seconds.
    ///
    /// # Errors
    /// [`RpcError::Unreachable`] if there is no connection; otherwise as [`Client::call`].
    pub async fn connect(client: Client) -> Result<Self, RpcError> {
        let chain_id: U64 = client.first_call("eth_chainId", json!([])).await?;
        let chain_id = chain_id.to();
        Ok(Self {
            client,
            chain_id,
            rules: Bytes::new(),
            witness_method: Arc::default(),
            trace_method: Arc::default(),
            single_proofs: Arc::default(),
            list_methods: Arc::default(),
            no_state_methods: Arc::default(),
            software: Arc::default(),
            no_access_lists: Arc::default(),
        })
    }

    /// The chain's id (EIP-155).
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The part of the node's URL that may be printed.
    pub fn origin(&self) -> &Origin {
        self.client.origin()
    }

    /// This node, with rules for its chain. They are stored with each block. A new node has the rules of the known
    /// chain id.
    #[must_use]
    pub fn with_rules(mut self, rules: &ChainRules) -> Self {
        self.rules = stored_rules(rules);
        self
    }

    /// The rules at a header of the node's chain.
    ///
    /// # Errors
    /// [`RulesError`] if they are not known.
    pub fn chain_at(&self, header: &Header) -> Result<Chain, RulesError> {
        chain_of(self.chain_id, &self.rules, header)
    }

    /// The newest block that the node has.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn head(&self) -> Result<BlockNumber, RpcError> {
        self.client.head().await
    }

    /// The header of a block, if it has the hash that the node states.
    ///
    /// # Errors
    /// As [`Node::fetch`].
    pub async fn header_at(&self, number: BlockNumber) -> Result<Header, FetchError> {
        let params = json!([U64::from(number), false]);
        let answer: HeaderAnswer = self
            .ask(number, "eth_getBlockByNumber", params)
            .await
            .map_err(|error| self.or_no_such_block(error))?;
        answer.check(number, |header| self.chain_at(header).ok())
    }

    pub(super) async fn block(&self, number: BlockNumber) -> Result<CheckedBlock, FetchError> {
        if number == 0 {
            return Err(FetchError::Genesis);
        }
        let params = json!([U64::from(number), true]);
        let answer: BlockAnswer = self
            .ask(number, "eth_getBlockByNumber", params)
            .await
            .map_err(|error| self.or_no_such_block(error))?;
        let chain_at = |header: &Header| self.chain_at(header).ok();
        let mut block = answer.check(number, chain_at, |text| self.client.safe_words(text))?;
        self.client.known_head().note(number).await;
        block.access_list = self.access_list(&block).await?;
        Ok(block)
    }

    /// Names the block if the error says that the node does not have it.
    pub(super) fn or_no_such_block(&self, error: FetchError) -> FetchError {
        let FetchError::Rpc { number, source } = error else { return error };
        let origin = self.client.origin().clone();
        match source.head_far_above() {
            Some(head) => FetchError::BlockLacking { number, origin, head },
            None if source.is_block_missing() => FetchError::NoSuchBlock { number, origin },
            None => FetchError::Rpc { number, source },
        }
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

    /// Calls the witness method that the node has. The first block finds out which one it is.
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

    /// Tries the methods in turn with one block. Returns the method that exists, with its answer.
    /// The answer may be that the node has no witness of this block, or failed to make it.
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
        self.refuse_harm(number, method).await?;
        self.ask(number, method, params).await
    }

    /// Whether the node is known to have no witness method.
    pub(super) fn makes_no_witnesses(&self) -> bool {
        self.witness_method.get() == Some(&WitnessMethod::Neither)
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Time limit for tracing one transaction, equal to the client's own limit. geth's default is
    /// five seconds.
    pub(super) fn tracer_time(&self) -> String {
        format!("{}s", self.client.timeout().as_secs().max(1))
    }

    pub(super) fn lacks_state_methods(&self) -> bool {
        self.no_state_methods.initialized()
    }

    pub(super) fn note_lack_of_state_methods(&self) {
        // `set` fails if another task has set it already, which is harmless.
        let _ = self.no_state_methods.set(());
    }

    /// Sends a call that block `number` needs.
    pub(super) async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: Value,
    ) -> Result<T, FetchError> {
        let answer = self.client.call_about(number, method, params).await;
        answer.map_err(|source| FetchError::Rpc { number, source })
    }

    /// Calls a method once with each of `params`, in batches if the node accepts them.
    pub(super) async fn ask_each<T: serde::de::DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<T>, FetchError> {
        let answers = self.client.call_each(number, method, params).await;
        answers.map_err(|source| FetchError::Rpc { number, source })
    }

    /// As [`ask_each`](Self::ask_each), with `None` for each call that `denial` allows to have no answer.
    pub(super) async fn ask_all<T: serde::de::DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: &[Value],
        denial: Denial,
    ) -> Result<Vec<Option<T>>, FetchError> {
        let answers = self.client.call_all(number, method, params, denial).await;
        answers.map_err(|source| FetchError::Rpc { number, source })
    }
}
