//! The blocks that were asked for, and whether each has a result.

use crate::{
    block::range::{BlockNumbers, BlockSpec, Shard},
    report::Settings,
};
use alloy_primitives::BlockNumber;
use std::{collections::BTreeSet, ops::RangeInclusive};

/// Gaps, overlaps and builds of several parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Blocks that were asked for, and that no part has.
    pub gaps: Vec<RangeInclusive<BlockNumber>>,
    /// Shards without a part.
    pub missing_shards: Vec<String>,
    /// Blocks that several parts have. The first one counts.
    pub overlaps: Vec<Overlap>,
    /// The builds that took the results, in words.
    pub builds: BTreeSet<String>,
}

/// A block that two parts have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The block.
    pub number: BlockNumber,
    /// The part that counts.
    pub first: String,
    /// The other part.
    pub second: String,
}

/// Words of a command line that name the part.
const SHARD_FLAG: &str = "--shard";

/// The blocks that several parts were asked for.
#[derive(Debug, Default)]
pub(super) struct RequestedBlocks {
    named: BTreeSet<String>,
    ranges: Vec<RangeInclusive<BlockNumber>>,
    shards: BTreeSet<(String, String)>,
}

impl RequestedBlocks {
    /// Adds the blocks of a part, all shards included. `numbers` are those that its folder has.
    pub(super) fn add(
        &mut self,
        settings: &Settings,
        numbers: Option<&BlockNumbers>,
    ) -> eyre::Result<()> {
        let shard = shard_of(&settings.command);
        let named = blocks_of(settings);
        self.shards.extend(shard.map(|shard| (named.to_owned(), shard)));
        // A large block has the number of its first one.
        if settings.merge.is_some() {
            self.named.insert(named.to_owned());
            return Ok(());
        }
        self.named.insert(named.to_owned());
        let in_text = if numbers.is_none() { BlockSpec::numbers_in(named)? } else { None };
        numbers.or(in_text.as_ref()).into_iter().for_each(|numbers| self.add_numbers(numbers));
        Ok(())
    }

    /// Adds blocks by their numbers.
    pub(super) fn add_numbers(&mut self, numbers: &BlockNumbers) {
        self.ranges.extend_from_slice(numbers.ranges());
    }

    /// The blocks in words.
    pub(super) fn named(&self) -> String {
        self.named.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The ranges without results. The time depends on the results, not on the length of the ranges.
    pub(super) fn gaps(&self, done: &BTreeSet<BlockNumber>) -> Vec<RangeInclusive<BlockNumber>> {
        let asked: BlockNumbers = self.ranges.iter().cloned().collect();
        let mut ranges = asked.ranges().to_vec();
        ranges.sort_by_key(|range| *range.start());
        ranges.into_iter().flat_map(|range| gaps_of(range, done)).collect()
    }

    /// The shards of each selection that no part has.
    pub(super) fn missing_shards(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let known: BTreeSet<_> = self.shards.iter().collect();
        let totals: BTreeSet<_> = self
            .shards
            .iter()
            .filter_map(|(named, shard)| {
                Some((named, shard.split_once('/')?.1.parse::<u64>().ok()?))
            })
            .collect();
        for (named, count) in totals {
            let all = (0..count).map(|index| (named.clone(), format!("{index}/{count}")));
            let lacking = all.filter(|shard| !known.contains(shard)).take(MOST_SHARDS);
            missing.extend(lacking.map(|(_, shard)| shard));
        }
        missing
    }
}

/// Maximum number of missing shards that are named.
const MOST_SHARDS: usize = 20;

fn gaps_of(
    range: RangeInclusive<BlockNumber>,
    done: &BTreeSet<BlockNumber>,
) -> Vec<RangeInclusive<BlockNumber>> {
    let (last, mut next, mut gaps) = (*range.end(), Some(*range.start()), Vec::new());
    for number in done.range(range) {
        if let Some(from) = next.filter(|from| from < number) {
            gaps.push(from..=number - 1);
        }
        next = number.checked_add(1);
    }
    gaps.extend(next.filter(|from| *from <= last).map(|from| from..=last));
    gaps
}

/// The shard of a command line.
fn shard_of(command: &str) -> Option<String> {
    let mut words = command.split(' ').skip_while(|word| *word != SHARD_FLAG);
    let shard = words.nth(1)?;
    shard.parse::<Shard>().ok().map(|shard| shard.to_string())
}

/// The blocks in words, all shards included.
fn blocks_of(settings: &Settings) -> &str {
    let suffix = shard_of(&settings.command).map(|shard| format!(", shard {shard}"));
    let blocks = suffix.and_then(|suffix| settings.blocks.strip_suffix(&suffix));
    blocks.unwrap_or(&settings.blocks)
}

/// Makes the settings those of all shards.
pub(super) fn forget_shard(settings: &mut Settings) {
    settings.blocks = blocks_of(settings).to_owned();
    settings.command = without_shard(&settings.command);
}

/// A command line for all shards.
fn without_shard(command: &str) -> String {
    match shard_of(command) {
        Some(shard) => command.replace(&format!(" {SHARD_FLAG} {shard}"), ""),
        None => command.to_owned(),
    }
}
