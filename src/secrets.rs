//! Hides secrets in text that is printed. No other module replaces a secret.
//!
//! A secret may be echoed in another case, percent-encoded, with the escapes of JSON, or cut short. So the text is
//! decoded first, and every run of [`SHARED`] bytes that a secret has, too, is replaced. Secrets that are shorter than
//! this are replaced as a whole, those under [`SHORTEST`] bytes not at all: replacing every `v3` or `rpc` would ruin
//! messages and protect nothing.

use std::{collections::HashSet, fmt, ops::Range, sync::Arc};

/// Length of a run of bytes that text and secret may not share.
const SHARED: usize = 6;

/// Minimum length of a secret, in bytes.
pub const SHORTEST: usize = 4;

/// The text in place of a secret.
pub const HIDDEN: &str = "[hidden]";

/// Everything that must not be printed. `Debug` shows none of it.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Runs of [`SHARED`] bytes of longer secrets.
    runs: HashSet<[u8; SHARED]>,
    /// Whole secrets that are shorter than that.
    short: Vec<Vec<u8>>,
}

impl Secrets {
    /// Collects the secrets.
    pub fn new(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut all = Inner::default();
        for text in texts {
            let bytes: Vec<_> = decoded(text.as_ref()).into_iter().map(|(byte, _)| byte).collect();
            match bytes.len() {
                SHARED.. => all.runs.extend(bytes.windows(SHARED).filter_map(run)),
                SHORTEST.. => all.short.push(bytes),
                _ => {}
            }
        }
        Self(Arc::new(all))
    }

    /// The text without the secrets.
    pub fn hide(&self, text: &str) -> String {
        let decoded = decoded(text);
        let marked = self.marked(&decoded);
        let mut shown = String::with_capacity(text.len());
        let (mut end, mut was_hidden) = (0, false);
        for ((_, place), is_hidden) in decoded.into_iter().zip(marked) {
            match is_hidden {
                true if !was_hidden => shown.push_str(HIDDEN),
                true => {}
                // Several bytes may have one place. It is shown once.
                false if place.start >= end => {
                    shown.push_str(text.get(place.clone()).unwrap_or_default())
                }
                false => {}
            }
            (end, was_hidden) = (place.end, is_hidden);
        }
        shown
    }

    /// Whether the text shares a secret.
    pub fn touch(&self, text: &str) -> bool {
        self.marked(&decoded(text)).contains(&true)
    }

    /// Whether each byte is part of a secret.
    fn marked(&self, decoded: &[(u8, Range<usize>)]) -> Vec<bool> {
        let bytes: Vec<_> = decoded.iter().map(|(byte, _)| *byte).collect();
        let mut marked = vec![false; bytes.len()];
        let mut mark = |start: usize, length| marked[start..start + length].fill(true);
        let shared = |window: &[u8]| run(window).is_some_and(|run| self.0.runs.contains(&run));
        for (start, _) in bytes.windows(SHARED).enumerate().filter(|(_, window)| shared(window)) {
            mark(start, SHARED);
        }
        for secret in &self.0.short {
            let windows = bytes.windows(secret.len()).enumerate();
            for (start, _) in windows.filter(|(_, window)| window == secret) {
                mark(start, secret.len());
            }
        }
        marked
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

fn run(window: &[u8]) -> Option<[u8; SHARED]> {
    window.try_into().ok()
}

/// The text without percent-encoding (RFC 3986, section 2.1) and without the escapes of JSON (RFC 8259, section 7), in
/// lower case. Each byte has its place in the text.
fn decoded(text: &str) -> Vec<(u8, Range<usize>)> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let (char, length) = escape(&text[at..]).unwrap_or((next, next.len_utf8()));
        let place = at..at + length;
        match u8::try_from(char) {
            // A percent-encoded character of several bytes has one escape for each byte.
            Ok(byte) if length == PERCENT && next == '%' => bytes.push((byte, place)),
            _ => {
                let mut buffer = [0; 4];
                let encoded = char.encode_utf8(&mut buffer).bytes();
                bytes.extend(encoded.map(|byte| (byte.to_ascii_lowercase(), place.clone())));
            }
        }
        at += length;
    }
    bytes.iter_mut().for_each(|(byte, _)| byte.make_ascii_lowercase());
    bytes
}

/// Length of `%41`.
const PERCENT: usize = 3;

/// The escaped character at the start of the text, and the length of the escape.
fn escape(text: &str) -> Option<(char, usize)> {
    let code = |digits: Range<usize>| u32::from_str_radix(text.get(digits)?, 16).ok();
    match text.as_bytes() {
        [b'%', ..] => Some((char::from_u32(code(1..PERCENT)?)?, PERCENT)),
        [b'\\', b'u', ..] => Some((char::from_u32(code(2..6)?)?, 6)),
        [b'\\', b'x', ..] => Some((char::from_u32(code(2..4)?)?, 4)),
        [b'\\', next @ (b'/' | b'"' | b'\\' | b'\''), ..] => Some((char::from(*next), 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(["path-Key/0123456789", "us%20er", "Pässwort", "abcd", "v3"])
    }

    #[test]
    fn a_secret_is_hidden_in_every_spelling() {
        for said in [
            "path-Key/0123456789",
            "PATH-KEY/0123456789",
            "path%2DKey%2f0123456789",
            r"path\u002dKey\/0123456789",
            "path-Key/01234",
            "y/012345678",
            "us er",
            "US%20ER",
            "p%C3%A4sswort",
            "pässwort",
            "ABCD",
        ] {
            let shown = secrets().hide(&format!("no such key: {said}."));
            assert_eq!(shown, format!("no such key: {HIDDEN}."), "{said}");
            assert!(secrets().touch(said), "{said}");
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for said in ["v3 of the rpc", "path", "é %zz 100% \\n \\u12 \\", "5 %41%4", "abc d"] {
            assert_eq!(secrets().hide(said), said);
            assert!(!secrets().touch(said), "{said}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", secrets()), "Secrets { .. }");
    }
}
