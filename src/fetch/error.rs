//! What can go wrong between us and a node.
//!
//! Three layers, each the source of the one above: [`FetchError`] names the block, [`RpcError`] the
//! method and the node, [`Fault`] what happened and what to do about it. Printed as a chain they read
//! as one sentence. None of them holds a URL or a header; see [`Origin`] and [`SafeText`].

use std::time::Duration;

use alloy_primitives::{B256, BlockNumber};

use super::{
    endpoint::Origin,
    redact::{SafeText, TransportError},
};

/// Why a question to a node has no answer.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum RpcError {
    /// TLS or the like could not be set up on this machine.
    #[error("cannot set up TLS for the node at {origin}; are CA certificates installed here?")]
    Setup { origin: Origin, source: TransportError },

    /// No connection, in any attempt: wrong URL, node down, or no way there.
    #[error("cannot reach the node at {origin}; check the URL and that the node is up")]
    Unreachable { origin: Origin, source: TransportError },

    /// The node was reached, and the last of `attempts` failed.
    #[error("{method} failed on the node at {origin} (attempt {attempts})")]
    Failed { method: &'static str, origin: Origin, attempts: u32, source: Fault },
}

impl RpcError {
    /// Whether the node does not know the method, so that another one may do.
    pub fn is_method_missing(&self) -> bool {
        matches!(self, Self::Failed { source: Fault::NoSuchMethod { .. }, .. })
    }

    /// Whether the node answered that it does not have what was asked for.
    fn is_not_there(&self) -> bool {
        match self {
            // Some nodes prove a window of recent blocks, and take an older one for a bad parameter.
            Self::Failed {
                method: "eth_getProof",
                source: Fault::Answered { code: -32602, .. },
                ..
            } => true,
            Self::Failed { source: Fault::Answered { code, .. }, .. } => is_lack(*code),
            Self::Failed { source: Fault::Null, .. } => true,
            // Of witnesses alone it is known that they cannot be made for some blocks.
            Self::Failed { method, source: Fault::Crashed { .. }, .. } => {
                method.starts_with("debug_executionWitness")
            }
            _ => false,
        }
    }

    /// Whether the node was there and failed.
    const fn is_failure_of_node(&self) -> bool {
        let Self::Failed { source, .. } = self else { return false };
        matches!(source, Fault::Internal { .. } | Fault::OutOfTime { .. })
    }

    /// Whether it was asked for a witness, and that may just be too much to come in one answer: by a gateway, within the time
    /// limit, or by how long answers may be.
    fn is_witness_kept_back(&self) -> bool {
        use Fault::{Answered, BrokenOff, TimedOut, TooLarge, Unavailable};
        let Self::Failed { method, source, .. } = self else { return false };
        let kept_back = match source {
            Answered { code, .. } => is_oversized(*code),
            BrokenOff(_) | TimedOut(_) | TooLarge { .. } | Unavailable { .. } => true,
            _ => false,
        };
        kept_back && method.starts_with("debug_executionWitness")
    }

    /// Whether the node answered, and the answer is that it will not or cannot: asking again is of no
    /// use.
    pub(super) const fn is_denial(&self) -> bool {
        use Fault::{Answered, Crashed, Internal, NoSuchMethod, Null, OutOfTime, Refused};
        let Self::Failed { source, .. } = self else { return false };
        matches!(
            source,
            Answered { .. }
                | Crashed { .. }
                | Internal { .. }
                | NoSuchMethod { .. }
                | Null
                | OutOfTime { .. }
                | Refused { .. }
        )
    }
}

