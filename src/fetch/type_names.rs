//! Replaces names of Rust's types in messages of libraries by words.
//!
//! The TLS library prints some reasons as Rust's `Debug` does, for example `Other(OtherError(CaUsedAsEndEntity))`.

use std::borrow::Cow;

/// Names that need more words than they have.
const EXPLAINED: [(&str, &str); 3] = [
    ("CaUsedAsEndEntity", "it is the certificate of an authority and not of a server"),
    ("NotValidForName", "it is not for the host of the URL"),
    ("UnknownIssuer", "this machine does not trust its issuer"),
];

/// The text with each type name as words. Other words stay.
pub(super) fn without_type_names(text: &str) -> String {
    let words = text.split(' ').map(|word| in_words(innermost(word)));
    words.collect::<Vec<_>>().join(" ")
}

/// The content of `Name(content)`, as often as it is nested.
fn innermost(word: &str) -> &str {
    let content = word.split_once('(').and_then(|(name, rest)| {
        let is_name = name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.chars().all(char::is_alphanumeric);
        rest.strip_suffix(')').filter(|content| is_name && !content.is_empty())
    });
    content.map_or(word, innermost)
}

/// The words of a name in camel case.
fn in_words(word: &str) -> Cow<'_, str> {
    if let Some((_, words)) = EXPLAINED.iter().find(|(name, _)| *name == word) {
        return Cow::Borrowed(words);
    }
    let starts_word = |(before, next): (char, char)| before.is_lowercase() && next.is_uppercase();
    let pairs = || word.chars().zip(word.chars().skip(1));
    let is_name = word.starts_with(char::is_uppercase)
        && word.chars().all(char::is_alphanumeric)
        && pairs().any(starts_word);
    if !is_name {
        return Cow::Borrowed(word);
    }
    let mut words = String::new();
    for (before, next) in std::iter::once('_').chain(word.chars()).zip(word.chars()) {
        if starts_word((before, next)) {
            words.push(' ');
        }
        words.extend(next.to_lowercase());
    }
    Cow::Owned(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_become_words() {
        for (text, expected) in [
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                "invalid peer certificate: it is the certificate of an authority and not of a server",
            ),
            (
                "invalid peer certificate: UnknownIssuer",
                "invalid peer certificate: this machine does not trust its issuer",
            ),
            ("invalid peer certificate: BadEncoding", "invalid peer certificate: bad encoding"),
            ("received fatal alert: HandshakeFailure", "received fatal alert: handshake failure"),
        ] {
            assert_eq!(without_type_names(text), expected);
        }
    }

    #[test]
    fn other_words_stay() {
        for text in [
            "Connection refused (os error 111)",
            "dns error: failed to lookup address information: Name or service not known",
            "HTTP/2 stream error: REFUSED_STREAM at node.Example:8545 (IPv4)",
            "()",
            "",
        ] {
            assert_eq!(without_type_names(text), text);
        }
    }
}
