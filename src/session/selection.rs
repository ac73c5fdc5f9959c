//! Selects blocks: cached blocks, or the built-in sample if the cache is empty.

mod cached;

pub use self::cached::CachedSelection;

use super::{
    BlockQuery,
    confirmed::{GivenHashes, check_given, confirmed},
    source::BlockSource,
};
use crate::{
    block::check_recorded_body,
    block::{
        BlockId, RecordedBlock,
        range::{BlockList, BlockNumbers, BlockSpec, Name, Names, Shard},
    },
    cache::{Cache, CacheError, Confirmations, SAMPLE_CHAIN, built_in as built_in_list, sample},
};
use alloy_primitives::{BlockNumber, ChainId};
use eyre::{WrapErr, ensure, eyre};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

/// Description of a selection that names no blocks.
pub const ALL_CACHED: &str = "all cached";

/// The selected blocks in order.
#[derive(Debug)]
pub struct Selection {
    /// The blocks.
    pub blocks: Vec<SelectedBlock>,
    /// The query that selected the blocks, for reports.
    pub query: BlockQuery,
    /// Description of the selection, for reports.
    pub named: String,
    /// Whether the blocks are the built-in sample, since nothing is cached.
    pub is_sample: bool,
    /// The numbers that the query asks for, those of all shards included. `None` for the built-in sample, or if a filter
    /// or a later block may choose others.
    pub asked: Option<BlockNumbers>,
}

/// A selected block: its number, and its source. A block that is not cached has its own error, so that the work on the
/// others can continue.
pub type SelectedBlock = (BlockNumber, eyre::Result<BlockSource>);

/// Whether the cache has a complete file of the block.
///
/// The hash in the file name certifies the header. The header certifies transactions, ommers and withdrawals. The
/// file's checksum detects damage to the rest, which was proved before it was stored. `cache check` proves it again.
pub fn is_whole(cache: &Cache, id: &BlockId) -> bool {
    cache.get(id).is_ok_and(|recorded| check_recorded_body(&recorded).is_ok())
}

/// Finds the blocks by their file names. Only a filter reads the files.
///
/// # Errors
/// If the list of blocks or the cache cannot be read, if the query names blocks or a chain and nothing is cached, or if no
/// block passes the filter.
pub fn select(query: BlockQuery, cache: &Cache) -> eyre::Result<Selection> {
    let mut selection = select_all(query, cache)?;
    let filter = &selection.query.filter;
    selection.blocks = filter.apply(selection.blocks)?;
    if !filter.is_empty() {
        selection.named = format!("{} with {}", selection.named, filter.arguments().join(" "));
        selection.asked = None;
    }
    Ok(selection)
}

fn select_all(query: BlockQuery, cache: &Cache) -> eyre::Result<Selection> {
    if let Some(spec @ BlockSpec::Sample(_)) = query.blocks.clone() {
        return of_sample(spec, query);
    }
    let (blocks, named, asked) = match query.blocks.clone() {
        None => {
            let cached = all_cached(query.chain, cache)?;
            let may_be_sample = query.chain.is_none_or(|chain| chain == SAMPLE_CHAIN);
            if cached.is_empty() && may_be_sample {
                return built_in(query);
            }
            if cached.is_empty() {
                return Err(nothing_cached(query.chain, cache));
            }
            let asked = cached.iter().map(|id| id.number).collect();
            let ids = in_shard(cached, query.shard);
            let confirmed = confirmed(cache, &ids, &GivenHashes::new())?;
            let found = |id: BlockId| (id.number, Ok(cached_source(cache, &id, &confirmed)));
            (ids.iter().copied().map(found).collect(), ALL_CACHED.to_owned(), Some(asked))
        }
        Some(spec) => {
            let named = spec.to_string();
            let Candidates { cached, numbers, given, asked } = candidates(spec, &query, cache)?;
            if cached.is_empty() && !has_blocks(query.chain, cache)? {
                return Err(nothing_cached(query.chain, cache));
            }
            let by_number = ByNumber::new(without_siblings(cached, &given));
            let there = numbers.ranges().iter().flat_map(|range| by_number.range(range));
            let ids: Vec<_> = there.flatten().copied().collect();
            let confirmed = confirmed(cache, &ids, &given)?;
            let source = |id: BlockId| {
                check_given(&given, &id, "the cache")?;
                Ok(cached_source(cache, &id, &confirmed))
            };
            (find_all(&numbers, &by_number, cache, source), named, asked)
        }
    };
    let named = match query.shard {
        Some(shard) => format!("{named}, shard {shard}"),
        None => named,
    };
    Ok(Selection { blocks, query, named, is_sample: false, asked })
}

/// The cached blocks that a list may select, the selected numbers, and the hashes that the list gives.
struct Candidates {
    cached: Vec<BlockId>,
    numbers: BlockNumbers,
    given: GivenHashes,
    /// The numbers of all shards, unless they may be others later.
    asked: Option<BlockNumbers>,
}

