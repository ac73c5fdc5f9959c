//! Finds out what a node can serve, by calling it.
//!
//! Every method that a fetch could use is called once about one block. Any answer counts as
//! support, and its content is discarded. Only a fetch checks that the answers are right. The
//! oldest block with state is found by binary search. The search assumes that a node with the state
//! of a block has the state of every later one. The caller formats the result.

use alloy_primitives::{Address, B256, BlockNumber, U64};
use futures::future::join_all;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny},
};
use serde_json::{Value, json};

use super::{
    access_list::ListMethod,
    block_error::FetchError,
    choice::WitnessChoice,
    client::Question,
    endpoint::Origin,
    error::{Fault, RpcError},
    node::Node,
    redact::SafeText,
    retry::Contact,
    tracer::{self, Entry, Traced},
};

/// Time limit of the tracer.
const TIME: &str = "5s";

/// Batch sizes that are tried, the largest first.
const BATCH_SIZES: [usize; 3] = [100, 10, 1];

/// A method that a fetch may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The whole witness of a block, by its number.
    ExecutionWitness,
    /// The whole witness of a block, by its hash.
    ExecutionWitnessByBlockHash,
    /// The values that each transaction of a block reads, from `prestateTracer`.
    PrestateTracer,
    /// The same for one transaction.
    TraceTransaction,
    /// The accounts and slots that a transaction touches, without a tracer.
    CreateAccessList,
    /// Proof of an account (EIP-1186).
    Proof,
    /// All receipts of a block.
    BlockReceipts,
    /// Code of an account.
    Code,
    /// A slot of an account.
    StorageAt,
    /// Header of an ommer.
    Uncle,
    /// RLP of a block access list (EIP-7928).
    RawAccessList,
    /// A block access list.
    AccessList,
    /// A block access list, by the block's hash.
    AccessListByHash,
    /// A block access list, by the block's number.
    AccessListByNumber,
}

/// Methods, state and batches that a node can serve.
#[derive(Debug)]
pub struct Abilities {
    /// The printable part of the node's URL.
    pub origin: Origin,
    /// The client name that the node states.
    pub client: Result<SafeText, RpcError>,
    /// The id of the node's chain (EIP-155).
    pub chain_id: u64,
    /// The newest block that the node has.
    pub head: BlockNumber,
    /// The block that the methods were called about.
    pub block: BlockNumber,
    /// The oldest block for which the node has the post-state, or the error that ended the search.
    pub oldest_state: Result<BlockNumber, RpcError>,
    /// Each method, with the error if it is not served.
    pub methods: Vec<(Method, Result<(), RpcError>)>,
    /// The largest batch that was answered in full. Zero if none was.
    pub batch: usize,
    /// Why no larger batch was answered.
    pub larger_batch: Option<RpcError>,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 14] = [
        Self::ExecutionWitness,
        Self::ExecutionWitnessByBlockHash,
        Self::PrestateTracer,
        Self::TraceTransaction,
        Self::CreateAccessList,
        Self::Proof,
        Self::BlockReceipts,
        Self::Code,
        Self::StorageAt,
        Self::Uncle,
        Self::RawAccessList,
        Self::AccessList,
        Self::AccessListByHash,
        Self::AccessListByNumber,
    ];

    /// The name of the JSON-RPC method.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExecutionWitness => "debug_executionWitness",
            Self::ExecutionWitnessByBlockHash => "debug_executionWitnessByBlockHash",
            Self::PrestateTracer => "debug_traceBlockByNumber",
            Self::TraceTransaction => "debug_traceTransaction",
            Self::CreateAccessList => "eth_createAccessList",
            Self::Proof => "eth_getProof",
            Self::BlockReceipts => "eth_getBlockReceipts",
            Self::Code => "eth_getCode",
            Self::StorageAt => "eth_getStorageAt",
            Self::Uncle => "eth_getUncleByBlockHashAndIndex",
            Self::RawAccessList => ListMethod::Raw.name(),
            Self::AccessList => ListMethod::Plain.name(),
            Self::AccessListByHash => ListMethod::ByHash.name(),
            Self::AccessListByNumber => ListMethod::ByNumber.name(),
        }
    }

    /// The parameters of a call about a block. State is requested at the parent, as a fetch does.
    fn params(self, number: BlockNumber, block: &Probed) -> Value {
        let (tag, parent) = (U64::from(number), U64::from(number.saturating_sub(1)));
        let account = Address::ZERO;
        match self {
            Self::ExecutionWitness
            | Self::BlockReceipts
            | Self::RawAccessList
            | Self::AccessList
            | Self::AccessListByNumber => json!([tag]),
            Self::ExecutionWitnessByBlockHash | Self::AccessListByHash => json!([block.hash]),
            Self::PrestateTracer => json!([tag, tracer::options(TIME, false)]),
            Self::TraceTransaction => {
                let first = block.transactions.first().copied().unwrap_or_default();
                json!([first, tracer::options(TIME, false)])
            }
            Self::CreateAccessList => json!([{"from": account, "to": account}, parent]),
            Self::Proof => json!([account, [], parent]),
            Self::Code => json!([account, parent]),
            Self::StorageAt => json!([account, "0x0", parent]),
            Self::Uncle => json!([block.hash, "0x0"]),
        }
    }
}

impl Abilities {
    /// Whether the node answered a method.
    pub fn serves(&self, method: Method) -> bool {
        self.methods.iter().any(|(asked, answer)| *asked == method && answer.is_ok())
    }

