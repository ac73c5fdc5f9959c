//! The syntax of `BLOCKS`: a list of items, each a block, a range or a count of blocks.
//!
//! Parses text into values and prints them again. [`range`](super) resolves `latest`, reads list files and
//! leaves the existence of blocks to its callers.
//!
//! ```text
//! list  = item *( "," item )
//! item  = block / block "-" block / block ":+" count       both ends of a range are in it
//! block = number / number "@" hash / name / name "-" number / hash
//! name  = "latest" / "safe" / "finalized"
//! ```
//!
//! A number is decimal, with underscores between digits and K, M or G behind them if wanted, or hexadecimal after `0x`. A
//! hash is `0x` and 64 digits.
//!
//! A number after `latest-` always counts back from the head, and likewise after the other names. So `latest-10-latest` is a range of eleven
//! blocks, and `latest-10-5` starts ten blocks before the head and ends at block 5. This rule makes the syntax
//! unambiguous.

use std::fmt;
use std::num::{NonZeroU64, ParseIntError};

use alloy_primitives::B256;

use super::bound::{Bound, Name};
use crate::units;

/// One item of a list of blocks. It is printed in the syntax of `BLOCKS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A single block: `19426587`.
    One(Bound),
    /// From one block to another, both included: `19426580-19426599`.
    Range {
        /// First block of the range.
        first: Bound,
        /// Last block of the range.
        last: Bound,
    },
    /// A number of consecutive blocks: `19426580:+20`.
    Count {
        /// First of the blocks.
        first: Bound,
        /// Number of blocks.
        count: NonZeroU64,
    },
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(block) => write!(f, "{block}"),
            Self::Range { first, last } => write!(f, "{first}-{last}"),
            Self::Count { first, count } => write!(f, "{first}:+{count}"),
        }
    }
}

/// The reason that a text is not a list of blocks. Characters are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ItemError {
    /// The text ends, or a comma follows, at the position of a block.
    #[error("a block is missing at character {at}; write for example 19426587 or latest-10")]
    Missing { at: usize },

    /// A text that is neither a number nor a name nor a hash.
    #[error(
        "`{found}` at character {at} is not a block; write for example 19426587, \
         19426580-19426599, 19426580:+20 or latest-10"
    )]
    NotABlock { found: String, at: usize },

    /// Hexadecimal digits that are neither a number nor a hash.
    #[error(
        "`{found}` at character {at} is not a block; a hexadecimal number has 1 to 16 digits, and a hash 64"
    )]
    NotHexadecimal { found: String, at: usize },

    /// A number above 64 bits.
    #[error("{digits} at character {at} is too large; the last possible block is {}", u64::MAX)]
    TooLarge { digits: String, at: usize, source: ParseIntError },

    /// Text after `@` that is not a hash.
    #[error("`@` at character {at} needs the hash of block {number}: 0x and 64 digits")]
    NoHash { number: u64, at: usize },

    /// Text after a complete item.
    #[error(
        "`{found}` at character {at} cannot follow {item}; separate items by commas, for example \
         {item},19426587"
    )]
    Trailing { found: String, item: Box<Item>, at: usize },

    /// A range that ends before its start.
    #[error("{first}-{last} at character {at} runs backwards; write {last}-{first}")]
    Backwards { first: Bound, last: Bound, at: usize },

    /// A count of zero.
    #[error("{first}:+0 at character {at} is no block at all; write for example {first}:+20")]
    NoCount { first: Bound, at: usize },

    /// A count that exceeds the largest block number.
    #[error("{item} at character {at} runs past the last possible block, {}", u64::MAX)]
    PastTheLast { item: Box<Item>, at: usize },

    /// `@FILE` as one item of a list.
    #[error("`@` at character {at}: a file cannot be one of a list; give @FILE alone")]
    FileInList { at: usize },

    /// `@` without a path.
    #[error("`@` names no file; write for example @blocks.txt")]
    NoFile,
}

/// Number of hexadecimal digits of a block hash.
const HASH_DIGITS: usize = 64;

