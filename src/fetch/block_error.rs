//! Errors of whole blocks, each with the number of the block. The source of most is an [`RpcError`].

use alloy_primitives::{Address, B256, BlockNumber};

use super::{endpoint::Origin, error::RpcError, redact::SafeText};
use crate::{block::range::Name, evm::FieldError};

/// Why the number of a named block is not known.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum NameError {
    /// A call has no answer.
    #[error("cannot look up block {name}")]
    Rpc { name: Name, source: RpcError },

    /// The node has no block of this name.
    #[error("the node at {origin} has no block {name}; check its chain, or write a number")]
    Unknown { name: Name, origin: Origin },

    /// The block is not part of the node's chain.
    #[error(
        "block {hash} has number {number}, where the chain of the node at {origin} has block {other}; the block was \
         orphaned by a reorganisation"
    )]
    Orphan { hash: B256, number: BlockNumber, other: B256, origin: Origin },
}

/// Why a block could not be fetched.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum FetchError {
    /// A call has no answer.
    #[error("cannot fetch block {number}")]
    Rpc { number: BlockNumber, source: RpcError },

    /// The genesis block is a state, not a change of state.
    #[error("block 0 executes nothing, so there is nothing to fetch; begin with block 1")]
    Genesis,

    /// The block is not mined yet, is of another chain, or is pruned.
    #[error("the node at {origin} does not have block {number}; check its chain and its head")]
    NoSuchBlock { number: BlockNumber, origin: Origin },

    /// The node stated a head far above the block, and lacks the block.
    #[error(
        "the node at {origin} does not have block {number}, although its head is block {head}; it may have pruned the \
         block, or a load balancer spreads requests over unlike backends, so use another node"
    )]
    BlockLacking { number: BlockNumber, origin: Origin, head: BlockNumber },

    /// The node has no method for the pre-state. Without the pre-state a block cannot be replayed.
    #[error(
        "the node at {origin} offers {wanted}; use a node with the debug API (reth, geth, ...)"
    )]
    NoWitnessMethod { origin: Origin, wanted: &'static str },

    /// The node answered with another block.
    #[error("block {number}: the node answered with block {found}; use another node")]
    WrongNumber { number: BlockNumber, found: BlockNumber },

    /// The header has a field that its fork does not have, or lacks one.
    #[error("block {number}: the header is not of its fork")]
    WrongFields { number: BlockNumber, source: FieldError },

    /// The header does not have the stated hash.
    #[error(
        "block {number}: the header hashes to {computed}, the node states {stated}; \
         the node changed the header, or the chain's rules are not Ethereum's"
    )]
    WrongHash { number: BlockNumber, stated: B256, computed: B256 },

    /// The node sent only a transaction's hash, but whole transactions were requested.
    #[error("block {number}: the node sent transaction {index} as a hash only; use another node")]
    BareTransaction { number: BlockNumber, index: usize },

    /// A transaction of a type that Ethereum does not have (EIP-2718).
    #[error(
        "block {number}: transaction {index} has type {stated}, which Ethereum does not have; the node follows \
         another chain"
    )]
    UnknownTransactionType { number: BlockNumber, index: usize, stated: SafeText },

    /// A transaction of a known type with a missing or malformed field.
    #[error(
        "block {number}: the node's JSON of transaction {index} lacks a field of its type, or has a malformed one; \
         use another node"
    )]
    MalformedTransaction { number: BlockNumber, index: usize, source: SafeText },

    /// A transaction does not have the stated hash.
    #[error(
        "block {number}: transaction {index} hashes to {computed}, the node states {stated}; \
         use another node"
    )]
    WrongTransaction { number: BlockNumber, index: usize, stated: B256, computed: B256 },

    /// The block lists ommers that its header excludes, or lacks those of its header.
    #[error(
        "block {number}: the node lists {listed} ommers, but the header says otherwise; use another node"
    )]
    WrongOmmers { number: BlockNumber, listed: usize },

    /// An ommer's header does not have the hash that the block lists.
    #[error(
        "block {number}: ommer {index} hashes to {computed}, the block lists {listed}; \
         use another node"
    )]
    WrongOmmer { number: BlockNumber, index: usize, listed: B256, computed: B256 },

    /// The tracer traced a different number of transactions.
    #[error("block {number}: the node traced {found} transactions, the block has {expected}")]
    TraceLength { number: BlockNumber, expected: usize, found: usize },

    /// The tracer traced another transaction.
    #[error(
        "block {number}: the trace of transaction {index} is of {stated}, not of {expected}; \
         the chain was reorganised or the node is wrong, fetch the block again"
    )]
    WrongTrace { number: BlockNumber, index: usize, stated: B256, expected: B256 },

    /// The result of another tracer.
    #[error(
        "block {number}: the node or a gateway before it ignores the tracer prestateTracer and answers with another \
         trace, such as struct logs; use a node that offers prestateTracer"
    )]
    TracerIgnored { number: BlockNumber },

    /// A proof that begins at another state root.
    #[error(
        "block {number}: the proof of account {address} is not of block {at}, which has state root {expected}, but of \
         state root {found}; the node or a load balancer before it answers for another block, use another node"
    )]
    WrongProof {
        number: BlockNumber,
        at: BlockNumber,
        address: Address,
        expected: B256,
        found: B256,
    },

    /// The tracer failed.
    #[error("block {number}: the node could not trace transaction {index}: \"{says}\"")]
    TraceFailed { number: BlockNumber, index: usize, says: SafeText },

    /// A header in the witness does not decode from RLP.
    #[error("block {number}: header {index} of the witness does not decode")]
    WitnessHeader { number: BlockNumber, index: usize, source: alloy_rlp::Error },

    /// The node has another ancestor than the block.
    #[error(
        "block {number}: its ancestor {ancestor} has hash {expected}, the node's has {computed}; \
         the chain was reorganised or the node is wrong, fetch the block again"
    )]
    WrongAncestor { number: BlockNumber, ancestor: BlockNumber, expected: B256, computed: B256 },

    /// `BLOCKHASH` returns zero that far back, so no execution needs the header.
    #[error("block {number}: no execution needs ancestor {down_to}, more than 256 blocks back")]
    TooFarBack { number: BlockNumber, down_to: BlockNumber },
}

