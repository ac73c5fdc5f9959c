//! The `BLOCKS` argument of the commands.
//!
//! It is read in three steps, each with its own errors. Parsing a [`BlockSpec`] uses only the text.
//! [`BlockSpec::load`] reads the file, if the text names one. [`BlockList::resolve`] turns the items into block
//! numbers. The caller must look up the names of [`BlockList::names`] beforehand.
//!
//! This module does not check whether the blocks exist, or in which chain.

mod bound;
mod item;
mod numbers;
mod shard;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fmt, io};

use alloy_primitives::{B256, BlockNumber};

use crate::input;

pub use self::bound::{Bound, Name, Names};
pub use self::item::{Item, ItemError};
pub use self::numbers::{BlockNumbers, NumberSet};
pub use self::shard::{CHUNK, Shard, ShardError, chunk_name, chunk_numbers};

/// `BLOCKS` as typed: a comma-separated list such as `19426580:+20,latest`, or `@FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockSpec {
    /// Items in input order.
    Items(BlockList),
    /// The path of a file with one item per line; `-` is standard input. The file has not been read yet.
    File(PathBuf),
    /// Blocks of the built-in sample: `sample` for all of them, or `sample:7,9`.
    Sample(Option<BlockList>),
}

/// Name of the built-in sample.
const SAMPLE: &str = "sample";

/// Parses the syntax of [`Item`]. The text after an `@` is a path and may contain commas and spaces.
impl FromStr for BlockSpec {
    type Err = ItemError;

    fn from_str(text: &str) -> Result<Self, ItemError> {
        let list = |text| item::parse_list(text).map(|items| BlockList { items });
        match (text.strip_prefix('@'), text.strip_prefix(SAMPLE)) {
            (Some(""), _) => Err(ItemError::NoFile),
            (Some(path), _) => Ok(Self::File(path.into())),
            (None, Some("")) => Ok(Self::Sample(None)),
            (None, Some(rest)) => {
                let blocks = rest.strip_prefix(':').unwrap_or(text);
                list(blocks).map(|list| Self::Sample(Some(list)))
            }
            (None, None) => list(text).map(Self::Items),
        }
    }
}

/// Prints the syntax of `BLOCKS`.
impl fmt::Display for BlockSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Items(list) => list.fmt(f),
            Self::File(path) => write!(f, "@{}", path.display()),
            Self::Sample(None) => f.write_str(SAMPLE),
            Self::Sample(Some(list)) => write!(f, "{SAMPLE}:{list}"),
        }
    }
}

impl BlockSpec {
    /// The numbers that the text alone gives. `None` if it is no list, or has names such as `latest`.
    ///
    /// # Errors
    /// As [`BlockList::resolve`].
    pub fn numbers_in(text: &str) -> Result<Option<BlockNumbers>, BlocksError> {
        match text.parse() {
            Ok(Self::Items(list)) if list.names().is_empty() => {
                list.resolve(&Names::new()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns the items, read from the file if the specification names one.
    ///
    /// Each line of the file holds one item or a comma-separated list. Blank lines are skipped, and a `#`
    /// starts a comment.
    ///
    /// # Errors
    /// [`BlocksError::Read`], [`BlocksError::Line`] or [`BlocksError::NoBlocks`], all for the file.
    /// [`BlocksError::Sample`] for the sample, which is neither cached nor on a node.
    pub fn load(self) -> Result<BlockList, BlocksError> {
        match self {
            Self::Items(list) => Ok(list),
            Self::File(path) => read_list(&path),
            Self::Sample(_) => Err(BlocksError::Sample),
        }
    }
}

/// A list of blocks with `latest` not resolved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockList {
    items: Vec<Item>,
}

/// Prints the items in the syntax of `BLOCKS`.
impl fmt::Display for BlockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, item) in self.items.iter().enumerate() {
            let separator = if position == 0 { "" } else { "," };
            write!(f, "{separator}{item}")?;
        }
        Ok(())
    }
}

impl BlockList {
    /// The names in the list, whose numbers [`resolve`](Self::resolve) needs.
    pub fn names(&self) -> BTreeSet<Name> {
        self.items.iter().flat_map(|item| item.names()).collect()
    }

