//! Sends one JSON-RPC call and retries it until it has an answer or a permanent fault.
//!
//! `connection` transports a request, `answer` interprets an answer, `retry` decides whether to try again, and `pace` decides when. A
//! client is cheap to clone. Its clones share connections and limits.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    ops::Add,
    sync::Arc,
    time::Duration,
};

use alloy_primitives::BlockNumber;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    answer::Answer,
    batch::Batches,
    budget::Budget,
    connection::Connection,
    endpoint::{Endpoint, Origin, RpcHeader},
    error::{Fault, RpcError},
    jwt::NodeSecret,
    lag::KnownHead,
    pace::{Load, Pace},
    redact::{SafeText, Secrets, TransportError},
    retry::{Contact, requested_wait, wait_before_retry},
};

/// Limits on concurrency, rate, retries and waiting time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of concurrent requests. It falls while the node answers that the load is too
    /// high.
    pub concurrency: NonZeroUsize,
    /// Maximum number of requests that start per second, evenly spaced, retries included. No limit
    /// if `None`.
    pub requests_per_second: Option<NonZeroU32>,
    /// Maximum number of retries of one call after a transient fault.
    pub max_retries: u32,
    /// Longest silence: until the answer begins, and between its parts. A whole answer may take ten
    /// times as long.
    pub timeout: Duration,
    /// Size of the largest answer in bytes, after decompression. The texts of all answers that are read at the
    /// same time take at most twice as much.
    pub largest_answer: usize,
}

/// A JSON-RPC client for one node.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    origin: Origin,
    secrets: Secrets,
    pace: Pace,
    max_retries: u32,
    timeout: Duration,
    batches: Batches,
    head: KnownHead,
    budget: Budget,
    /// The lock is held only for an addition.
    traffic: Mutex<Traffic>,
}

/// Requests that were sent, and their answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Number of requests, retries included. A batch counts as one.
    pub requests: u64,
    /// Bytes of the answers, after decompression.
    pub bytes: u64,
}

impl Add for Traffic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { requests: self.requests + other.requests, bytes: self.bytes + other.bytes }
    }
}

/// The method, id and body of a request. All attempts send the same ones.
#[derive(Debug)]
pub(super) struct Question {
    method: &'static str,
    /// The first id of a batch. The ids of the other calls count up from it.
    id: u64,
    /// The block that the call needs.
    about: Option<BlockNumber>,
    body: String,
}

impl Default for Limits {
    /// Limits that public providers accept.
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::MIN.saturating_add(7),
            requests_per_second: None,
            max_retries: 6,
            timeout: Duration::from_secs(30),
            largest_answer: 96 << 20,
        }
    }
}

impl Client {
    /// Prepares a client for `endpoint`. No request is sent yet. `headers` go with every request. A
    /// later header replaces an earlier one of the same name.
    ///
    /// # Errors
    /// [`RpcError::Setup`] if TLS cannot be set up on this machine.
    pub fn new(
        endpoint: &Endpoint,
        headers: &[RpcHeader],
        limits: Limits,
    ) -> Result<Self, RpcError> {
        Self::with_secret(endpoint, headers, None, limits)
    }

