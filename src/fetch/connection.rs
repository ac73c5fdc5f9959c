//! The transport of a client: HTTP, WebSocket or IPC.

use std::time::Duration;

use super::{
    answer::Answer,
    budget::Budget,
    endpoint::{Endpoint, Origin, RpcHeader, Target},
    error::Fault,
    http::Http,
    jwt::NodeSecret,
    redact::{Secrets, secrets_of},
    stream::{Stream, StreamTarget},
};

/// Longest time to establish a connection, unless the time limit is shorter.
pub(super) const LONGEST_CONNECT: Duration = Duration::from_secs(5);

/// A whole answer may take this many times the time limit.
pub(super) const WHOLE_ANSWER: u32 = 10;

/// The transport of a client.
#[derive(Debug)]
pub(super) enum Connection {
    Http(Http),
    Stream(Stream),
}

impl Connection {
    /// Prepares the transport for `endpoint`, and lists the text that must not be printed. No request is sent yet.
    pub(super) fn new(
        endpoint: &Endpoint,
        headers: &[RpcHeader],
        secret: Option<NodeSecret>,
        timeout: Duration,
    ) -> reqwest::Result<(Self, Secrets)> {
        let target = match endpoint.target() {
            Target::Http(url) => {
                let http = Http::new(url, headers, secret, timeout)?;
                let secrets = http.secrets(headers);
                return Ok((Self::Http(http), secrets));
            }
            Target::WebSocket(url) => StreamTarget::web_socket(url, headers, secret),
            Target::Ipc(path) => StreamTarget::Ipc(path.clone()),
        };
        let secrets = secrets_of(endpoint.url(), headers.iter().map(RpcHeader::value));
        Ok((Self::Stream(Stream::new(target, timeout)), secrets))
    }

    /// The proxy between this machine and the node. Only HTTP uses one.
    pub(super) const fn proxy(&self) -> Option<&Origin> {
        match self {
            Self::Http(http) => http.proxy(),
            Self::Stream(_) => None,
        }
    }

    /// Sends the body of a request and waits for the answer.
    pub(super) async fn send(
        &self,
        body: &str,
        secrets: &Secrets,
        budget: &Budget,
    ) -> Result<Answer, Fault> {
        match self {
            Self::Http(http) => http.send(body, budget).await,
            // Boxed, since the types of alloy's futures are too deep for the compiler otherwise.
            Self::Stream(stream) => Box::pin(stream.send(body, secrets, budget)).await,
        }
    }
}
