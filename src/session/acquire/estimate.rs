//! Estimates the cost of a fetch from a few of its blocks, which are fetched, proved and not stored.

use super::{AcquireOptions, Source, headers::HeaderCheck, kept::Kept};
use crate::{
    block::range::BlockNumbers,
    cache::Cache,
    fetch::{Nodes, Traffic},
    measure::Stopwatch,
};
use alloy_primitives::BlockNumber;
use std::time::Duration;

/// Number of blocks that are tried.
const TRIED: usize = 3;

/// Number of blocks for which every number is looked up in the cache. A longer list counts as not cached.
const MOST_LOOKED_UP: u64 = 10_000_000;

/// The expected cost of a fetch.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Number of selected blocks.
    pub selected: u64,
    /// Number of blocks that are cached already.
    pub cached: u64,
    /// The blocks that were tried.
    pub tried: Vec<BlockNumber>,
    /// Expected number of requests.
    pub requests: f64,
    /// Expected bytes of all answers, after decompression.
    pub bytes: f64,
    /// Expected time.
    pub time: Duration,
}

/// Fetches and proves the first, the middle and the last block that is not cached, one after the other, and scales the
/// cost to all of them. Nothing is stored.
///
/// # Errors
/// If the cache cannot be listed, or if none of these blocks can be fetched.
pub async fn estimate(
    nodes: &Nodes,
    numbers: &BlockNumbers,
    options: &AcquireOptions,
    cache: &Cache,
) -> eyre::Result<Estimate> {
    let selected = numbers.count();
    let chain_id = nodes.first().chain_id();
    let headers = HeaderCheck::new(cache, chain_id, numbers, options.headers.clone())?;
    let (cached, missing) = match selected <= MOST_LOOKED_UP {
        true => Kept::of(cache, nodes, numbers, options.overwrite, headers.clone())?.split(numbers),
        false => (0, numbers.iter().take(1).collect()),
    };
    let source = Source::new(nodes, options.execution_limit.clone(), options.choice, headers);
    let (mut tried, mut failure) = (Vec::new(), None);
    let (before, mut time) = (nodes.traffic().await, Duration::ZERO);
    for number in spread(&missing) {
        let mut stopwatch = Stopwatch::start();
        let fetched = nodes.first().fetch(number, options.choice).await;
        match source.prove(0, fetched).await {
            Ok(_) => {
                time += stopwatch.lap();
                tried.push(number);
            }
            Err(refused) => failure = Some(refused.into_report()),
        }
    }
    if let (true, Some(failure)) = (tried.is_empty(), failure) {
        return Err(failure);
    }
    let after = nodes.traffic().await;
    let each = |sum: u64| sum as f64 / tried.len().max(1) as f64;
    let rest = (selected - cached) as f64;
    let at_once = (options.concurrency.get() * nodes.count()) as f64;
    let Traffic { requests, bytes } = before;
    Ok(Estimate {
        selected,
        cached,
        requests: each(after.requests - requests) * rest,
        bytes: each(after.bytes - bytes) * rest,
        time: time.div_f64(tried.len().max(1) as f64).mul_f64(rest / at_once),
        tried,
    })
}

/// The first, the middle and the last of these blocks.
fn spread(all: &[BlockNumber]) -> Vec<BlockNumber> {
    let last = all.len().saturating_sub(1);
    let at = (0..TRIED).filter_map(|step| all.get(last * step / (TRIED - 1)).copied());
    let mut chosen: Vec<_> = at.collect();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tried_blocks_are_spread_over_the_list() {
        assert!(spread(&[]).is_empty());
        assert_eq!(spread(&[7]), [7]);
        assert_eq!(spread(&[7, 9]), [7, 9]);
        assert_eq!(spread(&(0..=100).collect::<Vec<_>>()), [0, 50, 100]);
    }
}
