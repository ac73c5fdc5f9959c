//! Filters cached blocks by their contents, takes a sample of them, and sorts them.
//!
//! A filter reads the file of each block. Without one, no file is read.

use super::{BlockSource, SelectedBlock};
use crate::{
    block::{RecordedBlock, RecordedState},
    cache::CacheError,
    units::plain_digits,
    verify::VerifiedTo,
};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{B256, keccak256};
use eyre::{WrapErr, ensure};
use std::{cmp::Reverse, fmt, num::NonZeroUsize, str::FromStr};

/// A filter for blocks. The default one keeps all of them, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockFilter {
    /// Active forks; any fork if it is empty.
    pub forks: Vec<EthereumHardfork>,
    /// Gas used.
    pub gas: Option<Bounds>,
    /// Number of transactions.
    pub transactions: Option<Bounds>,
    /// Earliest time, as a Unix time in seconds.
    pub after: Option<u64>,
    /// Time that is later than the block's, as a Unix time in seconds.
    pub before: Option<u64>,
    /// Depth of the verification.
    pub verified_to: Option<VerifiedTo>,
    /// Number of blocks to draw from those that are left.
    pub sample: Option<NonZeroUsize>,
    /// Order of the blocks, from the largest value to the smallest.
    pub sort: Option<SortKey>,
    /// Number of blocks to keep after sorting.
    pub top: Option<NonZeroUsize>,
}

/// A value to sort blocks by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// Gas used.
    Gas,
    /// Number of transactions.
    Transactions,
    /// Timestamp.
    Time,
    /// Size of the cache file. The gas takes its place for blocks of the sample.
    Size,
}

impl SortKey {
    /// The name in arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gas => "gas",
            Self::Transactions => "txs",
            Self::Time => "time",
            Self::Size => "size",
        }
    }
}

/// Limits of a count, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lower limit.
    pub least: u64,
    /// Upper limit.
    pub most: u64,
}

/// The text is no [`Bounds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write MIN-MAX, MIN- or -MAX, for example 15M-30M, 20M- or -100K")]
pub struct BoundsError;

impl FromStr for Bounds {
    type Err = BoundsError;

    fn from_str(text: &str) -> Result<Self, BoundsError> {
        let (least, most) = text.split_once('-').ok_or(BoundsError)?;
        let number = |text: &str, absent: u64| match text {
            "" => Ok(absent),
            text => plain_digits(text).and_then(|digits| digits.parse().ok()).ok_or(BoundsError),
        };
        let bounds = Self { least: number(least, 0)?, most: number(most, u64::MAX)? };
        let is_valid = bounds.least <= bounds.most && !(least.is_empty() && most.is_empty());
        is_valid.then_some(bounds).ok_or(BoundsError)
    }
}

/// Prints the syntax that is parsed.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { least, most: u64::MAX } => write!(f, "{least}-"),
            Self { least, most } => write!(f, "{least}-{most}"),
        }
    }
}

impl Bounds {
    const fn contains(self, value: u64) -> bool {
        self.least <= value && value <= self.most
    }
}

/// The values of a block that a filter needs.
struct Facts {
    hash: B256,
    fork: Option<EthereumHardfork>,
    gas: u64,
    transactions: u64,
    time: u64,
    verified_to: VerifiedTo,
    size: u64,
}

impl Facts {
    fn of(recorded: &RecordedBlock, size: u64) -> Self {
        let header = &recorded.block.header;
        Self {
            hash: recorded.id().hash,
            fork: recorded.chain().ok().map(|chain| chain.fork(header)),
            gas: header.gas_used,
            transactions: recorded.block.body.transactions.len() as u64,
            time: header.timestamp,
            verified_to: match &recorded.state {
                RecordedState::Witness(_) => VerifiedTo::StateRoot,
                RecordedState::Flat(_) => VerifiedTo::Receipts,
            },
            size,
        }
    }