/// Parses a comma-separated list of items. White space around an item is ignored.
pub(super) fn parse_list(text: &str) -> Result<Vec<Item>, ItemError> {
    let mut at = 1;
    let mut items = Vec::new();
    for part in text.split(',') {
        items.push(parse_item(part, at)?);
        at += part.chars().count() + 1;
    }
    Ok(items)
}

/// Parses one item. Its text starts at character `at`, white space included.
fn parse_item(text: &str, at: usize) -> Result<Item, ItemError> {
    let body = text.trim_start();
    let at = at + text.chars().count() - body.chars().count();
    let mut scanner = Scanner { rest: body.trim_end(), at };

    let item = scanner.item()?;
    if !scanner.rest.is_empty() {
        let (found, item) = (scanner.rest.into(), Box::new(item));
        return Err(ItemError::Trailing { found, item, at: scanner.at });
    }
    sensible(item, at)
}

/// Refuses items that are invalid for every head of the chain.
fn sensible(item: Item, at: usize) -> Result<Item, ItemError> {
    match item {
        Item::Range { first, last } if are_reversed(first, last) => {
            Err(ItemError::Backwards { first, last, at })
        }
        Item::Count { first, count }
            if first.number().is_some_and(|first| first.checked_add(count.get() - 1).is_none()) =>
        {
            Err(ItemError::PastTheLast { item: Box::new(item), at })
        }
        _ => Ok(item),
    }
}

fn are_reversed(first: Bound, last: Bound) -> bool {
    match (first, last) {
        (Bound::Named { name, back: first }, Bound::Named { name: other, back: last }) => {
            name == other && first < last
        }
        _ => first.number().zip(last.number()).is_some_and(|(first, last)| first > last),
    }
}

/// The remaining text and its position in the whole text.
struct Scanner<'a> {
    rest: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn item(&mut self) -> Result<Item, ItemError> {
        let start = self.at;
        let first = self.block()?;
        if self.accept(":+") {
            let count = NonZeroU64::new(self.number()?);
            let none = ItemError::NoCount { first, at: start };
            return count.map(|count| Item::Count { first, count }).ok_or(none);
        }
        if self.accept("-") {
            return Ok(Item::Range { first, last: self.block()? });
        }
        Ok(Item::One(first))
    }

    fn block(&mut self) -> Result<Bound, ItemError> {
        for (word, name) in Name::WORDS {
            if self.accept(word) {
                return Ok(Bound::Named { name, back: self.distance()? });
            }
        }
        let bound = match self.rest.strip_prefix("0x") {
            Some(digits) => self.hexadecimal(digits)?,
            None => Bound::Number(self.number()?),
        };
        match bound {
            Bound::Number(number) if self.rest.starts_with('@') => self.pinned(number),
            _ => Ok(bound),
        }
    }

    /// A number with its hash. The remaining text starts with the `@` between them.
    fn pinned(&mut self, number: u64) -> Result<Bound, ItemError> {
        let at = self.at;
        self.accept("@");
        let digits = self.rest.strip_prefix("0x").unwrap_or_default();
        match self.hexadecimal(digits) {
            Ok(Bound::Named { name: Name::Hash(hash), .. }) => Ok(Bound::Pinned { number, hash }),
            _ => Err(ItemError::NoHash { number, at }),
        }
    }

    /// The number after a name and `-`, or zero if what follows `-` is the end of a range.
    fn distance(&mut self) -> Result<u64, ItemError> {
        let distance = self.rest.strip_prefix('-').unwrap_or_default();
        let is_number = distance.starts_with(|next: char| next.is_ascii_digit());
        if !is_number || distance.starts_with("0x") {
            return Ok(0);
        }
        self.accept("-");
        self.number()
    }

    /// A number or a hash. `digits` is the text after `0x`.
    fn hexadecimal(&mut self, digits: &str) -> Result<Bound, ItemError> {
        let at = self.at;
        let end = digits.find(|next: char| !next.is_ascii_hexdigit()).unwrap_or(digits.len());
        let found = digits.get(..end).unwrap_or_default();
        let text = format!("0x{found}");
        let bound = match found.len() {
            HASH_DIGITS => text
                .parse::<B256>()
                .ok()
                .map(|hash| Bound::Named { name: Name::Hash(hash), back: 0 }),
            _ => u64::from_str_radix(found, 16).ok().map(Bound::Number),
        };
        self.accept(&text);
        bound.ok_or(ItemError::NotHexadecimal { found: text, at })
    }

    fn number(&mut self) -> Result<u64, ItemError> {
        let at = self.at;
        let (written, rest) = self.rest.split_at(number_length(self.rest));
        let Some(digits) = units::plain_digits(written) else {
            return Err(not_a_block(self.rest, at));
        };
        self.rest = rest;
        let end = written.chars().count();
        self.at += end;
        let too_large = |source| ItemError::TooLarge { digits: written.into(), at, source };
        digits.parse().map_err(too_large)
    }

    /// Consumes `token` if the remaining text starts with it, and returns whether it did.
    fn accept(&mut self, token: &str) -> bool {
        let after = self.rest.strip_prefix(token);
        if let Some(rest) = after {
            self.rest = rest;
            self.at += token.len();
        }
        after.is_some()
    }
}