    /// Whether a name in the list may be another block later. A hash always names the same block.
    pub fn moves(&self) -> bool {
        self.names().iter().any(|name| !matches!(name, Name::Hash(_)))
    }

    /// The hashes that the list gives, by block number: those of `NUMBER@HASH`, and those that stand alone.
    ///
    /// # Errors
    /// [`BlocksError::TwoHashes`] if a number has several. [`BlocksError::NameUnknown`] if a hash is not in `names`.
    pub fn hashes(&self, names: &Names) -> Result<BTreeMap<BlockNumber, B256>, BlocksError> {
        let mut hashes = BTreeMap::new();
        let bounds =
            self.items.iter().flat_map(|item| item.bounds().map(move |bound| (item, bound)));
        for (item, bound) in bounds {
            let hash = match bound {
                Bound::Pinned { hash, .. } | Bound::Named { name: Name::Hash(hash), .. } => hash,
                Bound::Number(_) | Bound::Named { .. } => continue,
            };
            let number = item.number(bound, names)?;
            match hashes.entry(number) {
                Entry::Vacant(free) => _ = free.insert(hash),
                Entry::Occupied(first) if *first.get() == hash => {}
                Entry::Occupied(first) => {
                    let first = *first.get();
                    return Err(BlocksError::TwoHashes { number, first, second: hash });
                }
            }
        }
        Ok(hashes)
    }

    /// The block numbers in input order, without duplicates.
    ///
    /// # Errors
    /// [`BlocksError::NameUnknown`] if a name is not in `names`. Other errors are for items that start before block 0,
    /// end after the head, or run backwards. Items without names are not compared with the head.
    pub fn resolve(&self, names: &Names) -> Result<BlockNumbers, BlocksError> {
        self.items.iter().map(|item| item.resolve(names)).collect()
    }
}

/// The reason that a list of blocks cannot be read or resolved.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum BlocksError {
    /// The file of `@FILE` is missing, unreadable or not text.
    #[error("cannot read the list of blocks in {}", .path.display())]
    Read { path: PathBuf, source: io::Error },

    /// A line of the file is not a list of items.
    #[error("{}:{line} does not name blocks", .path.display())]
    Line { path: PathBuf, line: usize, source: Box<ItemError> },

    /// A file without items.
    #[error("{} lists no blocks; write one per line, for example 19426587", .path.display())]
    NoBlocks { path: PathBuf },

    /// The built-in sample, where blocks of a node or of the cache are needed.
    #[error("the sample is built in, so it is neither fetched nor cached; write block numbers")]
    Sample,

    /// A name without a known number.
    #[error(
        "the number of the {name} block is not known here, so {item} names no block; write block numbers"
    )]
    NameUnknown { item: Box<Item>, name: Name },

    /// A block before the genesis block.
    #[error("{item} is before block 0; {name} is block {number}")]
    BeforeGenesis { item: Box<Item>, name: Name, number: BlockNumber },

    /// Blocks after the head of the chain.
    #[error("{item} goes to block {last}, past the head at block {head}; ask for fewer blocks")]
    PastHead { item: Box<Item>, last: BlockNumber, head: BlockNumber },

    /// Different hashes for one number.
    #[error("the list gives block {number} two hashes: {first} and {second}")]
    TwoHashes { number: BlockNumber, first: B256, second: B256 },

    /// A range that is reversed with this head.
    #[error("{item} runs backwards, from block {first} to block {last}; put the lower first")]
    Backwards { item: Box<Item>, first: BlockNumber, last: BlockNumber },
}

impl Item {
    /// The blocks that the item names.
    fn bounds(self) -> impl Iterator<Item = Bound> {
        let (first, last) = match self {
            Self::One(first) | Self::Count { first, .. } => (first, None),
            Self::Range { first, last } => (first, Some(last)),
        };
        [Some(first), last].into_iter().flatten()
    }

    fn names(self) -> impl Iterator<Item = Name> {
        self.bounds().filter_map(|bound| match bound {
            Bound::Named { name, .. } => Some(name),
            Bound::Number(_) | Bound::Pinned { .. } => None,
        })
    }

