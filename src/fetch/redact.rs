//! Makes text from outside safe to print.
//!
//! A node, or the gateway before it, may answer with any text. It may be an HTML page, terminal
//! escapes or megabytes of data. It may also quote the URL and headers of the request, keys
//! included. A [`SafeText`] has the secrets replaced, white space and control characters collapsed,
//! and its end cut off. A [`TransportError`] does the same for an error of the HTTP library, which
//! carries the URL.
//!
//! [`secrets`](crate::secrets) replaces them. This module says what is secret of a URL, of headers and of proxies.

use std::{env, error::Error, fmt};

use reqwest::{
    Client, Url,
    header::{AUTHORIZATION, HeaderValue},
};

use super::type_names::without_type_names;
pub(super) use crate::secrets::Secrets;
use crate::secrets::{HIDDEN, SHORTEST};

/// Maximum number of characters that are printed of an outside text.
const MOST_CHARS: usize = 200;

/// Maximum number of bytes that are examined of an outside text.
const MOST_BYTES: usize = 64 * 1024;

/// Text from outside: one line, bounded in length, without secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeText(Box<str>);

/// An error of a transport library. It prints the root cause, and never a URL.
pub struct TransportError(Cause);

enum Cause {
    Http(reqwest::Error),
    /// An error of a persistent connection.
    Stream(SafeText),
    /// The answer over a persistent connection did not arrive in time.
    StreamTimeout,
}

impl SafeText {
    /// Removes secrets and control characters from `text`, and cuts it off.
    pub(super) fn new(text: &[u8], secrets: &Secrets) -> Self {
        let start = text.get(..MOST_BYTES).unwrap_or(text);
        let clear = secrets.hide(&String::from_utf8_lossy(start));
        let clear = without_tokens(&clear);
        let words = clear.split(|c: char| c.is_whitespace() || c.is_control());
        let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        Self(cut(line).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The message of a JSON error. The parser quotes the input, so secrets must be removed.
    pub(super) fn of_json(error: &serde_json::Error, secrets: &Secrets) -> Self {
        Self::new(error.to_string().as_bytes(), secrets)
    }
}

/// Replaces JSON Web Tokens. A new one is signed for each connection, so they are recognised by their first letters.
fn without_tokens(text: &str) -> String {
    const START: &str = "eyJ";
    let mut pieces = text.split(START);
    let mut clear = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        // The second part of a token begins like the first.
        if !clear.ends_with(HIDDEN) {
            clear.push_str(HIDDEN);
        }
        clear.push_str(piece.trim_start_matches(is_token));
    }
    clear
}

/// The first [`MOST_CHARS`] characters of `line`, with a mark if the line was longer.
fn cut(mut line: String) -> String {
    if let Some((at, _)) = line.char_indices().nth(MOST_CHARS) {
        line.truncate(at);
        line.push('…');
    }
    line
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Error for SafeText {}

/// Variables that name a proxy for the HTTP library.
const PROXIES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// All parts of `url` before and after the host, all of `headers`, and the credentials of the proxies.
pub(super) fn secrets_of<'a>(
    url: Option<&Url>,
    headers: impl Iterator<Item = &'a HeaderValue>,
) -> Secrets {
    let proxies = PROXIES.iter().filter_map(|name| proxy(&env::var(name).ok()?));
    let mut all: Vec<_> =
        url.cloned().into_iter().chain(proxies).flat_map(|url| parts(&url)).collect();
    all.extend(headers.flat_map(parts_of_header));
    Secrets::new(all)
}

/// The URL of a proxy, which may lack its scheme.
fn proxy(text: &str) -> Option<Url> {
    match text.contains("://") {
        true => text.parse().ok(),
        false => format!("http://{text}").parse().ok(),
    }
}

/// Credentials, as they are and as a header has them, segments of the path, values of the query, and the fragment.
fn parts(url: &Url) -> Vec<String> {
    let [password, fragment] = [url.password(), url.fragment()].map(Option::unwrap_or_default);
    let segments = url.path_segments().into_iter().flatten();
    let query = url.query().unwrap_or_default();
    let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let written = [url.username(), password, fragment].into_iter().chain(segments).chain(values);
    let header = credentials_header(url);
    written.map(str::to_owned).chain(header.iter().flat_map(parts_of_header)).collect()
}

/// The header that the HTTP library makes from credentials. A proxy gets the same value.
fn credentials_header(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut sample = url.clone();
    sample.set_scheme("http").ok()?;
    // Nothing is sent, so neither certificates nor a proxy are needed.
    let client = Client::builder().no_proxy().tls_certs_only([]).build().ok()?;
    let request = client.post(sample).build().ok()?;
    request.headers().get(AUTHORIZATION).cloned()
}

/// First words of headers that are not secret.
const SCHEMES: [&str; 5] = ["bearer", "basic", "token", "digest", "apikey"];

/// The words of a header's value, such as the token of `Bearer token`. Base64 padding is removed.
fn parts_of_header(value: &HeaderValue) -> Vec<String> {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let is_scheme = |word: &str| SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
    let words = text.split_whitespace().filter(|word| word.len() >= SHORTEST && !is_scheme(word));
    words.map(|word| word.trim_end_matches('=').to_owned()).collect()
}

impl TransportError {
    /// Removes the URL from the error.
    pub(super) fn new(error: reqwest::Error) -> Self {
        Self(Cause::Http(error.without_url()))
    }