    const fn value(&self, key: SortKey) -> u64 {
        match key {
            SortKey::Gas => self.gas,
            SortKey::Transactions => self.transactions,
            SortKey::Time => self.time,
            SortKey::Size => self.size,
        }
    }
}

impl BlockFilter {
    /// Whether the filter keeps all blocks in their order.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The arguments that make this filter.
    pub fn arguments(&self) -> Vec<String> {
        let forks = self.forks.iter().map(|fork| format!("--fork {fork}"));
        let option =
            |name: &str, value: Option<String>| value.map(|value| format!("--{name} {value}"));
        let text = |value: Option<NonZeroUsize>| value.map(|value| value.to_string());
        let others = [
            // With an equals sign, a leading hyphen is no option.
            self.gas.map(|gas| format!("--gas={gas}")),
            self.transactions.map(|count| format!("--txs={count}")),
            option("after", self.after.map(|time| time.to_string())),
            option("before", self.before.map(|time| time.to_string())),
            option("verified-to", self.verified_to.map(|to| to.to_string())),
            option("sample", text(self.sample)),
            option("sort", self.sort.map(|key| key.name().to_owned())),
            option("top", text(self.top)),
        ];
        forks.chain(others.into_iter().flatten()).collect()
    }

    fn keeps(&self, facts: &Facts) -> bool {
        let is_of_fork =
            self.forks.is_empty() || facts.fork.is_some_and(|fork| self.forks.contains(&fork));
        is_of_fork
            && self.gas.is_none_or(|bounds| bounds.contains(facts.gas))
            && self.transactions.is_none_or(|bounds| bounds.contains(facts.transactions))
            && self.after.is_none_or(|after| facts.time >= after)
            && self.before.is_none_or(|before| facts.time < before)
            && self.verified_to.is_none_or(|to| facts.verified_to == to)
    }

    /// Filters, draws, sorts and cuts blocks with their values.
    fn choose<T>(&self, mut all: Vec<(T, Facts)>) -> Vec<T> {
        all.retain(|(_, facts)| self.keeps(facts));
        if let Some(count) = self.sample {
            draw(&mut all, count.get());
        }
        if let Some(key) = self.sort {
            all.sort_by_key(|(_, facts)| Reverse(facts.value(key)));
        }
        all.truncate(self.top.map_or(usize::MAX, NonZeroUsize::get));
        all.into_iter().map(|(block, _)| block).collect()
    }

    /// Applies the filter to selected blocks. A block that cannot be read stays, with its error.
    ///
    /// # Errors
    /// If no block is left.
    pub(super) fn apply(&self, blocks: Vec<SelectedBlock>) -> eyre::Result<Vec<SelectedBlock>> {
        if self.is_empty() {
            return Ok(blocks);
        }
        let count = blocks.len();
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for (number, source) in blocks {
            match source.and_then(|source| Ok((read(&source)?, source))) {
                Ok((facts, source)) => found.push(((number, Ok(source)), facts)),
                Err(error) => failed.push((number, Err(error))),
            }
        }
        let mut kept = self.choose(found);
        kept.extend(failed);
        ensure!(!kept.is_empty(), "none of {count} blocks passes {}", self.arguments().join(" "));
        Ok(kept)
    }

    /// Applies the filter to sources. They are loaded by `source`.
    ///
    /// # Errors
    /// If a block cannot be read.
    pub(super) fn apply_to<T: Copy>(
        &self,
        ids: Vec<T>,
        source: impl Fn(T) -> BlockSource,
    ) -> eyre::Result<Vec<T>> {
        if self.is_empty() {
            return Ok(ids);
        }
        let read = |id| {
            let source = source(id);
            let facts =
                read(&source).wrap_err_with(|| format!("{} cannot be filtered", source.place()));
            Ok((id, facts?))
        };
        Ok(self.choose(ids.into_iter().map(read).collect::<eyre::Result<_>>()?))
    }
}

fn read(source: &BlockSource) -> Result<Facts, CacheError> {
    let size = source.weight();
    Ok(Facts::of(&source.clone().load()?, size))
}

