//! The block numbers of a list, stored as ranges.
//!
//! Ranges keep the memory use independent of the number of blocks. Duplicates are removed when a range is
//! added: only the parts that no earlier range covers are kept. Correctness lives in this step: the kept ranges
//! never overlap.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use alloy_primitives::BlockNumber;

use super::CHUNK;

/// Block numbers in input order, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockNumbers {
    /// Ranges that are not empty and do not overlap.
    ranges: Vec<RangeInclusive<BlockNumber>>,
}

impl BlockNumbers {
    /// The numbers in input order.
    pub fn iter(&self) -> impl Iterator<Item = BlockNumber> {
        self.ranges.iter().cloned().flatten()
    }

    /// Disjoint ranges of the numbers, in input order.
    pub fn ranges(&self) -> &[RangeInclusive<BlockNumber>] {
        &self.ranges
    }

    /// First and last numbers of the ranges in ascending order. Adjacent ranges are one.
    pub fn spans(&self) -> Vec<(BlockNumber, BlockNumber)> {
        joined(self.set().0).into_iter().map(RangeInclusive::into_inner).collect()
    }

    /// The numbers that `others` lacks. Time and memory depend on the ranges, not on their length.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let mut covered = Covered::default();
        for range in &others.ranges {
            covered.claim(*range.start(), *range.end());
        }
        let left = self.ranges.iter().flat_map(|range| {
            let (first, last) = (*range.start(), *range.end());
            gaps(first, last, &covered.overlapping(first, last))
        });
        Self { ranges: left.collect() }
    }

    /// The same numbers, for questions about single ones.
    pub fn set(&self) -> NumberSet {
        let mut ranges = self.ranges.clone();
        ranges.sort_unstable_by_key(|range| *range.start());
        NumberSet(ranges)
    }

    /// The number of blocks. The set of all 64-bit numbers is counted one short, since its count does not fit.
    pub fn count(&self) -> u64 {
        let blocks = |range: &RangeInclusive<u64>| (range.end() - range.start()).saturating_add(1);
        self.ranges.iter().map(blocks).fold(0, u64::saturating_add)
    }
}

/// Block numbers without an order. A question takes time with the logarithm of the number of ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberSet(Vec<RangeInclusive<BlockNumber>>);

impl NumberSet {
    /// Whether the number is in the set.
    pub fn contains(&self, number: BlockNumber) -> bool {
        self.meets(&(number..=number))
    }

    /// The chunks that have a number of the set, in ascending order; `None` if there are more than `most`.
    pub fn chunks(&self, most: usize) -> Option<Vec<u64>> {
        let mut chunks = Vec::new();
        for range in &self.0 {
            for chunk in range.start() / CHUNK..=range.end() / CHUNK {
                if chunks.last() == Some(&chunk) {
                    continue;
                }
                if chunks.len() == most {
                    return None;
                }
                chunks.push(chunk);
            }
        }
        Some(chunks)
    }

    /// Whether a number of the range is in the set.
    pub fn meets(&self, range: &RangeInclusive<BlockNumber>) -> bool {
        let place = self.0.partition_point(|own| own.end() < range.start());
        self.0.get(place).is_some_and(|own| own.start() <= range.end())
    }
}

/// Collects ranges that are not reversed; empty ones are left out.
impl FromIterator<RangeInclusive<BlockNumber>> for BlockNumbers {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<BlockNumber>>>(ranges: I) -> Self {
        let mut covered = Covered::default();
        let fresh = |range: RangeInclusive<u64>| covered.claim(*range.start(), *range.end());
        let filled = ranges.into_iter().filter(|range| !range.is_empty());
        Self { ranges: filled.flat_map(fresh).collect() }
    }
}

/// Collects numbers, as few ranges if they are in order.
impl FromIterator<BlockNumber> for BlockNumbers {
    fn from_iter<I: IntoIterator<Item = BlockNumber>>(numbers: I) -> Self {
        joined(numbers.into_iter().map(|number| number..=number)).into_iter().collect()
    }
}

