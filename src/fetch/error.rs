//! Errors of requests to a node.
//!
//! There are three layers, and each is the source of the one above. [`FetchError`] names the block; `block_error` holds
//! it. [`RpcError`] names the method and the node. [`Fault`] says what happened and suggests a remedy. Printed as a
//! chain, they read as one sentence. None of them holds a URL or a header; see [`Origin`] and [`SafeText`].
//!
//! [`FetchError`]: super::FetchError

use std::time::Duration;

use alloy_primitives::BlockNumber;

use super::{
    endpoint::Origin,
    redact::{SafeText, TransportError},
    wording::is_unknown_block,
};

/// Why a JSON-RPC call has no answer.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum RpcError {
    /// TLS could not be set up on this machine.
    #[error("cannot set up TLS for the node at {origin}; are CA certificates installed here?")]
    Setup { origin: Origin, source: TransportError },

    /// Every attempt failed to connect: the URL is wrong, the node is down, or no route exists.
    #[error("cannot reach the node at {origin}; check the URL and that the node is up")]
    Unreachable { origin: Origin, source: TransportError },

    /// Every attempt failed to connect, and a proxy is between this machine and the node. Either may be the reason.
    #[error(
        "cannot reach the node at {origin} through the proxy at {proxy}; check that both are up, and the variable that \
         names the proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY)"
    )]
    BehindProxy { origin: Origin, proxy: Origin, source: TransportError },

    /// The method would harm the node.
    #[error(
        "{method} is not called on the node at {origin}, which runs {software}: it stops geth before 1.17.2 and nitro \
         from importing blocks; use --witness proofs or --witness prestate, or newer software"
    )]
    NotCalled { method: &'static str, origin: Origin, software: SafeText },

    /// The node was reached, and the last of `attempts` failed.
    #[error("{method} failed on the node at {origin} (attempt {attempts})")]
    Failed { method: &'static str, origin: Origin, attempts: u32, source: Fault },
}

impl RpcError {
    /// Whether the node does not know the method. Another method may work.
    pub fn is_method_missing(&self) -> bool {
        matches!(self, Self::Failed { source: Fault::NoSuchMethod { .. }, .. })
    }

    /// Whether the node answered that it does not have the requested data.
    pub(super) fn is_not_there(&self) -> bool {
        match self {
            Self::NotCalled { .. } => true,
            // Some nodes prove a window of recent blocks only. They reject an older block as a bad
            // parameter.
            Self::Failed {
                method: "eth_getProof",
                source: Fault::Answered { code: -32602, .. },
                ..
            } => true,
            Self::Failed { source: Fault::Answered { code, .. }, .. } => is_lack(*code),
            Self::Failed { source, .. } if source.is_null() => true,
            // Only witnesses are known to be impossible to make for some blocks.
            Self::Failed { method, source: Fault::Crashed { .. }, .. } => {
                method.starts_with("debug_executionWitness")
            }
            _ => false,
        }
    }

    /// Whether the node was reached and failed.
    pub(super) fn is_failure_of_node(&self) -> bool {
        let Self::Failed { source, .. } = self else { return false };
        match source {
            Fault::Internal { .. } | Fault::OutOfTime { .. } => true,
            // A backend that lacks the block says nothing about the data of the others.
            Fault::Lagging { answer, .. } => !matches!(**answer, Fault::Null),
            _ => false,
        }
    }

    /// Whether the node answered that it does not have the block.
    pub(super) fn is_block_missing(&self) -> bool {
        match self {
            Self::Failed { source: Fault::Null, .. } => true,
            Self::Failed { source: Fault::Answered { says, .. }, .. } => {
                is_unknown_block(says.as_str())
            }
            _ => false,
        }
    }

    /// The head that the node stated, if it lacks a block that is far below.
    pub(super) const fn head_far_above(&self) -> Option<BlockNumber> {
        match self {
            Self::Failed { source: Fault::Lagging { head, near: false, .. }, .. } => Some(*head),
            _ => None,
        }
    }

    /// Whether the answer is too large. Smaller requests may succeed.
    pub(super) const fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::Failed { source: Fault::Oversized { .. } | Fault::TooLarge { .. }, .. }
        )
    }

    /// Whether the call was for a witness that may be too large for one answer. The limit may be a
    /// gateway's, the time limit, or the largest size of an answer.
    pub(super) fn is_witness_kept_back(&self) -> bool {
        use Fault::{BrokenOff, Oversized, TimedOut, TooLarge, Unavailable};
        let Self::Failed { method, source, .. } = self else { return false };
        let kept_back = matches!(
            source,
            BrokenOff(_) | Oversized { .. } | TimedOut(_) | TooLarge { .. } | Unavailable { .. }
        );
        kept_back && method.starts_with("debug_executionWitness")
    }

    /// Whether the same call may succeed later: the node is unreachable, busy or cut off.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Setup { .. } | Self::NotCalled { .. } => false,
            Self::Unreachable { .. }
            | Self::BehindProxy { .. }
            | Self::Failed { source: Fault::Lagging { .. }, .. } => true,
            Self::Failed { source: Fault::Unsendable(_) | Fault::TooLarge { .. }, .. } => false,
            Self::Failed { .. } => !self.is_denial(),
        }
    }

    /// Whether the node answered that it cannot or will not serve the call. A retry is useless
    /// then.
    pub(super) const fn is_denial(&self) -> bool {
        use Fault::{
            Answered, Crashed, Internal, Lagging, NoSuchMethod, Null, OutOfTime, Oversized, Refused,
        };
        let Self::Failed { source, .. } = self else { return false };
        matches!(
            source,
            Answered { .. }
                | Crashed { .. }
                | Internal { .. }
                | Lagging { .. }
                | Oversized { .. }
                | NoSuchMethod { .. }
                | Null
                | OutOfTime { .. }
                | Refused { .. }
        )
    }
}

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Fault {
    /// Connection refused, unknown host, or certificate not accepted.
    #[error("no connection")]
    NoConnection(#[source] TransportError),

    /// No data arrived within the time limit.
    #[error("no answer within the time limit; raise --rpc-timeout if the node is slow")]
    TimedOut(#[source] TransportError),

    /// The connection broke, or the answer ended early.
    #[error("the answer broke off")]
    BrokenOff(#[source] TransportError),

    /// The request could not be built.
    #[error("the request cannot be sent")]
    Unsendable(#[source] TransportError),

    /// Some calls of a batch have no result under their id.
    #[error("{answered} of {asked} calls of the batch have a result")]
    PartOfBatch { answered: usize, asked: usize },

    /// The answer exceeds the size limit.
    #[error("the answer is larger than {limit} bytes; --largest-answer raises the limit")]
    TooLarge { limit: usize },

    /// The answer is an HTML page, or is cut off.
    #[error("the answer is not JSON-RPC: \"{says}\"")]
    NotJson { says: SafeText, source: SafeText },

    /// The answer belongs to another request. A cache or proxy mixed them up.
    #[error("the answer carries the id of another request")]
    WrongId,

    /// HTTP 429, or JSON-RPC's -32005 (EIP-1474).
    #[error("rate limit: \"{says}\"; lower --requests-per-second or --concurrency")]
    RateLimited { retry_after: Option<Duration>, says: SafeText },

    /// HTTP 408 or 5xx.
    #[error("HTTP status {status}: \"{says}\"")]
    Unavailable { status: u16, retry_after: Option<Duration>, says: SafeText },

    /// Any other HTTP status. 401 and 403 are about keys, 404 and redirects about the URL.
    #[error(
        "HTTP status {status}{}; {}",
        quoted(says),
        remedy_of_status(*status)
    )]
    Refused { status: u16, says: SafeText },

    /// JSON-RPC's -32603, unless its message is more precise. The node failed.
    #[error("internal error of the node: \"{says}\"")]
    Internal { says: SafeText },

    /// The method's handler crashed on this block and will crash again. geth's witnesses do so
    /// before Byzantium.
    #[error("the node cannot serve this method for this block: \"{says}\"")]
    Crashed { says: SafeText },

    /// The node aborted the call because it took too long.
    #[error(
        "the node ran out of time: \"{says}\"; lower --concurrency, or raise the node's own limit"
    )]
    OutOfTime { says: SafeText },

    /// JSON-RPC's -32601, or -32004 (EIP-1474), or another code with a message of that meaning.
    #[error("the node does not offer this method: \"{says}\"")]
    NoSuchMethod { says: SafeText },

    /// Any other JSON-RPC error: invalid params, unknown block, pruned state.
    #[error("error {code}: \"{says}\"{}", remedy(*code))]
    Answered { code: i64, says: SafeText },

    /// `null`, but a value is needed.
    #[error("the node answered null; an archive node may have the data")]
    Null,

    /// An answer that the node does not have a block, although it stated that its head is not below that block.
    #[error(
        "the node's head is block {head}, but the backend that answered lacks the block: {answer}; a load balancer \
         may spread requests over backends that lag behind each other, so fetch again later or use a single node"
    )]
    Lagging {
        head: BlockNumber,
        /// Whether the block is close to the head, so that a backend may soon have it.
        near: bool,
        answer: Box<Fault>,
    },

    /// The node answered that the answer would be too large.
    #[error("the answer is too large for the node: \"{says}\"")]
    Oversized { says: SafeText },

    /// JSON that does not have the expected structure.
    #[error("the answer does not have the expected structure")]
    Unexpected(#[source] SafeText),
}

