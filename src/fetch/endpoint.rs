//! The URL of a node or the path of its socket, and the extra headers of its requests.
//!
//! URLs and headers are secrets. Providers put keys in the path, the query or the credentials of a URL, and
//! tokens in headers. `Display` and `Debug` of every type here omit them. So do the errors: a URL
//! or header that does not parse is not quoted. Command-line code must take the same care, because
//! some parsers quote a value that they reject.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{
    Url,
    header::{HeaderName, HeaderValue, InvalidHeaderName, InvalidHeaderValue},
};

/// Why a URL cannot be the URL of a node.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The text is not a URL (RFC 3986).
    #[error("this is not a URL; expected something like http://127.0.0.1:8545")]
    Url(#[source] <Url as FromStr>::Err),
    /// An unsupported scheme. The message does not quote it, because `name:secret` has a scheme
    /// too.
    #[error(
        "the RPC URL must begin with http://, https://, ws:// or wss://, or be the path of an IPC socket"
    )]
    Scheme,
}

/// Why an extra header cannot be sent. None of these errors quotes the header.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// No colon separates the name from the value.
    #[error("a header is written as \"Name: value\", with a colon")]
    Colon,
    /// The value is empty, as in `X-Api-Key: key` without quotation marks.
    #[error("a header has no value; put the whole header into quotation marks: \"Name: value\"")]
    Empty,
    /// The name has a character that RFC 9110 section 5.1 forbids.
    #[error("the part before the colon is not a header name")]
    Name(#[source] InvalidHeaderName),
    /// The value has a character that RFC 9110 section 5.5 forbids.
    #[error("the part after the colon is not a header value; use visible ASCII")]
    Value(#[source] InvalidHeaderValue),
}

/// The URL of a node, or the path of its IPC socket. `Display` prints its [`Origin`].
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Target);

/// The way to reach a node. It must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// `http` or `https`.
    Http(Url),
    /// `ws` or `wss`.
    WebSocket(Url),
    /// A socket on this machine.
    Ipc(PathBuf),
}

/// Scheme, host and port (RFC 6454): the part of a URL that may be printed. Errors carry only this
/// part. The path of a socket is not secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Arc<str>);

/// One `Name: value` to send with every request. `Display` prints its name.
#[derive(Clone, PartialEq, Eq)]
pub struct RpcHeader {
    name: HeaderName,
    value: HeaderValue,
}

impl Endpoint {
    /// The part of the URL that may be printed.
    pub fn origin(&self) -> Origin {
        match &self.0 {
            Target::Http(url) | Target::WebSocket(url) => {
                Origin(url.origin().ascii_serialization().into())
            }
            Target::Ipc(path) => Origin(path.display().to_string().into()),
        }
    }

    /// The way to reach the node, for connecting. It must not be printed.
    pub(super) const fn target(&self) -> &Target {
        &self.0
    }

    /// The URL. `None` for a socket.
    pub(super) const fn url(&self) -> Option<&Url> {
        match &self.0 {
            Target::Http(url) | Target::WebSocket(url) => Some(url),
            Target::Ipc(_) => None,
        }
    }
}

/// Whether a URL needs certificates.
pub(super) fn is_tls(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "wss")
}

/// Whether a URL is on this machine, where a proxy is useless.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The path of a socket, if the text is one. A URL never begins with `/` or `.`.
fn socket_path(text: &str) -> Option<PathBuf> {
    let is_path = text.starts_with(['/', '.']) || text.ends_with(".ipc") && !text.contains("://");
    let path = text.strip_prefix("ipc://").or(is_path.then_some(text))?;
    Some(path.into())
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Parses a URL of one of the schemes, or the path of a socket.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        if let Some(path) = socket_path(text) {
            return Ok(Self(Target::Ipc(path)));
        }
        let url = Url::parse(text).map_err(EndpointError::Url)?;
        match url.scheme() {
            "http" | "https" => Ok(Self(Target::Http(url))),
            "ws" | "wss" => Ok(Self(Target::WebSocket(url))),
            _ => Err(EndpointError::Scheme),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin().fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.origin().0).finish()
    }
}

