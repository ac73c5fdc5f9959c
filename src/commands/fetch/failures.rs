//! Failures of blocks, with one message for those that differ in the block's number only.

use alloy_primitives::BlockNumber;
use std::collections::BTreeMap;

/// Maximum number of block numbers that a message lists.
const MOST_LISTED: usize = 10;

/// Failures by their words.
#[derive(Debug, Default)]
pub(super) struct Failures {
    by_words: BTreeMap<String, Alike>,
}

/// Failures with the same words.
#[derive(Debug)]
struct Alike {
    /// The lowest block number with its message.
    first: (BlockNumber, String),
    others: Vec<BlockNumber>,
}

impl Failures {
    /// Adds the failure of a block.
    pub(super) fn add(&mut self, number: BlockNumber, message: String) {
        let words = without_number(&message, number);
        match self.by_words.get_mut(&words) {
            Some(alike) => alike.add(number, message),
            None => {
                let alike = Alike { first: (number, message), others: Vec::new() };
                self.by_words.insert(words, alike);
            }
        }
    }

    /// The messages by block number.
    pub(super) fn messages(&self) -> Vec<String> {
        let mut all: Vec<_> = self.by_words.values().collect();
        all.sort_by_key(|alike| alike.first.0);
        all.into_iter().map(Alike::message).collect()
    }
}

/// The message without the number of its block. Other numbers, such as a port, stay.
fn without_number(message: &str, number: BlockNumber) -> String {
    let own = format!("block {number}");
    let mut pieces = message.split(&own);
    let mut words = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        words.push_str("block ");
        if piece.starts_with(|next: char| next.is_ascii_digit()) {
            words.push_str(&number.to_string());
        }
        words.push_str(piece);
    }
    words
}

impl Alike {
    fn add(&mut self, number: BlockNumber, message: String) {
        if number < self.first.0 {
            self.others.push(self.first.0);
            self.first = (number, message);
        } else {
            self.others.push(number);
        }
    }

    fn message(&self) -> String {
        let (first, count) = (&self.first.1, self.others.len());
        if count == 0 {
            return first.clone();
        }
        let mut others = self.others.clone();
        others.sort_unstable();
        let listed: Vec<_> = others.iter().take(MOST_LISTED).map(ToString::to_string).collect();
        let more = if count > MOST_LISTED { ", ..." } else { "" };
        let blocks = if count == 1 { "block" } else { "blocks" };
        format!("{first} (and the same for {count} more {blocks}: {}{more})", listed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_failure_is_one_message_with_a_count() {
        let mut failures = Failures::default();
        for number in [9, 7, 8] {
            let message = format!("block {number}: cannot fetch block {number}: no state at :8989");
            failures.add(number, message);
        }
        failures.add(3, "block 3: pruned".to_owned());
        let expected = [
            "block 3: pruned",
            "block 7: cannot fetch block 7: no state at :8989 (and the same for 2 more blocks: 8, 9)",
        ];
        assert_eq!(failures.messages(), expected);
    }

    #[test]
    fn a_long_list_of_blocks_is_cut() {
        let mut failures = Failures::default();
        for number in 100..200 {
            failures.add(number, format!("block {number}: pruned"));
        }
        let messages = failures.messages();
        assert_eq!(messages.len(), 1);
        assert!(
            messages[0].ends_with(
                "99 more blocks: 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, ...)"
            )
        );
    }
}
