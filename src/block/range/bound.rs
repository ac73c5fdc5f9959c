//! One block in the syntax of `BLOCKS`: a number, a name such as `finalized`, or a hash.

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::{B256, BlockNumber};

/// A block that has no number of its own until a node or a cache is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// `latest`: the head of the chain.
    Latest,
    /// `safe`: the newest block that is unlikely to be reorganised.
    Safe,
    /// `finalized`: the newest block that cannot be reorganised.
    Finalized,
    /// The hash of a block.
    Hash(B256),
}

/// Block numbers by name.
pub type Names = BTreeMap<Name, BlockNumber>;

/// One block in the syntax of `BLOCKS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A block number: `19426587` or `0x1286dbb`.
    Number(BlockNumber),
    /// A block number with the hash that the block must have: `19426587@0x…`.
    Pinned {
        /// The number.
        number: BlockNumber,
        /// Hash of the header.
        hash: B256,
    },
    /// A named block or one before it: `latest`, `finalized-10`, or a hash.
    Named {
        /// The name.
        name: Name,
        /// Distance to the named block; 0 is the block itself, and always for a hash.
        back: u64,
    },
}

impl Bound {
    /// The number, unless a node or a cache is needed for it.
    pub(super) const fn number(self) -> Option<BlockNumber> {
        match self {
            Self::Number(number) | Self::Pinned { number, .. } => Some(number),
            Self::Named { .. } => None,
        }
    }
}

impl Name {
    /// The names that are words.
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("latest", Self::Latest), ("safe", Self::Safe), ("finalized", Self::Finalized)];
}

/// Prints the syntax of `BLOCKS`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Safe => f.write_str("safe"),
            Self::Finalized => f.write_str("finalized"),
            Self::Hash(hash) => hash.fmt(f),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Pinned { number, hash } => write!(f, "{number}@{hash}"),
            Self::Named { name, back: 0 } => name.fmt(f),
            Self::Named { name, back } => write!(f, "{name}-{back}"),
        }
    }
}