    /// As [`Client::new`], for a node that demands a token which is signed with a shared secret. A socket demands none.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_secret(
        endpoint: &Endpoint,
        headers: &[RpcHeader],
        secret: Option<NodeSecret>,
        limits: Limits,
    ) -> Result<Self, RpcError> {
        let origin = endpoint.origin();
        let setup =
            |error| RpcError::Setup { origin: origin.clone(), source: TransportError::new(error) };
        let (connection, secrets) =
            Connection::new(endpoint, headers, secret, limits.timeout).map_err(setup)?;
        let pace = Pace::new(limits.concurrency, limits.requests_per_second);
        let batches = Batches::new(&limits);
        let budget = Budget::new(limits.largest_answer);
        let Limits { max_retries, timeout, .. } = limits;
        let head = KnownHead::default();
        let shared = Shared {
            connection,
            origin,
            secrets,
            pace,
            max_retries,
            timeout,
            batches,
            head,
            budget,
            traffic: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The part of the node's URL that may be printed.
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// Requests and bytes so far.
    pub async fn traffic(&self) -> Traffic {
        *self.shared.traffic.lock().await
    }

    /// The longest time that the node may be silent.
    pub(super) fn timeout(&self) -> Duration {
        self.shared.timeout
    }

    /// Calls a method of the node, and retries after transient faults. `params` is a JSON array.
    /// `T` may be an `Option`, and then `null` is a valid answer.
    ///
    /// # Errors
    /// [`RpcError::Unreachable`] without a connection, [`RpcError::Failed`] for every other fault.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        self.ask(&Question::new(method, &params), Contact::Made).await
    }

    /// Like [`call`](Self::call), for a call about block `number`. It is also retried if a backend lacks the block
    /// although the node stated that it has it.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub(super) async fn call_about<T: DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        let question = Question::new(method, &params).about(number);
        self.ask(&question, Contact::Made).await
    }

    /// Like [`call`](Self::call), for the first call to a node. It has fewer retries if the node
    /// cannot be reached.
    pub(super) async fn first_call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        self.ask(&Question::new(method, &params), Contact::First).await
    }

    /// Makes text from the node printable.
    pub(super) fn safe_words(&self, words: &str) -> SafeText {
        SafeText::new(words.as_bytes(), &self.shared.secrets)
    }

    /// Whether batches are worth sending to this node.
    pub(super) fn batches(&self) -> &Batches {
        &self.shared.batches
    }

    /// The newest block of the node, as far as it is known.
    pub(super) fn known_head(&self) -> &KnownHead {
        &self.shared.head
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        question: &Question,
        contact: Contact,
    ) -> Result<T, RpcError> {
        let read = |answer: &Answer, secrets: &Secrets| {
            decode(answer.result(question.id, secrets)?.get(), secrets)
        };
        self.persist(question, contact, read).await
    }

    /// Sends a request until `read` returns an answer or a permanent fault.
    pub(super) async fn persist<T>(
        &self,
        question: &Question,
        contact: Contact,
        read: impl Fn(&Answer, &Secrets) -> Result<T, Fault>,
    ) -> Result<T, RpcError> {
        let mut retries = 0;
        loop {
            let fault = match self.attempt(question, &read).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => self.recognise_lag(question.about, fault).await,
            };
            let Some(wait) = wait_before_retry(&fault, retries, self.shared.max_retries, contact)
            else {
                return Err(self.failed(question.method, retries, fault));
            };
            tokio::time::sleep(wait).await;
            retries += 1;
        }
    }

    async fn attempt<T>(
        &self,
        question: &Question,
        read: impl Fn(&Answer, &Secrets) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Shared { connection, pace, secrets, budget, .. } = &*self.shared;
        let turn = pace.enter().await;
        let outcome = async {
            let sent = connection.send(&question.body, secrets, budget).await;
            let bytes = sent.as_ref().map_or(0, Answer::length);
            let mut traffic = self.shared.traffic.lock().await;
            *traffic = *traffic + Traffic { requests: 1, bytes };
            drop(traffic);
            read(&sent?, secrets)
        }
        .await;
        pace.leave(turn, outcome.as_ref().map_or_else(load_of, |_| Load::Served)).await;
        outcome
    }

    fn failed(&self, method: &'static str, retries: u32, fault: Fault) -> RpcError {
        let Shared { origin, connection, .. } = &*self.shared;
        let origin = origin.clone();
        match (fault, connection.proxy()) {
            (Fault::NoConnection(source), Some(proxy)) => {
                RpcError::BehindProxy { origin, proxy: proxy.clone(), source }
            }
            (Fault::NoConnection(source), None) => RpcError::Unreachable { origin, source },
            (source, proxy) => {
                let is_of_proxy = source.may_come_from_proxy();
                let proxy = proxy.filter(|_| is_of_proxy);
                let origin = proxy.map_or_else(|| origin.clone(), |proxy| origin.through(proxy));
                RpcError::Failed { method, origin, attempts: retries + 1, source }
            }
        }
    }
}

impl Question {
    /// Ids are random rather than counted, so no counter is shared. A mixed-up answer still shows.
    fn new(method: &'static str, params: &Value) -> Self {
        let id = u64::from(rand::random::<u32>());
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        Self { method, id, about: None, body: body.to_string() }
    }

    /// States the block that the call needs.
    fn about(mut self, number: BlockNumber) -> Self {
        self.about = Some(number);
        self
    }

    /// One request that calls the method once with each of `params` (JSON-RPC 2.0, section 6).
    pub(super) fn batch(method: &'static str, params: &[Value]) -> Self {
        let id = u64::from(rand::random::<u32>());
        let call = |(id, params): (u64, &Value)| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let body: Value = (id..).zip(params).map(call).collect();
        Self { method, id, about: None, body: body.to_string() }
    }

    /// The id of the first call.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }
}

pub(super) fn decode<T: DeserializeOwned>(result: &str, secrets: &Secrets) -> Result<T, Fault> {
    match serde_json::from_str(result) {
        Ok(value) => Ok(value),
        Err(_) if result == "null" => Err(Fault::Null),
        Err(error) => Err(Fault::Unexpected(SafeText::of_json(&error, secrets))),
    }
}

/// An error answer shows as well as a result that the node keeps up with its load.
fn load_of(fault: &Fault) -> Load {
    match fault {
        Fault::RateLimited { .. } => Load::TooMuch(requested_wait(fault)),
        Fault::Answered { .. }
        | Fault::NoSuchMethod { .. }
        | Fault::Null
        | Fault::Oversized { .. } => Load::Served,
        _ => Load::Unclear,
    }
}
