//! Classifies JSON-RPC errors by code and words where the code alone is ambiguous.
//!
//! Providers report rate limits with HTTP 200 and codes of their own. `docs/fetch.md` lists the codes and words.

use std::time::Duration;

/// Codes that mean a rate limit with any words: Infura and EIP-1474, QuickNode, Base, dRPC, and other gateways.
const RATE_LIMIT_CODES: [i64; 8] = [429, 15, -32005, -32007, -32016, -32029, -32090, -32097];

/// Words that mean a rate limit with any code.
const RATE_LIMIT_WORDS: [&str; 9] = [
    "rate limit",
    "ratelimit",
    "request limit",
    "requests limit",
    "compute units",
    "throughput",
    "capacity",
    "too many requests",
    "unable to complete request at this time",
];

/// Words before a delay.
const DELAY_WORDS: [&str; 5] = ["retry in", "retry after", "again in", "again after", "wait"];

/// Code of a reverted execution. Its words are the contract's.
const REVERTED: i64 = 3;

/// Whether an error reports a rate limit.
pub(super) fn is_rate_limit(code: i64, message: &str) -> bool {
    let message = message.to_lowercase();
    let says = |words: &&str| message.contains(words);
    RATE_LIMIT_CODES.contains(&code)
        || (code != REVERTED && (RATE_LIMIT_WORDS.iter().any(says) || delay_in(&message).is_some()))
}

/// The delay that the words of a rate limit ask for. A limit per second is over after a second.
pub(super) fn stated_delay(message: &str) -> Option<Duration> {
    let message = message.to_lowercase();
    let per_second = ["/second", "/sec", "per second"].iter().any(|words| message.contains(words));
    delay_in(&message).or_else(|| per_second.then_some(Duration::from_secs(1)))
}

/// Reads a delay such as `retry in 10s` from lower-case text.
fn delay_in(message: &str) -> Option<Duration> {
    DELAY_WORDS.iter().find_map(|words| duration(message.split_once(words)?.1.trim_start()))
}

/// Reads a number and its unit from the start of a text.
fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.trim_end_matches('.').parse().ok()?;
    let unit = unit.trim_start();
    let seconds = if unit.starts_with("ms") || unit.starts_with("milli") {
        number / 1000.0
    } else if unit.starts_with('s') {
        number
    } else if unit.starts_with("min") {
        number * 60.0
    } else {
        return None;
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// Whether a node reports that it lacks a trie node, hence the state of the block.
pub(super) fn is_missing_state(message: &str) -> bool {
    message.to_lowercase().contains("missing trie node")
}

/// Whether a node reports that it does not know a block. Reports about missing state do not count.
pub(super) fn is_unknown_block(message: &str) -> bool {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    says(&["block", "header"])
        && says(&["not found", "unknown block", "unknown header", "cannot find", "could not find"])
        && !says(&[
            "state",
            "trie",
            "archiv",
            "histor",
            "prun",
            "witness",
            "receipt",
            "transaction",
        ])
}

/// Code of geth and Besu for an answer that is too large.
const TOO_LARGE: i64 = -32003;

/// Codes of jsonrpsee, old and new, for an answer that is too large.
const TOO_LARGE_CODES: [i64; 2] = [-32702, -32008];

/// Whether an error reports that the answer would be too large.
pub(super) fn is_too_large(code: i64, message: &str) -> bool {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let large = ["too large", "too big", "too long"];
    TOO_LARGE_CODES.contains(&code)
        || code == TOO_LARGE && (says(&large) || says(&["size", "exceed"]))
        || code != REVERTED && says(&["response", "answer", "reply", "result"]) && says(&large)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limits_are_recognised_by_code_or_words() {
        for code in RATE_LIMIT_CODES {
            assert!(is_rate_limit(code, "m"), "{code}");
        }
        for message in [
            "Rate limit exceeded",
            "10/second request limit reached",
            "exceeded its compute units per second capacity",
            "Unable to complete request at this time.",
            "Too Many Requests",
            "slow down, retry in 10s",
        ] {
            assert!(is_rate_limit(-32001, message), "{message}");
        }
    }

    #[test]
    fn other_errors_are_no_rate_limits() {
        for (code, message) in [
            (3, "execution reverted: rate limit"),
            (-32001, "resource not found"),
            (-32000, "header not found"),
            (-32602, "invalid params"),
        ] {
            assert!(!is_rate_limit(code, message), "{message}");
        }
    }

    #[test]
    fn delays_are_read_from_words() {
        for (message, millis) in [
            ("please retry in 10s", Some(10_000)),
            ("Try again in 1.5 seconds.", Some(1500)),
            ("retry after 250ms", Some(250)),
            ("try again in 2 minutes", Some(120_000)),
            ("10/second request limit reached", Some(1000)),
            ("retry in a while", None),
            ("retry in 99999999999999999999999999s", None),
            ("too many requests", None),
        ] {
            assert_eq!(stated_delay(message), millis.map(Duration::from_millis), "{message}");
        }
    }

    #[test]
    fn an_unknown_block_is_recognised_and_missing_state_is_not() {
        for message in [
            "block not found",
            "header not found",
            "block #12 not found",
            "Unknown block",
            "Cannot find block 7",
        ] {
            assert!(is_unknown_block(message), "{message}");
        }
        for message in [
            "missing trie node",
            "state not found for block 7",
            "block not found or its state is pruned",
            "transaction not found",
            "resource not found",
        ] {
            assert!(!is_unknown_block(message), "{message}");
        }
    }

    #[test]
    fn answers_that_are_too_large_are_recognised() {
        for (code, message) in [
            (-32008, "m"),
            (-32702, "m"),
            (-32003, "response too large"),
            (-32003, "Response size exceeded"),
            (-32000, "result is too big"),
        ] {
            assert!(is_too_large(code, message), "{code} {message}");
        }
        for (code, message) in [
            (-32003, "transaction rejected"),
            (-32602, "block range is too large"),
            (3, "result too large"),
        ] {
            assert!(!is_too_large(code, message), "{code} {message}");
        }
    }
}