/// Keeps `count` blocks in their order. The choice depends on the blocks' hashes only, so it is the same for every call
/// and order.
fn draw<T>(all: &mut Vec<(T, Facts)>, count: usize) {
    let rank = |facts: &Facts| keccak256(facts.hash);
    let mut ranks: Vec<_> = all.iter().map(|(_, facts)| rank(facts)).collect();
    ranks.sort_unstable();
    if let Some(first_left_out) = ranks.get(count) {
        all.retain(|(_, facts)| rank(facts) < *first_left_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{Cache, sample},
        session::{BlockQuery, select},
    };

    fn filtered(change: impl FnOnce(&mut BlockFilter)) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let mut query = BlockQuery::default();
        change(&mut query.filter);
        let selection = select(query, &Cache::new(folder.path())).unwrap();
        selection.blocks.into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn bounds_are_read_as_printed() {
        for (text, least, most) in
            [("15M-30M", 15_000_000, 30_000_000), ("1_0-", 10, u64::MAX), ("-2K", 0, 2_000)]
        {
            let bounds: Bounds = text.parse().unwrap();
            assert_eq!(bounds, Bounds { least, most });
            assert_eq!(bounds.to_string().parse(), Ok(bounds));
        }
        for wrong in ["", "-", "5", "9-1", "a-b", "1-2-3", "--"] {
            assert_eq!(wrong.parse::<Bounds>(), Err(BoundsError), "{wrong}");
        }
    }

    #[test]
    fn a_filter_keeps_the_blocks_within_its_limits() {
        let blocks = sample().unwrap();
        let middle = blocks[blocks.len() / 2].block.header.gas_used;
        let expected = |keep: fn(u64, u64) -> bool| -> Vec<u64> {
            let headers = blocks.iter().map(|recorded| &recorded.block.header);
            headers.filter(|one| keep(one.gas_used, middle)).map(|one| one.number).collect()
        };
        let large = filtered(|filter| filter.gas = Some(Bounds { least: middle, most: u64::MAX }));
        assert_eq!(large, expected(|gas, middle| gas >= middle));
        let small = filtered(|filter| filter.gas = Some(Bounds { least: 0, most: middle - 1 }));
        assert_eq!(small, expected(|gas, middle| gas < middle));
        let time = blocks[3].block.header.timestamp;
        assert_eq!(filtered(|filter| filter.before = Some(time)).len(), 3);
        assert_eq!(filtered(|filter| filter.after = Some(time)).len(), blocks.len() - 3);
        assert_eq!(filtered(|filter| filter.verified_to = Some(VerifiedTo::StateRoot)).len(), 24);
    }

    #[test]
    fn a_sample_is_the_same_each_time_and_part_of_a_larger_one() {
        let draw = |count| filtered(|filter| filter.sample = NonZeroUsize::new(count));
        let (five, nine) = (draw(5), draw(9));
        assert_eq!((five.len(), nine.len(), draw(99).len()), (5, 9, 24));
        assert_eq!(draw(5), five);
        assert!(five.iter().all(|number| nine.contains(number)));
        assert!(five.is_sorted(), "{five:?}");
    }

    #[test]
    fn the_largest_blocks_come_first() {
        let top = filtered(|filter| {
            filter.sort = Some(SortKey::Gas);
            filter.top = NonZeroUsize::new(3);
        });
        let mut all = sample().unwrap();
        all.sort_by_key(|recorded| Reverse(recorded.block.header.gas_used));
        let largest: Vec<_> =
            all[..3].iter().map(|recorded| recorded.block.header.number).collect();
        assert_eq!(top, largest);
    }

    #[test]
    fn a_filter_without_blocks_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut query = BlockQuery::default();
        query.filter.before = Some(1);
        let error = select(query, &Cache::new(folder.path())).unwrap_err().to_string();
        assert_eq!(error, "none of 24 blocks passes --before 1");
    }
}
