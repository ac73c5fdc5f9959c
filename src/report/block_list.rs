//! Writes the blocks of a report as lists that the commands accept, so that a reader can run them again.

use std::collections::BTreeMap;

use alloy_primitives::BlockNumber;

use super::Report;

/// One list for each chain, as ranges in ascending order: `19426580-19426599,19426605`. Blocks without rows, such as
/// failed ones, are in no list.
pub(super) fn block_lists(report: &Report) -> Vec<(u64, String)> {
    let mut chains: BTreeMap<u64, Vec<BlockNumber>> = BTreeMap::new();
    for row in &report.rows {
        chains.entry(row.block.chain_id).or_default().push(row.block.number);
    }
    chains.into_iter().map(|(chain, numbers)| (chain, ranges(numbers))).collect()
}

fn ranges(mut numbers: Vec<BlockNumber>) -> String {
    numbers.sort_unstable();
    numbers.dedup();
    let follows = |first: &BlockNumber, second: &BlockNumber| first.checked_add(1) == Some(*second);
    let texts = numbers.chunk_by(follows).map(|range| match range {
        [first, .., last] => format!("{first}-{last}"),
        [only] => only.to_string(),
        [] => String::new(),
    });
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn consecutive_blocks_are_a_range() {
        assert_eq!(ranges(vec![7, 5, 6, 9, 11, 10, 9]), "5-7,9-11");
        assert_eq!(ranges(vec![3]), "3");
        assert_eq!(ranges(vec![u64::MAX, 0]), format!("0,{}", u64::MAX));
    }

    #[test]
    fn a_list_selects_the_blocks_of_the_report() {
        let report = testing::report();
        let lists = block_lists(&report);
        assert_eq!(lists, [(1, "46147,19426587".to_owned())]);
        let spec: crate::block::range::BlockSpec = lists[0].1.parse().unwrap();
        let numbers = spec.load().unwrap().resolve(&BTreeMap::new()).unwrap();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [46_147, 19_426_587]);
    }
}