    /// The ways to fetch blocks that the node supports, the best first.
    pub fn witnesses(&self) -> Vec<WitnessChoice> {
        let serves = |method| self.serves(method);
        let by_witness =
            serves(Method::ExecutionWitness) || serves(Method::ExecutionWitnessByBlockHash);
        let traced = serves(Method::PrestateTracer) || serves(Method::TraceTransaction);
        let ways = [
            (WitnessChoice::ExecutionWitness, by_witness),
            (WitnessChoice::Proofs, serves(Method::Proof)),
            (WitnessChoice::Prestate, traced),
        ];
        ways.into_iter().filter(|(_, there)| *there).map(|(kind, _)| kind).collect()
    }
}

impl Node {
    /// Asks the node what it can serve of block `number`. `head` is the number of its newest block.
    ///
    /// # Errors
    /// If the node does not have that block. Other missing methods and data are part of the result.
    pub async fn abilities(
        &self,
        head: BlockNumber,
        number: BlockNumber,
    ) -> Result<Abilities, FetchError> {
        let block = self.probed(number).await?;
        let client = self.client().call::<String>("web3_clientVersion", json!([])).await;
        let (batch, larger_batch) = self.largest_batch().await;
        Ok(Abilities {
            origin: self.client().origin().clone(),
            client: client.map(|name| self.client().safe_words(&name)),
            chain_id: self.chain_id(),
            head,
            block: number,
            oldest_state: self.oldest_state(head).await,
            methods: join_all(Method::ALL.map(|method| self.try_method(method, number, &block)))
                .await,
            batch,
            larger_batch,
        })
    }

    async fn probed(&self, number: BlockNumber) -> Result<Probed, FetchError> {
        let params = json!([U64::from(number), false]);
        let block = self.ask::<Probed>(number, "eth_getBlockByNumber", params).await;
        block.map_err(|error| self.or_no_such_block(error))
    }

    async fn try_method(
        &self,
        method: Method,
        number: BlockNumber,
        block: &Probed,
    ) -> (Method, Result<(), RpcError>) {
        let (name, params, client) = (method.name(), method.params(number, block), self.client());
        let answer = match method {
            Method::ExecutionWitness | Method::ExecutionWitnessByBlockHash => {
                self.try_witness(name, params).await
            }
            // Most blocks have no ommers, so `null` counts as an answer.
            Method::Uncle => client.call::<IgnoredAny>(name, params).await.map(drop),
            Method::PrestateTracer => client.call::<Vec<Listed>>(name, params).await.map(drop),
            Method::TraceTransaction => {
                let traced = client.call::<Listed>(name, params).await.map(drop);
                traced.or_else(|error| served_without_transaction(error, block))
            }
            _ => client.call::<Something>(name, params).await.map(drop),
        };
        (method, answer)
    }

    async fn try_witness(&self, method: &'static str, params: Value) -> Result<(), RpcError> {
        if let Some(software) = self.harmed_by_witnesses().await {
            let (origin, software) = (self.client().origin().clone(), software.clone());
            return Err(RpcError::NotCalled { method, origin, software });
        }
        self.client().call::<Something>(method, params).await.map(drop)
    }

    /// Binary search between a block with state and a block without.
    async fn oldest_state(&self, head: BlockNumber) -> Result<BlockNumber, RpcError> {
        self.state_after(head).await?;
        if self.has_state_after(0).await? {
            return Ok(0);
        }
        let (mut lacking, mut there) = (0, head);
        while there - lacking > 1 {
            let middle = lacking + (there - lacking) / 2;
            if self.has_state_after(middle).await? {
                there = middle;
            } else {
                lacking = middle;
            }
        }
        Ok(there)
    }

    /// An answer that the state is missing counts as `false`, not as an error.
    async fn has_state_after(&self, number: BlockNumber) -> Result<bool, RpcError> {
        match self.state_after(number).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_denial() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn state_after(&self, number: BlockNumber) -> Result<(), RpcError> {
        let params = json!([Address::ZERO, U64::from(number)]);
        self.client().call::<Something>("eth_getBalance", params).await.map(drop)
    }

    /// The size of the largest batch that is answered, and the error of the next larger one.
    async fn largest_batch(&self) -> (usize, Option<RpcError>) {
        let mut larger = None;
        for size in BATCH_SIZES {
            match self.try_batch(size).await {
                Ok(()) => return (size, larger),
                Err(error) => larger = Some(error),
            }
        }
        (0, larger)
    }

    async fn try_batch(&self, size: usize) -> Result<(), RpcError> {
        let question = Question::batch("eth_chainId", &vec![json!([]); size]);
        let read = |answer: &super::answer::Answer, secrets: &_| {
            let results = answer.results(question.id(), size, secrets)?;
            match results.iter().flatten().count() {
                answered if answered < size => Err(Fault::PartOfBatch { answered, asked: size }),
                _ => Ok(()),
            }
        };
        self.client().persist(&question, Contact::Made, read).await
    }
}

/// The fields of a block that are needed here.
#[derive(Debug, Deserialize)]
struct Probed {
    hash: B256,
    /// Hashes of the transactions.
    #[serde(default)]
    transactions: Vec<B256>,
}

/// The trace of a transaction by `prestateTracer`.
struct Listed;

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Entry::deserialize(from)?.traced {
            Traced::OtherTracer => Err(D::Error::custom("the tracer prestateTracer is ignored")),
            _ => Ok(Self),
        }
    }
}

/// A block without transactions leaves nothing to trace. Any answer but a missing method then shows that the method
/// is served.
fn served_without_transaction(error: RpcError, block: &Probed) -> Result<(), RpcError> {
    match block.transactions.is_empty() && error.is_denial() && !error.is_method_missing() {
        true => Ok(()),
        false => Err(error),
    }
}

/// Any answer but `null`.
struct Something;

impl<'de> Deserialize<'de> for Something {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let answer = Option::<IgnoredAny>::deserialize(from)?;
        answer.map(|_| Self).ok_or_else(|| D::Error::custom("null"))
    }
}