impl FetchError {
    /// Whether the node does not know the called method. Another method may work.
    pub fn is_method_missing(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if source.is_method_missing())
    }

    /// Whether the node gave no trace, although it may have the state. Access lists may do instead.
    pub(super) fn is_lack_of_trace(&self) -> bool {
        matches!(self, Self::TracerIgnored { .. }) || self.is_lack() || self.is_failure_of_node()
    }

    /// Whether the node lacks the method, or the data that the method needs. Another method may
    /// work then. No other fault implies that.
    pub fn is_lack(&self) -> bool {
        match self {
            Self::NoWitnessMethod { .. } => true,
            Self::Rpc { source, .. } => source.is_method_missing() || source.is_not_there(),
            _ => false,
        }
    }

    /// Whether the node answered that it cannot or will not serve the call.
    pub(super) const fn is_denial(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if source.is_denial())
    }

    /// Whether the node was reached and failed. Another method with the same proof may work then.
    pub(super) fn is_failure_of_node(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if source.is_failure_of_node())
    }

    /// Whether the answer is too large. Smaller requests may succeed.
    pub(super) const fn is_too_large(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if source.is_too_large())
    }

    /// Whether a witness may be too large for one answer. Smaller answers may work then. This does
    /// not show whether the node makes witnesses.
    pub(super) fn is_witness_kept_back(&self) -> bool {
        matches!(self, Self::Rpc { source, .. } if source.is_witness_kept_back())
    }
}