/// Lists the cached blocks of the selected numbers. Only a list with names such as `latest` or a hash needs the list of
/// all cached blocks.
fn candidates(spec: BlockSpec, query: &BlockQuery, cache: &Cache) -> eyre::Result<Candidates> {
    let list = spec.load()?;
    let all = match list.names().is_empty() {
        true => None,
        false => Some(all_cached(query.chain, cache)?),
    };
    let names = names(all.as_deref().unwrap_or_default(), &list);
    let (numbers, given) = (part(&list, &names, query.shard)?, list.hashes(&names)?);
    let cached = match all {
        Some(all) => all,
        None => cached_of(query.chain, &numbers, cache)?,
    };
    let asked = (!list.moves()).then(|| list.resolve(&names)).transpose()?;
    Ok(Candidates { cached, numbers, given, asked })
}

/// Refuses a moving selection for a shard, since the parts would not agree.
///
/// # Errors
/// If the list names `latest` or the like, and there is a shard.
pub fn check_shard(list: &BlockList, shard: Option<Shard>) -> eyre::Result<()> {
    ensure!(
        shard.is_none() || !list.moves(),
        "--shard needs block numbers: `latest` may be another block for every part"
    );
    Ok(())
}

/// The numbers of a list, or those of a shard.
fn part(list: &BlockList, names: &Names, shard: Option<Shard>) -> eyre::Result<BlockNumbers> {
    let numbers = list.resolve(names)?;
    check_shard(list, shard)?;
    Ok(numbers.part_of(shard))
}

/// The cached blocks of a shard, if there is one.
fn in_shard(cached: Vec<BlockId>, shard: Option<Shard>) -> Vec<BlockId> {
    let Some(shard) = shard else { return cached };
    let numbers = cached.iter().map(|id| id.number..=id.number).collect::<BlockNumbers>();
    let part = numbers.part(shard).set();
    cached.into_iter().filter(|id| part.contains(id.number)).collect()
}

/// The numbers of the names in a list: hashes of cached blocks, and `latest` for the newest of them.
fn names(cached: &[BlockId], list: &BlockList) -> Names {
    let named = list.names();
    if named.is_empty() {
        return Names::new();
    }
    let latest = cached.iter().map(|id| (Name::Latest, id.number)).max();
    let hashes = cached.iter().map(|id| (Name::Hash(id.hash), id.number));
    hashes.filter(|(name, _)| named.contains(name)).chain(latest).collect()
}

/// Leaves out the cached blocks that share their number with a cached block that has the given hash.
fn without_siblings(mut cached: Vec<BlockId>, given: &GivenHashes) -> Vec<BlockId> {
    if given.is_empty() {
        return cached;
    }
    let is_chosen = |id: &BlockId| given.get(&id.number) == Some(&id.hash);
    let numbers: BTreeSet<_> =
        cached.iter().filter(|id| is_chosen(id)).map(|id| id.number).collect();
    cached.retain(|id| is_chosen(id) || !numbers.contains(&id.number));
    cached
}

/// The source of a cached block, with its confirmation.
fn cached_source(cache: &Cache, id: &BlockId, confirmed: &Confirmations) -> BlockSource {
    BlockSource::Cached(cache.clone(), *id).confirmed(confirmed.get(id))
}

/// Maximum number of missing blocks with an error each. If more blocks are missing, only the first one has an error.
const MOST_NAMED: u64 = 1_000;

/// Cached blocks, sorted by number.
struct ByNumber(Vec<BlockId>);

impl ByNumber {
    fn new(mut cached: Vec<BlockId>) -> Self {
        cached.sort_by_key(|id| id.number);
        Self(cached)
    }

    /// The blocks of a range, one group for each number that is there.
    fn range(
        &self,
        range: &RangeInclusive<BlockNumber>,
    ) -> impl Iterator<Item = &[BlockId]> + Clone {
        let first = self.0.partition_point(|id| id.number < *range.start());
        let end = self.0.partition_point(|id| id.number <= *range.end());
        self.0[first..end.max(first)].chunk_by(|a, b| a.number == b.number)
    }

    /// The blocks of a number.
    fn of(&self, number: BlockNumber) -> &[BlockId] {
        self.range(&(number..=number)).next().unwrap_or_default()
    }
}

/// Finds the selected blocks. Memory and time depend on the cached blocks, not on the length of the ranges.
fn find_all(
    numbers: &BlockNumbers,
    cached: &ByNumber,
    cache: &Cache,
    source: impl Fn(BlockId) -> eyre::Result<BlockSource>,
) -> Vec<SelectedBlock> {
    let there = numbers.ranges().iter().flat_map(|range| cached.range(range));
    let found = |number, ids: &[BlockId]| (number, find(ids, number, cache).and_then(&source));
    let missing = numbers.count().saturating_sub(there.clone().count() as u64);
    if missing <= MOST_NAMED {
        return numbers.iter().map(|number| found(number, cached.of(number))).collect();
    }
    let mut blocks: Vec<_> = there.map(|ids| found(ids[0].number, ids)).collect();
    if let Some(first) = numbers.iter().find(|number| cached.of(*number).is_empty()) {
        let others = format!("it is not cached, and neither are {} others", missing - 1);
        blocks.push((first, Err(eyre!("{others}; select cached blocks, or fetch these first"))));
    }
    blocks
}

