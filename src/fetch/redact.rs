//! Makes text from outside safe to print.
//!
//! A node, or the gateway before it, may answer with any text. It may be an HTML page, terminal
//! escapes or megabytes of data. It may also quote the URL and headers of the request, keys
//! included. A [`SafeText`] has the secrets replaced, white space and control characters collapsed,
//! and its end cut off. A [`TransportError`] does the same for an error of the HTTP library, which
//! carries the URL.
//!
//! Secrets shorter than [`SHORTEST_SECRET`] are not replaced. Replacing every `v3` or `rpc` would
//! ruin messages and protect nothing.

use std::{error::Error, fmt, sync::Arc};

use reqwest::{Url, header::HeaderValue};

/// Maximum number of characters that are printed of an outside text.
const MOST_CHARS: usize = 200;

/// Maximum number of bytes that are examined of an outside text.
const MOST_BYTES: usize = 64 * 1024;

/// Minimum length of a secret that is replaced, in bytes.
const SHORTEST_SECRET: usize = 4;

/// The text in place of a secret.
const HIDDEN: &str = "[hidden]";

/// Text from outside: one line, bounded in length, without secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeText(Box<str>);

/// Everything that must not be printed, longest first. `Debug` shows none of it.
#[derive(Clone)]
pub(super) struct Secrets(Arc<[String]>);

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

impl Secrets {
    /// All parts of `url` before and after the host, and all of `headers`.
    pub(super) fn of<'a>(
        url: Option<&Url>,
        headers: impl Iterator<Item = &'a HeaderValue>,
    ) -> Self {
        let mut all = url.map_or_else(Vec::new, parts_of_url);
        all.extend(headers.flat_map(parts_of_header));
        all.retain(|secret| secret.len() >= SHORTEST_SECRET);
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        all.dedup();
        Self(all.into())
    }

    fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// Credentials, path, query, fragment and their parts, as written and percent-decoded.
fn parts_of_url(url: &Url) -> Vec<String> {
    let [password, fragment] = [url.password(), url.fragment()].map(Option::unwrap_or_default);
    let whole = [url.username(), password, url.path(), fragment];
    let segments = url.path_segments().into_iter().flatten();
    let query = url.query().unwrap_or_default();
    let pairs = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));

    let written = whole.into_iter().chain(segments).chain([query]).chain(pairs);
    written.flat_map(|part| [part.to_owned(), without_percent_signs(part)]).collect()
}

/// A header's value and its longer words, such as the token of `Bearer token`. Base64 padding is
/// removed from the words.
fn parts_of_header(value: &HeaderValue) -> Vec<String> {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let words = text.split_whitespace().filter(|word| word.len() >= 2 * SHORTEST_SECRET);
    words.map(|word| word.trim_end_matches('=').to_owned()).chain([text.clone()]).collect()
}

/// Decodes percent-encoding (RFC 3986 section 2.1). All other text stays unchanged.
fn without_percent_signs(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, after @ ..]) => match hex_byte(*high, *low) {
                Some(byte) => (byte, after),
                None => (b'%', tail),
            },
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

impl TransportError {
    /// Removes the URL from the error.
    pub(super) fn new(error: reqwest::Error) -> Self {
        Self(Cause::Http(error.without_url()))
    }

    /// The error of a persistent connection. Secrets are removed from its text.
    pub(super) fn of_stream(error: &(dyn Error + 'static), secrets: &Secrets) -> Self {
        Self(Cause::Stream(SafeText::new(root_of(error).to_string().as_bytes(), secrets)))
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
            Cause::Http(error) => fmt::Display::fmt(root_of(error), f),
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
        Secrets::of(Some(&url), [&header].into_iter())
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
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(without_percent_signs("100%&%zz%4"), "100%&%zz%4");
        assert_eq!(without_percent_signs("%41%c3%A9"), "Aé");
    }

    #[test]
    fn web_tokens_are_hidden() {
        let said = b"bad token eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.c2ln, try again";
        assert_eq!(SafeText::new(said, &secrets()).to_string(), "bad token [hidden], try again");
    }
}