    /// The block numbers of this item.
    fn resolve(self, names: &Names) -> Result<RangeInclusive<BlockNumber>, BlocksError> {
        let number = |bound| self.number(bound, names);
        let (first, last) = match self {
            Self::One(only) => (number(only)?, number(only)?),
            Self::Range { first, last } => (number(first)?, number(last)?),
            Self::Count { first, count } => {
                let first = number(first)?;
                (first, first.saturating_add(count.get() - 1))
            }
        };
        match names.get(&Name::Latest) {
            Some(head) if self.names().next().is_some() && last > *head => {
                Err(BlocksError::PastHead { item: Box::new(self), last, head: *head })
            }
            _ if first > last => Err(BlocksError::Backwards { item: Box::new(self), first, last }),
            _ => Ok(first..=last),
        }
    }

    /// The number of one of this item's bounds.
    fn number(self, bound: Bound, names: &Names) -> Result<BlockNumber, BlocksError> {
        match bound {
            Bound::Number(number) | Bound::Pinned { number, .. } => Ok(number),
            Bound::Named { name, back } => {
                let named = names.get(&name).copied();
                let number =
                    named.ok_or_else(|| BlocksError::NameUnknown { item: Box::new(self), name })?;
                let before = || BlocksError::BeforeGenesis { item: Box::new(self), name, number };
                number.checked_sub(back).ok_or_else(before)
            }
        }
    }
}

/// Maximum size of a list in bytes: some million block numbers.
const MOST_LIST_BYTES: u64 = 16 << 20;

fn read_list(path: &Path) -> Result<BlockList, BlocksError> {
    let text = input::read_or_stream(path, MOST_LIST_BYTES)
        .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other))
        .map_err(|source| BlocksError::Read { path: path.into(), source })?;
    let mut items = Vec::new();
    for (text, line) in text.lines().zip(1..) {
        let bad_line = |source| {
            let source = Box::new(source);
            BlocksError::Line { path: path.into(), line, source }
        };
        items.extend(items_of(text).map_err(bad_line)?);
    }
    if items.is_empty() {
        return Err(BlocksError::NoBlocks { path: path.into() });
    }
    Ok(BlockList { items })
}