/// Joins each range with the one before it if it begins at that one's end or right after it.
fn joined(
    ranges: impl IntoIterator<Item = RangeInclusive<BlockNumber>>,
) -> Vec<RangeInclusive<BlockNumber>> {
    let mut joined = Vec::<RangeInclusive<BlockNumber>>::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if (*last.end()..=last.end().saturating_add(1)).contains(range.start()) => {
                *last = *last.start()..=*range.end();
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// The numbers covered so far, as disjoint ranges. The map goes from start to end, both included.
#[derive(Default)]
struct Covered(BTreeMap<BlockNumber, BlockNumber>);

impl Covered {
    /// Covers `first..=last` and returns the parts that were not covered before, lowest first.
    fn claim(&mut self, first: BlockNumber, last: BlockNumber) -> Vec<RangeInclusive<BlockNumber>> {
        let overlapping = self.overlapping(first, last);
        let fresh = gaps(first, last, &overlapping);

        // Merging leaves one entry for later ranges instead of many. Every entry is removed at most once, so a
        // long list does not take quadratic time.
        let (mut start, mut end) = (first, last);
        for (from, to) in overlapping {
            self.0.remove(&from);
            start = start.min(from);
            end = end.max(to);
        }
        self.0.insert(start, end);
        fresh
    }

    /// The entries that share a number with `first..=last`, lowest first.
    fn overlapping(
        &self,
        first: BlockNumber,
        last: BlockNumber,
    ) -> Vec<(BlockNumber, BlockNumber)> {
        // Disjoint entries have the same order by end as by start. So the search may stop at the first entry
        // that ends too early.
        let down = self.0.range(..=last).rev().take_while(|(_, end)| **end >= first);
        let mut overlapping: Vec<_> = down.map(|(start, end)| (*start, *end)).collect();
        overlapping.reverse();
        overlapping
    }
}

/// The parts of `first..=last` outside of `covered`. The covered ranges are sorted, disjoint and overlap it.
fn gaps(
    first: BlockNumber,
    last: BlockNumber,
    covered: &[(BlockNumber, BlockNumber)],
) -> Vec<RangeInclusive<BlockNumber>> {
    let mut gaps = Vec::new();
    // The lowest number not handled yet; `None` after the largest possible number.
    let mut next = Some(first);
    for (start, end) in covered {
        if let Some(from) = next.filter(|from| from < start) {
            gaps.push(from..=start - 1);
        }
        next = end.checked_add(1);
    }
    gaps.extend(next.filter(|from| *from <= last).map(|from| from..=last));
    gaps
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn numbers(ranges: &[RangeInclusive<u64>]) -> BlockNumbers {
        ranges.iter().cloned().collect()
    }

    #[test]
    fn input_order_is_kept_and_duplicates_are_removed() {
        let numbers = numbers(&[7..=7, 3..=5, 4..=8, 3..=3, 1..=1]);
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [7, 3, 4, 5, 6, 8, 1]);
        assert_eq!(numbers.count(), 7);
    }

    #[test]
    fn the_chunks_of_a_set_are_listed_once_and_up_to_a_limit() {
        let set = numbers(&[5_500..=7_000, 0..=3, 999..=1_000, 5_999..=5_999]).set();
        assert_eq!(set.chunks(5), Some(vec![0, 1, 5, 6, 7]));
        assert_eq!(set.chunks(4), None);
        assert_eq!(numbers(&[0..=u64::MAX]).set().chunks(64), None);
    }

    #[test]
    fn billions_of_blocks_stay_one_range() {
        let numbers = numbers(&[1..=4_000_000_000, 2..=3_999_999_999]);
        assert_eq!(numbers.ranges, vec![1..=4_000_000_000]);
        assert_eq!(numbers.count(), 4_000_000_000);
        assert_eq!(numbers.iter().take(2).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn the_last_possible_block_does_not_overflow() {
        let last = u64::MAX;
        let numbers = numbers(&[last..=last, last - 1..=last]);
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [last, last - 1]);
        assert_eq!([0..=last].into_iter().collect::<BlockNumbers>().count(), last);
    }

    #[test]
    fn a_long_list_under_a_wide_range_is_quick() {
        let singles = (0..100_000).map(|n| 2 * n..=2 * n);
        let wide = std::iter::repeat_n(0..=200_000, 100_000);
        assert_eq!(singles.chain(wide).collect::<BlockNumbers>().count(), 200_001);
    }

    #[test]
    fn numbers_without_others_are_the_rest() {
        let all = numbers(&[20..=29, 5..=5, 0..=2]);
        let rest = all.without(&numbers(&[1..=1, 28..=40, 20..=21, 22..=23]));
        assert_eq!(rest.ranges, vec![24..=27, 5..=5, 0..=0, 2..=2]);
        assert_eq!(all.without(&numbers(&[])), all);
        assert_eq!(all.without(&all).count(), 0);
    }

    #[test]
    fn numbers_in_order_are_few_ranges() {
        let of = |numbers: &[u64]| numbers.iter().copied().collect::<BlockNumbers>();
        assert_eq!(of(&[3, 4, 4, 5, 9, u64::MAX]).ranges(), [3..=5, 9..=9, u64::MAX..=u64::MAX]);
        assert_eq!(of(&[5, 3, 4]).count(), 3);
        assert_eq!(of(&[]).count(), 0);
    }

    #[test]
    fn adjacent_ranges_are_one_span() {
        let spans = numbers(&[7..=9, 3..=4, 10..=12, u64::MAX..=u64::MAX]).spans();
        assert_eq!(spans, [(3, 4), (7, 12), (u64::MAX, u64::MAX)]);
    }

    #[test]
    fn a_set_tells_which_ranges_it_meets() {
        let set = numbers(&[20..=29, 5..=5]).set();
        assert!(set.contains(5) && set.contains(20) && set.contains(29));
        assert!(!set.contains(4) && !set.contains(6) && !set.contains(30));
        assert!(set.meets(&(0..=5)) && set.meets(&(6..=20)) && set.meets(&(0..=100)));
        assert!(!set.meets(&(6..=19)) && !set.meets(&(30..=u64::MAX)));
    }

    proptest! {
        #[test]
        fn ranges_equal_the_list_of_their_blocks(
            ends in vec((0..60_u64, 0..12_u64), 0..20),
        ) {
            let ranges: Vec<_> = ends.into_iter().map(|(start, more)| start..=start + more).collect();
            let mut seen = HashSet::new();
            let expected: Vec<_> =
                ranges.iter().cloned().flatten().filter(|number| seen.insert(*number)).collect();

            let actual = numbers(&ranges);
            prop_assert_eq!(actual.count(), expected.len() as u64);
            prop_assert_eq!(actual.iter().collect::<Vec<_>>(), expected);
        }
    }
}