/// Length of the number at the start of a text: digits, underscores, and a suffix.
fn number_length(text: &str) -> usize {
    let is_digit = |next: char| next.is_ascii_digit() || next == '_';
    let digits = text.find(|next| !is_digit(next)).unwrap_or(text.len());
    let has_suffix = text[digits..].starts_with(['k', 'K', 'm', 'M', 'g', 'G']);
    if digits > 0 && has_suffix { digits + 1 } else { digits }
}

fn not_a_block(found: &str, at: usize) -> ItemError {
    match found.chars().next() {
        None => ItemError::Missing { at },
        Some('@') => ItemError::FileInList { at },
        Some(_) => ItemError::NotABlock { found: found.into(), at },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(number: u64) -> Bound {
        Bound::Number(number)
    }

    fn latest(back: u64) -> Bound {
        Bound::Named { name: Name::Latest, back }
    }

    fn named(name: Name, back: u64) -> Bound {
        Bound::Named { name, back }
    }

    const HASH: &str = "0x4e3a3754410177e6937ef1f84bba68ea139e8d1a2258c5f85db9f1cd715a1bdd";

    fn range(first: Bound, last: Bound) -> Item {
        Item::Range { first, last }
    }

    fn count(first: Bound, count: u64) -> Item {
        Item::Count { first, count: NonZeroU64::new(count).unwrap() }
    }

    #[test]
    fn every_form_is_read_as_documented() {
        for (text, item) in [
            ("19426587", Item::One(number(19_426_587))),
            ("0", Item::One(number(0))),
            ("19426580-19426599", range(number(19_426_580), number(19_426_599))),
            ("5-5", range(number(5), number(5))),
            ("19426580:+20", count(number(19_426_580), 20)),
            ("latest", Item::One(latest(0))),
            ("latest-10", Item::One(latest(10))),
            ("latest-10:+5", count(latest(10), 5)),
            ("latest-10-latest", range(latest(10), latest(0))),
            ("latest-10-latest-5", range(latest(10), latest(5))),
            ("latest-latest", range(latest(0), latest(0))),
            ("latest-10-5", range(latest(10), number(5))),
            ("100-latest", range(number(100), latest(0))),
            ("100-latest-10", range(number(100), latest(10))),
            ("  7 ", Item::One(number(7))),
            ("19_426_587", Item::One(number(19_426_587))),
            ("19426K:+1k", count(number(19_426_000), 1_000)),
            ("19M-latest-1_0", range(number(19_000_000), latest(10))),
            ("0x1286DbB", Item::One(number(19_426_747))),
            ("0x10-0x1f", range(number(16), number(31))),
            ("safe", Item::One(named(Name::Safe, 0))),
            ("finalized-32:+32", count(named(Name::Finalized, 32), 32)),
            ("finalized-latest", range(named(Name::Finalized, 0), latest(0))),
            ("latest-0x10", range(latest(0), number(16))),
            (HASH, Item::One(named(Name::Hash(HASH.parse().unwrap()), 0))),
        ] {
            assert_eq!(parse_item(text, 1), Ok(item), "{text}");
        }
    }

    #[test]
    fn a_list_keeps_its_order() {
        let items = [Item::One(number(3)), Item::One(latest(0)), count(number(1), 2)];
        assert_eq!(parse_list("3, latest,1:+2"), Ok(items.to_vec()));
    }

    #[test]
    fn an_error_contains_cause_position_and_example() {
        for (text, message) in [
            ("", "a block is missing at character 1; write for example 19426587 or latest-10"),
            ("1,,2", "a block is missing at character 3;"),
            ("1,2,", "a block is missing at character 5;"),
            ("_5", "`_5` at character 1 is not a block;"),
            ("5_", "`5_` at character 1 is not a block;"),
            ("5MM", "`M` at character 3 cannot follow 5000000;"),
            ("99999999999G", "99999999999G at character 1 is too large;"),
            ("5-", "a block is missing at character 3;"),
            ("latest-", "a block is missing at character 8;"),
            ("5:+", "a block is missing at character 4;"),
            ("1, newest", "`newest` at character 4 is not a block; write for example 19426587,"),
            ("-5", "`-5` at character 1 is not a block;"),
            (
                "1,0x",
                "`0x` at character 3 is not a block; a hexadecimal number has 1 to 16 digits,",
            ),
            ("0x12345678901234567", "`0x12345678901234567` at character 1 is not a block;"),
            ("0x12g", "`g` at character 5 cannot follow 18; separate items by commas,"),
            ("1-2-3", "`-3` at character 4 cannot follow 1-2;"),
            ("7:20", "`:20` at character 2 cannot follow 7;"),
            ("ä,5-4", "`ä` at character 1 is not a block;"),
            ("1,  20-10", "20-10 at character 5 runs backwards; write 10-20"),
            (
                "latest-latest-3",
                "latest-latest-3 at character 1 runs backwards; write latest-3-latest",
            ),
            ("5:+0", "5:+0 at character 1 is no block at all; write for example 5:+20"),
            (
                "18446744073709551616",
                "18446744073709551616 at character 1 is too large; the last possible block is",
            ),
            (
                "18446744073709551615:+2",
                "18446744073709551615:+2 at character 1 runs past the last possible block",
            ),
            ("1,@list", "`@` at character 3: a file cannot be one of a list; give @FILE alone"),
        ] {
            let error = parse_list(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn the_last_possible_block_can_be_written() {
        let last = u64::MAX;
        assert_eq!(parse_item(&format!("{last}:+1"), 1), Ok(count(number(last), 1)));
        assert_eq!(parse_item(&format!("0-{last}"), 1), Ok(range(number(0), number(last))));
    }

    fn bounds() -> impl Strategy<Value = Bound> {
        let hash = |bytes| named(Name::Hash(B256::new(bytes)), 0);
        prop_oneof![
            any::<u64>().prop_map(Bound::Number),
            any::<u64>().prop_map(latest),
            any::<u64>().prop_map(|back| named(Name::Finalized, back)),
            any::<[u8; 32]>().prop_map(hash),
        ]
    }

    fn items() -> impl Strategy<Value = Item> {
        prop_oneof![
            bounds().prop_map(Item::One),
            (bounds(), bounds()).prop_map(|(first, last)| Item::Range { first, last }),
            (bounds(), 1..u64::MAX).prop_map(|(first, blocks)| count(first, blocks)),
        ]
    }

    proptest! {
        #[test]
        fn a_printed_item_parses_back(item in items()) {
            let read = parse_item(&item.to_string(), 1);
            prop_assert_eq!(read, sensible(item, 1));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[0-9a-z@:+, ä-]{0,24}") {
            let _ = parse_list(&text);
        }
    }
}
