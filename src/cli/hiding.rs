//! Hides secrets in error messages about arguments.
//!
//! A user may type a secret at a wrong place: a URL as a block, without its option or its scheme, or behind an `@`; a
//! header without quotation marks, so that its value becomes arguments of their own. Messages quote arguments. So the
//! words that look like one of these are hidden, and so is each word that shares a part with a known secret.

use crate::{
    cache::Location,
    secrets::{SHORTEST, Secrets},
};
use std::{cmp::Reverse, path::Path};

/// The text in place of a word.
const NOT_SHOWN: &str = "(a URL or secret, not shown)";

/// Options with a URL or a header, which are secrets.
const OPTIONS: [&str; 3] = ["--rpc-url", "--rpc-header", "--confirm-url"];

/// Environment variables with URLs or headers.
pub const VARIABLES: [&str; 9] = [
    "ETH_RPC_URL",
    "ETH_RPC_HEADERS",
    "ETH_CONFIRM_URLS",
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// Replaces the secrets among `words` in `text`. `settings` are values of [`VARIABLES`]. Returns `None` if the text
/// has none.
pub fn without_secrets(text: &str, words: &[String], settings: &[String]) -> Option<String> {
    let values = values(words);
    let known = Secrets::new(
        values.iter().copied().chain(settings.iter().map(String::as_str)).flat_map(pieces),
    );
    // A URL in its own place is not hidden as a whole, since messages name its host.
    let misplaced = words.iter().filter(|word| !values.iter().any(|value| word.ends_with(value)));
    let mut secret: Vec<_> = misplaced.filter_map(|word| url(word)).collect();
    secret.extend(unquoted(words));
    secret.extend(words.iter().map(String::as_str).filter(|word| known.touch(word)));
    secret.retain(|word| word.len() >= SHORTEST);
    // One word may be a prefix of another, so the longer one is replaced first.
    secret.sort_by_key(|word| Reverse(word.len()));
    let hide = |text: String, word: &&str| text.replace(word, NOT_SHOWN);
    let whole = secret.iter().fold(text.to_owned(), hide);
    // A message may quote a part of a word.
    let parts = secret.iter().copied().flat_map(pieces).chain(values.into_iter().flat_map(pieces));
    let hidden = Secrets::new(parts).hide(&whole);
    (hidden != text).then_some(hidden)
}

/// The values of the options that hold secrets.
fn values(words: &[String]) -> Vec<&str> {
    let of = |word: &str| OPTIONS.contains(&word);
    let next = words.iter().zip(words.iter().skip(1)).filter(|(word, _)| of(word.as_str()));
    let joined = words.iter().filter_map(|word| word.split_once('=').filter(|(name, _)| of(name)));
    next.map(|(_, value)| value.as_str()).chain(joined.map(|(_, value)| value)).collect()
}

/// The parts of a URL or a header that may be secrets: all but a scheme, a host and the names of parameters.
fn pieces(text: &str) -> Vec<&str> {
    let (is_url, rest) = match text.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, text),
    };
    let (user, rest) = rest.split_once('@').unwrap_or(("", rest));
    let path = if is_url { rest.split_once('/').map_or("", |(_, path)| path) } else { rest };
    let between = |char: char| char.is_whitespace() || "/?&#,;:".contains(char);
    let parts = user.split(':').chain(path.split(between));
    let values = parts.map(|part| part.split_once('=').map_or(part, |(_, value)| value));
    values.filter(|part| part.len() >= SHORTEST && !is_common(part)).collect()
}

/// Words of headers that are not secret.
fn is_common(word: &str) -> bool {
    let common = ["authorization", "bearer", "basic", "token", "x-api-key", "apikey", "api-key"];
    common.iter().any(|common| word.eq_ignore_ascii_case(common))
}

/// Returns the URL at the end of a word, also behind an `@` and without a scheme. The URL of a bucket is not secret.
fn url(word: &str) -> Option<&str> {
    if is_bucket(word) || word.split_once('=').is_some_and(|(_, value)| is_bucket(value)) {
        return None;
    }
    if let Some(end) = word.find("://") {
        let is_of_scheme = |char: char| char.is_ascii_alphanumeric() || "+-.".contains(char);
        let before = word[..end].trim_end_matches(is_of_scheme);
        return Some(&word[before.len()..]);
    }
    let bare = word.strip_prefix('@').unwrap_or(word);
    (has_credentials(bare) || begins_with_host(bare)).then_some(bare)
}

/// Whether a word is the URL of a bucket. Such a URL has no user and no query.
fn is_bucket(word: &str) -> bool {
    matches!(Location::parse(Path::new(word)), Ok(Location::Bucket(_)))
}