/// The items of a line; none for a blank line or a comment.
fn items_of(line: &str) -> Result<Vec<Item>, ItemError> {
    let text = line.split_once('#').map_or(line, |(before, _comment)| before);
    if text.trim().is_empty() { Ok(Vec::new()) } else { item::parse_list(text) }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::{fs, process};

    use super::*;

    const HEAD: BlockNumber = 1_000;

    fn names() -> Names {
        [(Name::Latest, HEAD), (Name::Finalized, HEAD - 64)].into()
    }

    fn list(text: &str) -> BlockList {
        text.parse::<BlockSpec>().unwrap().load().unwrap()
    }

    fn numbers(text: &str) -> Vec<BlockNumber> {
        list(text).resolve(&names()).unwrap().iter().collect()
    }

    /// The message and its causes on one line, as a user sees them.
    fn chain(error: &dyn Error) -> String {
        let causes = error.source().map(chain).into_iter();
        [error.to_string()].into_iter().chain(causes).collect::<Vec<_>>().join(": ")
    }

    /// A temporary file with this content, removed on drop.
    struct ListFile(PathBuf);

    impl ListFile {
        fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
            let name = format!("blockrace-range-{}-{name}", process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, content).unwrap();
            Self(path)
        }

        fn load(&self) -> Result<BlockList, BlocksError> {
            format!("@{}", self.0.display()).parse::<BlockSpec>().unwrap().load()
        }

        /// The error of loading the file, with `FILE` in place of its path.
        fn error(&self) -> String {
            let error = chain(&self.load().unwrap_err());
            error.replace(&self.0.display().to_string(), "FILE")
        }
    }

    impl Drop for ListFile {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn items_become_numbers_in_the_order_given() {
        assert_eq!(numbers("7,3-5,4:+3"), [7, 3, 4, 5, 6]);
        assert_eq!(numbers("latest-2:+2,latest"), [998, 999, 1_000]);
        assert_eq!(numbers("latest-1-latest"), [999, 1_000]);
        assert_eq!(numbers("latest-10"), [990]);
        assert_eq!(numbers("998-latest-1"), [998, 999]);
        assert_eq!(numbers("latest-1000"), [0]);
        assert_eq!(numbers("finalized-1:+3"), [935, 936, 937]);
        assert_eq!(numbers("0x10,finalized"), [16, 936]);
    }

    #[test]
    fn only_named_blocks_need_their_numbers() {
        for text in ["latest", "1,latest-3", "1-latest", "latest-5-996", "latest-3:+2"] {
            assert!(list(text).names().contains(&Name::Latest), "{text}");
            let error = list(text).resolve(&Names::new()).unwrap_err();
            assert!(
                matches!(error, BlocksError::NameUnknown { name: Name::Latest, .. }),
                "{text}: {error}"
            );
        }
        let absolute = list("1,2-3,4:+5");
        assert!(absolute.names().is_empty());
        assert_eq!(absolute.resolve(&Names::new()).unwrap().count(), 8);
    }

    #[test]
    fn numbers_without_latest_may_be_past_the_head() {
        assert_eq!(numbers("2000"), [2_000]);
    }

    #[test]
    fn errors_about_the_head_contain_the_block_numbers() {
        for (text, message) in [
            ("latest-1001", "latest-1001 is before block 0; latest is block 1000"),
            ("latest:+2", "latest:+2 goes to block 1001, past the head at block 1000;"),
            ("latest-3:+18446744073709551615", "latest-3:+18446744073709551615 goes to block"),
            ("latest-10-2000", "latest-10-2000 goes to block 2000, past the head"),
            ("latest-10-5", "latest-10-5 runs backwards, from block 990 to block 5;"),
            ("1001-latest", "1001-latest runs backwards, from block 1001 to block 1000;"),
        ] {
            let error = list(text).resolve(&names()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn a_range_of_billions_resolves_without_a_list_of_its_blocks() {
        assert_eq!(list("1-4000000000").resolve(&Names::new()).unwrap().count(), 4_000_000_000);
    }

    #[test]
    fn parsing_never_opens_the_file() {
        let spec = "@no such, file".parse();
        assert_eq!(spec, Ok(BlockSpec::File("no such, file".into())));
        assert_eq!("@".parse::<BlockSpec>(), Err(ItemError::NoFile));
    }

    #[test]
    fn a_file_has_one_item_per_line_with_comments_and_blank_lines() {
        let file = ListFile::new("good", "# Cancun\n19426587\n\n  5-7  # Frontier\r\nlatest\n");
        let list = file.load().unwrap();
        assert_eq!(list.names(), [Name::Latest].into());
        let numbers = list.resolve(&names()).unwrap();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [19_426_587, 5, 6, 7, 1_000]);
    }

    #[test]
    fn a_bad_line_is_named_by_file_and_line() {
        let file = ListFile::new("bad", "1\n\n 20-10\n");
        let expected = "FILE:3 does not name blocks: \
                        20-10 at character 2 runs backwards; write 10-20";
        assert_eq!(file.error(), expected);
    }

    #[test]
    fn a_line_of_a_file_may_be_a_list() {
        let list = ListFile::new("comma", "4, 2-3\n1\n").load().unwrap();
        assert_eq!(list.resolve(&Names::new()).unwrap().iter().collect::<Vec<_>>(), [4, 2, 3, 1]);
    }

    #[test]
    fn a_list_file_cannot_include_another() {
        let error = ListFile::new("nested", "@other\n").error();
        assert!(error.contains("FILE:1") && error.contains("`@` at character 1"), "{error}");
    }

    #[test]
    fn a_file_without_blocks_is_an_error() {
        let error = ListFile::new("empty", "# nothing yet\n\n").error();
        assert_eq!(error, "FILE lists no blocks; write one per line, for example 19426587");
    }

    #[test]
    fn an_unreadable_file_is_named_with_the_cause() {
        let missing = "@/no/such/list".parse::<BlockSpec>().unwrap().load().unwrap_err();
        let message = chain(&missing);
        assert!(message.contains("/no/such/list: No such file"), "{message}");

        let binary = ListFile::new("binary", [0xff, 0xfe, b'1']).error();
        assert!(binary.starts_with("cannot read the list of blocks in FILE: "), "{binary}");
    }
}