    /// The error of a persistent connection. Secrets are removed from its text.
    pub(super) fn of_stream(error: &(dyn Error + 'static), secrets: &Secrets) -> Self {
        let said = without_type_names(&root_of(error).to_string());
        Self(Cause::Stream(SafeText::new(said.as_bytes(), secrets)))
    }

    /// The error of a persistent connection without an answer in time.
    pub(super) const fn of_late_stream() -> Self {
        Self(Cause::StreamTimeout)
    }

    /// Whether the connection failed: refused, unknown host, no TLS.
    pub fn is_connect(&self) -> bool {
        matches!(&self.0, Cause::Http(error) if error.is_connect())
    }

    /// Whether the time limit passed.
    pub fn is_timeout(&self) -> bool {
        match &self.0 {
            Cause::Http(error) => error.is_timeout(),
            Cause::Stream(_) => false,
            Cause::StreamTimeout => true,
        }
    }

    /// Whether the request could not be built.
    pub(super) fn is_unsendable(&self) -> bool {
        matches!(&self.0, Cause::Http(error) if error.is_builder())
    }
}

/// The deepest cause. Errors of the HTTP library further down are skipped, because they could carry the URL again.
fn root_of<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut root = error;
    let mut next = error.source();
    while let Some(cause) = next {
        if !cause.is::<reqwest::Error>() {
            root = cause;
        }
        next = cause.source();
    }
    root
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Http(error) => f.write_str(&without_type_names(&root_of(error).to_string())),
            Cause::Stream(says) => says.fmt(f),
            Cause::StreamTimeout => f.write_str("the connection is silent"),
        }
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransportError").field(&self.to_string()).finish()
    }
}

/// There is no `source`. `Display` prints the root cause, and the layers between may carry the URL.
impl Error for TransportError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let url = "http://us%20er:passw0rd@h/v3/path%2Dkey?key=query-key&bare-key".parse().unwrap();
        let header = HeaderValue::from_static("Bearer header-token");
        secrets_of(Some(&url), [&header].into_iter())
    }

    #[test]
    fn every_part_of_the_url_and_headers_is_hidden() {
        for said in [
            "no such user: us er",
            "us%20er",
            "passw0rd",
            "POST /v3/path%2Dkey",
            "path-key is not a key",
            "key=query-key&bare-key",
            "query-key",
            "bare-key",
            "authorization: Bearer header-token",
            "header-token",
        ] {
            let shown = SafeText::new(said.as_bytes(), &secrets()).to_string();
            assert!(shown.contains("[hidden]"), "{said}: {shown}");
            for secret in ["us er", "us%20er", "passw0rd", "path", "query", "bare", "header-token"]
            {
                assert!(!shown.contains(secret), "{said}: {shown}");
            }
        }
    }

    #[test]
    fn words_that_are_not_secrets_stay() {
        let said = b"v3 of the rpc has a key";
        assert_eq!(SafeText::new(said, &secrets()).to_string(), "v3 of the rpc has a key");
    }

    #[test]
    fn outside_text_becomes_one_short_line_without_escapes() {
        let said = format!("a\r\n\tb\u{1b}[31m {}", "é".repeat(100_000));
        let shown = SafeText::new(said.as_bytes(), &secrets()).to_string();
        assert!(shown.starts_with("a b [31m éé"), "{shown}");
        assert_eq!(shown.chars().count(), MOST_CHARS + 1);
    }

    #[test]
    fn a_secret_is_hidden_before_the_end_is_cut_off() {
        let said = format!("{}passw0rd", "x".repeat(MOST_CHARS - 4));
        assert!(!SafeText::new(said.as_bytes(), &secrets()).to_string().contains("pass"));
    }

    #[test]
    fn proxies_have_secrets_in_both_forms() {
        for text in
            ["http://someuser:hunter22@proxy.example:3128", "someuser:hunter22@proxy.example"]
        {
            let secrets = Secrets::new(parts(&proxy(text).unwrap()));
            for said in ["someuser", "hunter22", "c29tZXVzZXI6aHVudGVyMjI=", "c29tZXVzZX"] {
                assert!(secrets.touch(said), "{said}");
            }
            assert!(!secrets.touch("proxy.example"));
        }
    }

    #[test]
    fn web_tokens_are_hidden() {
        let said = b"bad token eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.c2ln, try again";
        assert_eq!(SafeText::new(said, &secrets()).to_string(), "bad token [hidden], try again");
    }
}