/// Whether a word is like `user@host`. A block may have its hash behind an `@`.
fn has_credentials(word: &str) -> bool {
    let is_hash = |after: &str| after.starts_with("0x");
    word.split_once('@').is_some_and(|(before, after)| !before.is_empty() && !is_hash(after))
}

/// Whether a word is like `host.example/key` or `host:8545/key`, and no file.
fn begins_with_host(word: &str) -> bool {
    let Some((host, path)) = word.split_once('/') else { return false };
    let is_name = |char: char| char.is_ascii_alphanumeric() || "-.:[]".contains(char);
    let last = host.rsplit(['.', ':']).next().unwrap_or_default();
    let is_domain = last.len() > 1 && last.chars().all(|char| char.is_ascii_alphabetic());
    let is_port = last.chars().all(|char| char.is_ascii_digit()) && host.contains(':');
    let is_host = !host.starts_with('.') && host.contains(['.', ':']) && host.chars().all(is_name);
    let is_host = is_host && (is_domain || is_port || host.parse::<std::net::IpAddr>().is_ok());
    is_host && !path.is_empty() && !std::path::Path::new(word).exists()
}

/// The words behind a header that is not quoted: `--rpc-header X-Api-Key: KEY`.
fn unquoted(words: &[String]) -> Vec<&str> {
    let is_name = |word: &str| {
        let joined = word.strip_prefix("--rpc-header=");
        joined.unwrap_or(word).trim_end().ends_with(':')
    };
    let mut found = Vec::new();
    let mut before = "";
    let mut is_value = false;
    for word in words {
        let is_header = before == "--rpc-header" || word.starts_with("--rpc-header=");
        is_value =
            (is_value || is_header && is_name(word)) && (is_header || !word.starts_with('-'));
        if is_value && !is_header {
            found.push(word.as_str());
        }
        before = word;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(said: &str, line: &str) -> String {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        without_secrets(said, &words, &[]).unwrap_or_else(|| said.to_owned())
    }

    #[test]
    fn a_url_is_hidden_at_any_position_of_a_word() {
        for word in [
            "https://n.example/v3/key",
            "--rpcurl=https://n.example/v3/key",
            "éws://x/key",
            "user:key@n.example/v3/key",
            "n.example/v3/key",
            "n:8545/key",
            "@https://n.example/key",
            "@n.example/key",
        ] {
            let shown = shown(&format!("unexpected '{word}' found"), word);
            assert!(!shown.contains("key") && !shown.contains("://"), "{shown}");
            assert!(shown.ends_with("(a URL or secret, not shown)' found"), "{shown}");
        }
    }

    #[test]
    fn a_url_that_is_a_prefix_of_another_does_not_expose_the_rest() {
        let words = "https://n.example/v2 https://n.example/v2/key";
        let shown = shown("unexpected 'https://n.example/v2/key'", words);
        assert_eq!(shown, "unexpected '(a URL or secret, not shown)'");
    }

    #[test]
    fn the_words_of_an_unquoted_header_are_hidden() {
        for line in [
            "fetch --rpc-header X-Api-Key: secret-0123",
            "fetch 5 --rpc-header Authorization: Bearer secret-0123 -v",
            "fetch --rpc-header=X-Api-Key: secret-0123",
            "fetch --rpc-header X-Api-Key:secret-0123 secret-0123",
        ] {
            let shown = shown("`secret-0123` at character 1 is no block; secret-01", line);
            assert!(!shown.contains("secret-0"), "{line}: {shown}");
        }
    }

    #[test]
    fn a_word_that_shares_six_characters_with_a_known_secret_is_hidden() {
        let settings = ["https://n.example/v3/0123456789abcdef".to_owned()];
        let words = ["fetch", "xx456789yy", "latest"].map(str::to_owned);
        let shown = without_secrets("`xx456789yy` or latest", &words, &settings);
        assert_eq!(shown.as_deref(), Some("`(a URL or secret, not shown)` or latest"));
    }

    #[test]
    fn the_url_of_a_bucket_is_shown_and_one_with_a_user_or_a_query_is_not() {
        let said = "cannot list s3://bucket/prefix";
        for line in ["--cache s3://bucket/prefix", "--cache-dir=s3://bucket/prefix"] {
            assert_eq!(shown(said, line), said);
        }
        for url in ["s3://user:key-0123@bucket/a", "s3://bucket/a?sig=key-0123"] {
            let shown = shown(&format!("unexpected '{url}'"), &format!("--cache {url}"));
            assert!(!shown.contains("key-0123"), "{shown}");
        }
    }

    #[test]
    fn words_without_a_secret_are_not_changed() {
        for word in ["17", "@list.txt", "./a.b/c", "17@0x12", "a/b", "--threads=1,2", "Cargo.toml"]
        {
            let said = format!("unexpected '{word}'");
            assert_eq!(shown(&said, word), said);
        }
    }
}