/// What went wrong in one attempt.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Fault {
    /// Refused, unknown host, certificate not accepted.
    #[error("no connection")]
    NoConnection(#[source] TransportError),

    /// Nothing came for as long as the time limit allows.
    #[error("no answer within the time limit; raise --rpc-timeout if the node is slow")]
    TimedOut(#[source] TransportError),

    /// The connection broke, or the answer ended early.
    #[error("the answer broke off")]
    BrokenOff(#[source] TransportError),

    /// The request could not be built.
    #[error("the request cannot be sent")]
    Unsendable(#[source] TransportError),

    /// A batch of which not every call has a result under its id.
    #[error("{answered} of {asked} calls of the batch have a result")]
    PartOfBatch { answered: usize, asked: usize },

    /// More than we are willing to hold.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge { limit: usize },

    /// A page of HTML, or half of an answer.
    #[error("the answer is no JSON-RPC: \"{says}\"")]
    NotJson { says: SafeText, source: SafeText },

    /// The answer belongs to some other question; a cache or proxy mixed them up.
    #[error("the answer carries the id of another request")]
    WrongId,

    /// HTTP 429, or JSON-RPC's -32005 (EIP-1474).
    #[error("rate limit: \"{says}\"; lower --requests-per-second or --concurrency")]
    RateLimited { retry_after: Option<Duration>, says: SafeText },

    /// HTTP 408 or 5xx.
    #[error("HTTP status {status}: \"{says}\"")]
    Unavailable { status: u16, retry_after: Option<Duration>, says: SafeText },

    /// Any other HTTP status; 401 and 403 are about keys, 404 and redirects about the URL.
    #[error("HTTP status {status}: \"{says}\"; check the URL, its key, and what its plan offers")]
    Refused { status: u16, says: SafeText },

    /// JSON-RPC's -32603, unless its words say something more precise: the node failed.
    #[error("internal error of the node: \"{says}\"")]
    Internal { says: SafeText },

    /// What answers the method broke down over this block, as geth's witnesses do before Byzantium: it will again.
    #[error("the node cannot do it for this block: \"{says}\"")]
    Crashed { says: SafeText },

    /// The node broke off what took it too long.
    #[error(
        "the node ran out of time: \"{says}\"; lower --concurrency, or raise the node's own limit"
    )]
    OutOfTime { says: SafeText },

    /// JSON-RPC's -32601, or -32004 (EIP-1474), or other codes with words that say so.
    #[error("the node does not offer this method: \"{says}\"")]
    NoSuchMethod { says: SafeText },

    /// Any other JSON-RPC error: invalid params, unknown block, pruned state.
    #[error("error {code}: \"{says}\"{}", remedy(*code))]
    Answered { code: i64, says: SafeText },

    /// `null`, where a value is needed.
    #[error("the node does not have it (null); an archive node may")]
    Null,

    /// JSON of another shape.
    #[error("the answer is not of the expected shape")]
    Unexpected(#[source] SafeText),
}

/// Whether a JSON-RPC error is one of EIP-1474's for what is not there, as with pruned state.
const fn is_lack(code: i64) -> bool {
    // `answer` keeps -32603 only where the words say that a trie node is missing.
    matches!(code, -32002..=-32000 | -32603)
}

/// Whether a JSON-RPC error says that the answer would be too long: jsonrpsee's codes, old and new, which reth answers with.
const fn is_oversized(code: i64) -> bool {
    matches!(code, -32702 | -32008)
}

/// What to do about a JSON-RPC error.
const fn remedy(code: i64) -> &'static str {
    if is_lack(code) { "; an archive node may have what a pruned one lacks" } else { "" }
}

/// Why a block could not be fetched.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum FetchError {
    /// A question remained unanswered.
    #[error("cannot fetch block {number}")]
    Rpc { number: BlockNumber, source: RpcError },

    /// The genesis block is a state, not a change of state.
    #[error("block 0 executes nothing, so there is nothing to fetch; begin with block 1")]
    Genesis,

    /// Not mined yet, or from another chain, or pruned.
    #[error("the node at {origin} does not have block {number}; check its chain and its head")]
    NoSuchBlock { number: BlockNumber, origin: Origin },

    /// Without the state before it no block can be replayed.
    #[error(
        "the node at {origin} offers {wanted}; use a node with the debug API (reth, geth, ...)"
    )]
    NoWitnessMethod { origin: Origin, wanted: &'static str },

    /// Some other block came.
    #[error("block {number}: the node answered with block {found}; use another node")]
    WrongNumber { number: BlockNumber, found: BlockNumber },

    /// The header is not the one that has the stated hash.
    #[error(
        "block {number}: the header hashes to {computed}, the node states {stated}; \
         the node changed the header, or the chain's rules are not Ethereum's"
    )]
    WrongHash { number: BlockNumber, stated: B256, computed: B256 },

    /// Hashes only, though whole transactions were asked for.
    #[error("block {number}: the node sent transaction {index} as a hash only; use another node")]
    BareTransaction { number: BlockNumber, index: usize },

    /// A transaction of no type that Ethereum has (EIP-2718).
    #[error("block {number}: transaction {index} is not one of Ethereum's")]
    UnknownTransaction { number: BlockNumber, index: usize, source: SafeText },

    /// A transaction's content is not what its hash states.
    #[error(
        "block {number}: transaction {index} hashes to {computed}, the node states {stated}; \
         use another node"
    )]
    WrongTransaction { number: BlockNumber, index: usize, stated: B256, computed: B256 },

    /// An ommer's header is not what the block lists.
    #[error(
        "block {number}: ommer {index} hashes to {computed}, the block lists {listed}; \
         use another node"
    )]
    WrongOmmer { number: BlockNumber, index: usize, listed: B256, computed: B256 },

    /// The tracer traced some other number of transactions.
    #[error("block {number}: the node traced {found} transactions, the block has {expected}")]
    TraceLength { number: BlockNumber, expected: usize, found: usize },

    /// The tracer traced some other transaction.
    #[error(
        "block {number}: the trace of transaction {index} is of {stated}, not of {expected}; \
         the chain was reorganised or the node is wrong, fetch the block again"
    )]
    WrongTrace { number: BlockNumber, index: usize, stated: B256, expected: B256 },

    /// The tracer gave up.
    #[error("block {number}: the node could not trace transaction {index}: \"{says}\"")]
    TraceFailed { number: BlockNumber, index: usize, says: SafeText },

    /// A header in the witness is not RLP of a header.
    #[error("block {number}: header {index} of the witness does not decode")]
    WitnessHeader { number: BlockNumber, index: usize, source: alloy_rlp::Error },

    /// The node's ancestor is not the block's.
    #[error(
        "block {number}: its ancestor {ancestor} has hash {expected}, the node's has {computed}; \
         the chain was reorganised or the node is wrong, fetch the block again"
    )]
    WrongAncestor { number: BlockNumber, ancestor: BlockNumber, expected: B256, computed: B256 },

    /// `BLOCKHASH` answers zero that far back, so no execution needs it.
    #[error("block {number}: no execution needs ancestor {down_to}, more than 256 blocks back")]
    TooFarBack { number: BlockNumber, down_to: BlockNumber },
}

impl FetchError {
    /// Whether the node does not know the method that it was asked by, so that another one may do.
    pub fn is_method_missing(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if source.is_method_missing())
    }

    /// Whether the node lacks the method, or the data that the method needs, so that another way may
    /// do. A fault of any other kind says nothing about that.
    pub fn is_lack(&self) -> bool {
        match self {
            Self::NoWitnessMethod { .. } => true,
            Self::Rpc { source, .. } => source.is_method_missing() || source.is_not_there(),
            _ => false,
        }
    }

    /// Whether the node was there and failed, so that another way that proves as much may do.
    pub(super) const fn is_failure_of_node(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if source.is_failure_of_node())
    }

    /// Whether a witness may be too much for one answer, so that smaller ones may do. Says nothing of whether the node makes any.
    pub(super) fn is_witness_kept_back(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if source.is_witness_kept_back())
    }
}