/// Selects blocks of the built-in sample by their numbers.
fn of_sample(spec: BlockSpec, query: BlockQuery) -> eyre::Result<Selection> {
    let named = spec.to_string();
    let blocks = sample_blocks()?;
    let ids: Vec<_> = blocks.iter().map(RecordedBlock::id).collect();
    let mut by_number: BTreeMap<_, _> =
        blocks.into_iter().map(|block| (block.block.header.number, block)).collect();
    let (first, last) = (by_number.keys().next().copied(), by_number.keys().next_back().copied());
    let every = || by_number.keys().map(|number| *number..=*number).collect::<BlockNumbers>();
    let none = GivenHashes::new();
    let (numbers, given) = match (spec, query.shard) {
        (BlockSpec::Sample(Some(list)), shard) => {
            let names = names(&ids, &list);
            (part(&list, &names, shard)?, list.hashes(&names)?)
        }
        (_, Some(shard)) => (every().part(shard), none),
        (_, None) => (every(), none),
    };
    let count = numbers.count();
    ensure!(count <= MOST_NAMED, "the sample has fewer than {count} blocks");
    let find = |number| match by_number.remove(&number) {
        Some(block) => match check_given(&given, &block.id(), "the sample") {
            Ok(()) => in_memory(block),
            Err(wrong) => (number, Err(wrong)),
        },
        None => {
            let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
            (number, Err(eyre!("the sample has no such block; its blocks are {first} to {last}")))
        }
    };
    let blocks = numbers.iter().map(find).collect();
    Ok(Selection { blocks, query, named, is_sample: false, asked: None })
}

fn sample_blocks() -> eyre::Result<Vec<RecordedBlock>> {
    sample().wrap_err("the built-in sample cannot be read")
}

fn in_memory(block: RecordedBlock) -> SelectedBlock {
    let (number, id) = (block.block.header.number, block.id());
    let listed = built_in_list(SAMPLE_CHAIN);
    (number, Ok(BlockSource::InMemory(Box::new(block)).confirmed(listed.get(&id))))
}

fn built_in(query: BlockQuery) -> eyre::Result<Selection> {
    let blocks = sample_blocks()?;
    let numbers = blocks.iter().map(|recorded| recorded.block.header.number);
    let (first, last) = (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(0));
    let count = blocks.len();
    let named =
        format!("built-in sample: {count} blocks, {first}-{last}, of a chain made by anvil");
    let blocks = blocks.into_iter().map(in_memory).collect();
    Ok(Selection { blocks, query, named, is_sample: true, asked: None })
}

/// The error of an empty cache, and its remedies.
pub fn nothing_cached(chain: Option<ChainId>, cache: &Cache) -> eyre::Report {
    let of_chain = chain.map_or_else(String::new, |id| format!(" of chain {id}"));
    eyre!(
        "no blocks are cached{of_chain} in {}; fetch blocks with: blockrace fetch BLOCKS --rpc-url URL; to use the \
         built-in sample, name it: sample",
        cache.root().display()
    )
}

fn of_several_chains() -> eyre::Report {
    eyre!("blocks of several chains have this number; select one with --chain ID")
}

fn all_cached(chain: Option<ChainId>, cache: &Cache) -> eyre::Result<Vec<BlockId>> {
    cached_of(chain, &[0..=BlockNumber::MAX].into_iter().collect(), cache)
}

/// The cached blocks of these numbers.
fn cached_of(
    chain: Option<ChainId>,
    numbers: &BlockNumbers,
    cache: &Cache,
) -> eyre::Result<Vec<BlockId>> {
    let chains = match chain {
        Some(id) => vec![id],
        None => cache.chains().wrap_err(CANNOT_LIST)?,
    };
    let mut blocks = Vec::new();
    for chain in chains {
        blocks.extend(cache.list_of(chain, numbers).wrap_err(CANNOT_LIST)?);
    }
    Ok(blocks)
}

fn has_blocks(chain: Option<ChainId>, cache: &Cache) -> eyre::Result<bool> {
    cache.has_blocks(chain).wrap_err(CANNOT_LIST)
}

const CANNOT_LIST: &str = "cannot list the cache";

/// The one block of these that share a number.
fn find(found: &[BlockId], number: BlockNumber, cache: &Cache) -> eyre::Result<BlockId> {
    match found {
        [id] => Ok(*id),
        [] => Err(CacheError::NotCached { number }.into()),
        [first, ..] if found.iter().all(|id| id.chain_id == first.chain_id) => {
            let paths = found.iter().map(|id| cache.path(id)).collect();
            Err(CacheError::Ambiguous { number, paths }.into())
        }
        _ => Err(of_several_chains()),
    }
}

/// Joins values with commas, as in an argument.
pub(super) fn joined(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
