//! Declares the arguments that select cached blocks.

use super::{
    CHOICE, ShardArg,
    number::{positive, whole},
};
use crate::{
    block::range::BlockSpec,
    session::{BlockFilter, BlockQuery, Bounds, SortKey},
    verify::VerifiedTo,
};
use alloy_hardforks::EthereumHardfork;
use clap::{Args, ValueEnum};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::num::NonZeroUsize;

/// Selection of cached blocks.
#[derive(Debug, Args)]
pub struct CachedBlocks {
    /// Cached blocks: 19426587, 19_426_587, 19426K, 0x1286dbb, a block's hash, latest, latest-10, 19426580-19426599,
    /// 19426580:+20, a comma-separated list of these, or @FILE (@- is standard input); or blocks of the built-in
    /// sample: sample, sample:7,9
    /// [default: every cached block; for cache remove none]
    #[arg(value_name = "BLOCKS")]
    pub blocks: Option<BlockSpec>,
    /// Chain id of the blocks; required if the cache has blocks of several chains with the same number
    #[arg(long, value_name = "ID", value_parser = whole)]
    pub chain: Option<u64>,
    /// The part that this process works on.
    #[command(flatten)]
    pub shard: ShardArg,
    /// Further conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Conditions on the selected blocks, and their order.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = CHOICE)]
pub struct FilterArgs {
    /// Only blocks of this fork, such as Cancun; comma-separated for several
    #[arg(long, value_name = "FORK", value_delimiter = ',', value_parser = fork)]
    pub fork: Vec<EthereumHardfork>,
    /// Only blocks with so much gas used, such as 15M-30M, 20M- or -100K
    #[arg(long, value_name = "MIN-MAX", allow_hyphen_values = true)]
    pub gas: Option<Bounds>,
    /// Only blocks with so many transactions, such as 100-200
    #[arg(long, value_name = "MIN-MAX", allow_hyphen_values = true)]
    pub txs: Option<Bounds>,
    /// Only blocks at this time or later: 2024-03-13, 2024-03-13T13:55:35Z, or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub after: Option<u64>,
    /// Only blocks before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub before: Option<u64>,
    /// Only blocks that can be verified to this depth
    #[arg(long, value_name = "DEPTH")]
    pub verified_to: Option<DepthArg>,
    /// Draw N of these blocks, always the same ones
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize, { u32::MAX as u64 }>)]
    pub sample: Option<NonZeroUsize>,
    /// Order of the blocks, from the largest value to the smallest
    #[arg(long, value_name = "KEY")]
    pub sort: Option<SortArg>,
    /// Only the first N blocks in the order of --sort
    #[arg(long, value_name = "N", requires = "sort", value_parser = positive::<NonZeroUsize, { u32::MAX as u64 }>)]
    pub top: Option<NonZeroUsize>,
}

/// Values of `--verified-to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DepthArg {
    /// Blocks with a witness
    StateRoot,
    /// Blocks with a flat pre-state
    Receipts,
}

/// Values of `--sort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortArg {
    /// Gas used
    Gas,
    /// Number of transactions
    Txs,
    /// Timestamp
    Time,
    /// Size of the cache file
    Size,
}

impl From<CachedBlocks> for BlockQuery {
    fn from(args: CachedBlocks) -> Self {
        let CachedBlocks { blocks, chain, shard, filter } = args;
        let (shard, filter) = (shard.shard, filter.into());
        Self { blocks, chain, shard, filter, chain_config: None }
    }
}

impl From<FilterArgs> for BlockFilter {
    fn from(args: FilterArgs) -> Self {
        Self {
            forks: args.fork,
            gas: args.gas,
            transactions: args.txs,
            after: args.after,
            before: args.before,
            verified_to: args.verified_to.map(|depth| match depth {
                DepthArg::StateRoot => VerifiedTo::StateRoot,
                DepthArg::Receipts => VerifiedTo::Receipts,
            }),
            sample: args.sample,
            sort: args.sort.map(|key| match key {
                SortArg::Gas => SortKey::Gas,
                SortArg::Txs => SortKey::Transactions,
                SortArg::Time => SortKey::Time,
                SortArg::Size => SortKey::Size,
            }),
            top: args.top,
        }
    }
}

/// The name of no fork.
#[derive(Debug, thiserror::Error)]
#[error("the forks are {}", names())]
struct UnknownFork;

fn names() -> String {
    EthereumHardfork::VARIANTS.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn fork(text: &str) -> Result<EthereumHardfork, UnknownFork> {
    let all = EthereumHardfork::VARIANTS.iter().copied();
    all.into_iter().find(|fork| fork.to_string().eq_ignore_ascii_case(text)).ok_or(UnknownFork)
}

/// The text is no time.
#[derive(Debug, thiserror::Error)]
#[error("write a time in UTC, such as 2024-03-13 or 2024-03-13T13:55:35Z, or Unix seconds")]
struct BadTime;

/// Parses a time to Unix seconds.
fn time(text: &str) -> Result<u64, BadTime> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    // A date with a time needs a time zone.
    let date = Some(text).filter(|text| !text.contains(['T', 't', ' ']));
    let of_date = || date?.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    let timestamp = text.parse::<Timestamp>().ok().or_else(|| Some(of_date()?.timestamp()));
    timestamp.and_then(|time| u64::try_from(time.as_second()).ok()).ok_or(BadTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_a_timestamp_or_seconds() {
        assert_eq!(time("1710338135").unwrap(), 1_710_338_135);
        assert_eq!(time("2024-03-13T13:55:35Z").unwrap(), 1_710_338_135);
        assert_eq!(time("2024-03-13").unwrap(), 1_710_288_000);
        for wrong in ["", "yesterday", "1969-12-31", "2024-13-01", "2024-03-13T13:55:35"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn forks_are_named_without_regard_to_case() {
        assert_eq!(fork("cancun").unwrap(), EthereumHardfork::Cancun);
        let error = fork("Cancer").unwrap_err().to_string();
        assert!(
            error.starts_with("the forks are Frontier, ") && error.contains("Osaka"),
            "{error}"
        );
    }
}