impl Origin {
    /// The origin of the proxy that the environment names for a URL. A URL on this machine is never reached through one.
    pub(super) fn of_proxy(url: &Url) -> Option<Self> {
        if is_loopback(url) {
            return None;
        }
        // The HTTP library asks the same matcher.
        let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
        let proxy = proxy.uri();
        // The matcher has taken the credentials out of the URL.
        Some(Self(format!("{}://{}", proxy.scheme_str()?, proxy.authority()?).into()))
    }

    /// This node behind the proxy.
    pub(super) fn through(&self, proxy: &Self) -> Self {
        Self(format!("{self} through the proxy at {proxy}").into())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RpcHeader {
    /// The header's name.
    pub const fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The header's value. It must not be printed.
    pub(super) const fn value(&self) -> &HeaderValue {
        &self.value
    }
}

impl FromStr for RpcHeader {
    type Err = HeaderError;

    /// Parses `Name: value`; blanks around the value are dropped.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let (name, value) = text.split_once(':').ok_or(HeaderError::Colon)?;
        let name = name.trim().parse().map_err(HeaderError::Name)?;
        if value.trim().is_empty() {
            return Err(HeaderError::Empty);
        }
        let mut value: HeaderValue = value.trim().parse().map_err(HeaderError::Value)?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

impl fmt::Display for RpcHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())
    }
}

impl fmt::Debug for RpcHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RpcHeader").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_prints_scheme_host_and_port_only() {
        let text = "https://user:pass@node.example:8545/v3/pathkey?apikey=querykey#fragment";
        let endpoint: Endpoint = text.parse().unwrap();

        assert_eq!(endpoint.to_string(), "https://node.example:8545");
        assert_eq!(format!("{endpoint:?}"), "Endpoint(\"https://node.example:8545\")");
        assert_eq!(format!("{:?}", endpoint.origin()), "Origin(\"https://node.example:8545\")");
    }

    #[test]
    fn a_rejected_url_is_not_quoted() {
        for text in
            ["secret", "secret:hunter2@host/x", "wsx://secret@host/", "http://", "ftp://secret"]
        {
            let error = text.parse::<Endpoint>().unwrap_err();
            let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
            assert!(!shown.contains("secret"), "{text}: {shown}");
        }
    }

    #[test]
    fn a_header_prints_its_name_only() {
        let header: RpcHeader = "Authorization:  Bearer token".parse().unwrap();
        assert_eq!(header.value(), "Bearer token");
        assert_eq!(header.to_string(), "authorization");
        assert_eq!(format!("{header:?}"), "RpcHeader(\"authorization\")");
    }

    #[test]
    fn a_rejected_header_is_not_quoted() {
        for text in ["secret", "se cret: x", "x: secret\n", ": secret", "x: secret\u{7f}"] {
            let Err(error) = text.replace('\n', "\r\ny").parse::<RpcHeader>() else {
                panic!("{text:?} was accepted")
            };
            assert!(!format!("{error} {error:?}").contains("secret"), "{text}");
        }
    }

    #[test]
    fn loopback_is_recognised_by_name_and_address() {
        for (text, loopback) in [
            ("http://localhost:1", true),
            ("http://127.1.2.3", true),
            ("http://[::1]:8545/x", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&text.parse().unwrap()), loopback, "{text}");
        }
    }

    #[test]
    fn the_form_of_the_text_selects_the_transport() {
        let target = |text: &str| text.parse::<Endpoint>().unwrap().0;
        assert!(matches!(target("http://h"), Target::Http(_)));
        assert!(matches!(target("wss://h/key"), Target::WebSocket(_)));
        for path in ["/data/reth.ipc", "./geth.ipc", "ipc:///data/reth.ipc", "geth.ipc"] {
            assert!(matches!(target(path), Target::Ipc(_)), "{path}");
        }
        let origin = |text: &str| text.parse::<Endpoint>().unwrap().to_string();
        assert_eq!(origin("ws://user:key@h:8546/secret"), "ws://h:8546");
        assert_eq!(origin("/data/reth.ipc"), "/data/reth.ipc");
    }
}