impl Fault {
    /// Whether a proxy may have answered in place of the node.
    pub(super) const fn may_come_from_proxy(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Unavailable { .. }
                | Self::NotJson { .. }
                | Self::BrokenOff(_)
                | Self::TimedOut(_)
        )
    }

    /// Whether the node answered `null`.
    fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Lagging { answer, .. } => answer.is_null(),
            _ => false,
        }
    }
}

/// Whether EIP-1474 defines the code for missing data, such as pruned state.
const fn is_lack(code: i64) -> bool {
    // `answer` keeps -32603 only where the words say that a trie node is missing.
    matches!(code, -32002..=-32000 | -32603)
}

/// Words of the node behind a colon; nothing without words.
fn quoted(says: &SafeText) -> String {
    if says.as_str().is_empty() { String::new() } else { format!(": \"{says}\"") }
}

/// Remedy that the message suggests for an HTTP status.
const fn remedy_of_status(status: u16) -> &'static str {
    match status {
        407 => "the proxy asks for credentials, which belong into its URL",
        _ => "check the URL, its key, and what its plan offers",
    }
}

/// Remedy that the message suggests for a JSON-RPC error code.
const fn remedy(code: i64) -> &'static str {
    if is_lack(code) { "; an archive node may have the data that a pruned node lacks" } else { "" }
}
