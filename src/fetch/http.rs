//! Requests over HTTP.
//!
//! Connections are kept and shared. HTTP/2 is used if a TLS node offers it. Answers may be compressed. Redirects are not
//! followed, because they would send the headers to a host that the user did not name. A node on this machine is never
//! reached through a proxy. For other nodes the environment may name a proxy.

use std::{fmt, time::Duration};

use reqwest::{
    Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect::Policy,
};

use super::{
    answer::{Answer, fault_of_transport},
    budget::Budget,
    connection::{LONGEST_CONNECT, WHOLE_ANSWER},
    endpoint::{Origin, RpcHeader, is_loopback, is_tls},
    error::Fault,
    jwt::NodeSecret,
    redact::{Secrets, secrets_of},
};

/// The HTTP client, the URL and the headers. `Debug` shows none of them.
pub(super) struct Http {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    secret: Option<NodeSecret>,
    proxy: Option<Origin>,
}

impl Http {
    /// Prepares a client. No request is sent yet.
    pub(super) fn new(
        url: &Url,
        headers: &[RpcHeader],
        secret: Option<NodeSecret>,
        timeout: Duration,
    ) -> reqwest::Result<Self> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(timeout.min(LONGEST_CONNECT))
            .read_timeout(timeout)
            .timeout(timeout.saturating_mul(WHOLE_ANSWER))
            .http2_adaptive_window(true);
        let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
        // Slim containers have no certificates. The library then fails even for a node that needs
        // none.
        let builder = if is_tls(url) { builder } else { builder.tls_certs_only([]) };

        let mut all = HeaderMap::new();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for header in headers {
            all.insert(header.name(), header.value().clone());
        }
        let (client, proxy) = (builder.build()?, Origin::of_proxy(url));
        Ok(Self { client, url: url.clone(), headers: all, secret, proxy })
    }

    /// Text that must not be printed: of the URL, of the given headers, and of the proxies.
    pub(super) fn secrets(&self, headers: &[RpcHeader]) -> Secrets {
        secrets_of(Some(&self.url), headers.iter().map(RpcHeader::value))
    }

    /// The proxy between this machine and the node.
    pub(super) const fn proxy(&self) -> Option<&Origin> {
        self.proxy.as_ref()
    }

    pub(super) async fn send(&self, body: &str, budget: &Budget) -> Result<Answer, Fault> {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        let request = match self.secret.as_ref().and_then(NodeSecret::token) {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.body(body.to_owned()).send().await;
        Answer::read(response.map_err(fault_of_transport)?, budget).await
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}
