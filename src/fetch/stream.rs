//! Requests over a persistent connection: WebSocket or IPC, by alloy's transports.
//!
//! The first request connects. A connection that broke is dropped, and the next attempt connects anew. Answers are
//! matched by id. A batch travels as single calls. A WebSocket message has the size limit of an answer.

use std::{fmt, path::PathBuf, time::Duration};

use alloy_json_rpc::{Id, Request, RequestPacket, ResponsePacket, SerializedRequest};
use alloy_pubsub::{PubSubConnect, PubSubFrontend};
use alloy_transport::{Authorization, TransportError as AlloyError};
use alloy_transport_ipc::IpcConnect;
use alloy_transport_ws::{WebSocketConfig, WsConnect};
use reqwest::{Url, header::AUTHORIZATION};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{sync::Mutex, time::timeout};

use super::{
    answer::Answer,
    budget::Budget,
    connection::{LONGEST_CONNECT, WHOLE_ANSWER},
    endpoint::RpcHeader,
    error::Fault,
    jwt::NodeSecret,
    redact::{Secrets, TransportError},
};

/// A persistent connection to a node. `Debug` shows nothing of its URL.
pub(super) struct Stream {
    target: StreamTarget,
    /// The open connection. The lock is held while a connection is made, so that only one is made.
    frontend: Mutex<Option<PubSubFrontend>>,
    timeout: Duration,
}

/// The way to connect.
pub(super) enum StreamTarget {
    /// A URL, the value of the `Authorization` header, and a secret to sign one.
    WebSocket { url: Url, authorization: Option<String>, secret: Option<NodeSecret> },
    /// The path of a socket.
    Ipc(PathBuf),
}

/// One call, as it is in the body of a request.
#[derive(Debug, Deserialize)]
struct Call {
    id: u64,
    method: String,
    params: Value,
}

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Calls {
    One(Call),
    Batch(Vec<Call>),
}

impl StreamTarget {
    /// A WebSocket. Of `headers` only `Authorization` is sent, since alloy's transport has no others.
    pub(super) fn web_socket(url: &Url, headers: &[RpcHeader], secret: Option<NodeSecret>) -> Self {
        let given = headers.iter().rev().find(|header| *header.name() == AUTHORIZATION);
        let authorization = given.and_then(|header| header.value().to_str().ok());
        let authorization = authorization.map(str::to_owned);
        Self::WebSocket { url: url.clone(), authorization, secret }
    }

    async fn connect(&self, largest: usize) -> Result<PubSubFrontend, AlloyError> {
        match self {
            Self::WebSocket { url, authorization, secret } => {
                let token = secret.as_ref().and_then(NodeSecret::token);
                let signed = token.map(Authorization::bearer);
                let given = authorization.clone().map(Authorization::raw);
                let size = Some(largest);
                let limits = WebSocketConfig::default().max_message_size(size).max_frame_size(size);
                let connect = WsConnect::new(url.as_str()).with_config(limits).with_max_retries(0);
                match given.or(signed) {
                    Some(authorization) => connect.with_auth(authorization).into_service().await,
                    None => connect.into_service().await,
                }
            }
            Self::Ipc(path) => IpcConnect::new(path.clone()).into_service().await,
        }
    }
}

impl Stream {
    pub(super) fn new(target: StreamTarget, timeout: Duration) -> Self {
        Self { target, frontend: Mutex::default(), timeout }
    }

    /// Sends the body of a request and waits for the whole answer.
    pub(super) async fn send(
        &self,
        body: &str,
        secrets: &Secrets,
        budget: &Budget,
    ) -> Result<Answer, Fault> {
        let broken = |error: &AlloyError| TransportError::of_stream(error, secrets);
        let frontend = self.frontend(budget.largest()).await.map_err(|error| match error {
            Some(error) => Fault::NoConnection(broken(&error)),
            None => Fault::TimedOut(TransportError::of_late_stream()),
        })?;
        let packet = packet(body)
            .map_err(|error| Fault::Unsendable(TransportError::of_stream(&error, secrets)))?;
        let answer =
            timeout(self.timeout.saturating_mul(WHOLE_ANSWER), frontend.send_packet(packet));
        let body = match answer.await {
            Ok(Ok(ResponsePacket::Single(answer))) => encode(&answer),
            Ok(Ok(ResponsePacket::Batch(answers))) => encode(&answers),
            Ok(Err(error)) => {
                self.forget().await;
                return Err(Fault::BrokenOff(broken(&error)));
            }
            Err(_) => {
                self.forget().await;
                return Err(Fault::TimedOut(TransportError::of_late_stream()));
            }
        };
        Answer::of_stream(body, budget).await
    }

    /// The open connection. The error is `None` if connecting took too long.
    async fn frontend(&self, largest: usize) -> Result<PubSubFrontend, Option<AlloyError>> {
        let mut frontend = self.frontend.lock().await;
        if let Some(open) = &*frontend {
            return Ok(open.clone());
        }
        let limit = self.timeout.min(LONGEST_CONNECT);
        let made = timeout(limit, self.target.connect(largest)).await.map_err(|_| None)??;
        *frontend = Some(made.clone());
        Ok(made)
    }

    async fn forget(&self) {
        *self.frontend.lock().await = None;
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// The calls of a body as alloy's transports take them.
fn packet(body: &str) -> serde_json::Result<RequestPacket> {
    let request = |Call { id, method, params }: Call| -> serde_json::Result<SerializedRequest> {
        Request::new(method, Id::Number(id), params).serialize()
    };
    Ok(match serde_json::from_str(body)? {
        Calls::One(call) => RequestPacket::Single(request(call)?),
        Calls::Batch(calls) => {
            RequestPacket::Batch(calls.into_iter().map(request).collect::<Result<_, _>>()?)
        }
    })
}

/// An answer as JSON. Encoding what was decoded before does not fail.
fn encode(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).unwrap_or_default()
}
