//! Selects the blocks of a command: cached blocks, or the built-in sample if the cache is empty.

use super::{Context, Outcome};
use crate::{
    block::check_recorded_body,
    block::{BlockId, RecordedBlock, range::BlockNumbers},
    cache::{Cache, CacheError, SAMPLE_CHAIN, sample},
    cli::CachedBlocks,
    output::diagnose,
};
use alloy_primitives::BlockNumber;
use eyre::{WrapErr, bail, eyre};
use std::collections::BTreeMap;

/// The selected blocks in order, and the user's description of them. A block that is not cached has its own
/// error, so that the command can continue with the others.
pub(super) struct Selection {
    pub(super) blocks: Vec<(u64, Result<Source, eyre::Report>)>,
    pub(super) named: String,
}

/// Whether the cache has a complete file of the block.
///
/// The hash in the file name certifies the header. The header certifies transactions, ommers and withdrawals. The
/// file's checksum detects damage to the rest, which was proved before it was stored. `cache check` proves it again.
pub(super) fn is_whole(cache: &Cache, id: &BlockId) -> bool {
    cache.get(id).is_ok_and(|recorded| check_recorded_body(&recorded).is_ok())
}

/// Source of a block.
pub(super) enum Source {
    /// A file of the cache, which has not been read yet.
    Cached(BlockId),
    /// The sample that is compiled into the program.
    BuiltIn(Box<RecordedBlock>),
}

impl Source {
    /// Loads the block, from its file if it is cached.
    pub(super) fn load(self, context: &Context) -> Result<RecordedBlock, CacheError> {
        match self {
            Self::Cached(id) => context.cache.get(&id),
            Self::BuiltIn(block) => Ok(*block),
        }
    }

    /// Estimated work for the block, comparable within one selection only. It is the size of the file in bytes,
    /// since the file holds the state that the block touches. For the sample it is the gas.
    pub(super) fn weight(&self, context: &Context) -> u64 {
        match self {
            Self::Cached(id) => context.cache.size(id).unwrap_or_default(),
            Self::BuiltIn(block) => block.block.header.gas_used,
        }
    }

    /// Path or name of the source, for messages.
    pub(super) fn place(&self, context: &Context) -> String {
        match self {
            Self::Cached(id) => context.cache.path(id).display().to_string(),
            Self::BuiltIn(block) => format!("block {} of the sample", block.block.header.number),
        }
    }
}

/// Finds the blocks by their file names, without reading the files.
///
/// # Errors
/// If the list of blocks or the cache cannot be read, or if the user selects blocks from an empty cache.
pub(super) fn select(args: CachedBlocks, context: &Context) -> eyre::Result<Selection> {
    let cached = all_cached(args.chain, context)?;
    let Some(spec) = args.blocks else {
        if cached.is_empty() && args.chain.is_none_or(|chain| chain == SAMPLE_CHAIN) {
            return built_in(context);
        }
        refuse_none(&cached, args.chain, context)?;
        let found = |id: BlockId| (id.number, Ok(Source::Cached(id)));
        let blocks = cached.into_iter().map(found).collect();
        return Ok(Selection { blocks, named: "all cached".to_owned() });
    };
    refuse_none(&cached, args.chain, context)?;
    let named = describe(&spec);
    let head = cached.iter().map(|id| id.number).max();
    let numbers = spec.load()?.resolve(head)?;
    Ok(Selection { blocks: find_all(&numbers, &by_number(cached), context), named })
}

/// Maximum number of missing blocks with an error each. If more blocks are missing, only the first one has an error.
const MOST_NAMED: u64 = 1_000;

/// Cached blocks by number.
type ByNumber = BTreeMap<BlockNumber, Vec<BlockId>>;

fn by_number(cached: Vec<BlockId>) -> ByNumber {
    let mut by_number = ByNumber::new();
    for id in cached {
        by_number.entry(id.number).or_default().push(id);
    }
    by_number
}

/// Finds the selected blocks. Memory and time depend on the cached blocks, not on the length of the ranges.
fn find_all(
    numbers: &BlockNumbers,
    cached: &ByNumber,
    context: &Context,
) -> Vec<(u64, eyre::Result<Source>)> {
    let there = numbers.ranges().iter().flat_map(|range| cached.range(range.clone()));
    let found = |number| (number, find(cached, number, context).map(Source::Cached));
    let missing = numbers.count().saturating_sub(there.clone().count() as u64);
    if missing <= MOST_NAMED {
        return numbers.iter().map(found).collect();
    }
    let mut blocks: Vec<_> = there.map(|(number, _)| found(*number)).collect();
    if let Some(first) = numbers.iter().find(|number| !cached.contains_key(number)) {
        let others = format!("it is not cached, and neither are {} others", missing - 1);
        blocks.push((first, Err(eyre!("{others}; select cached blocks, or fetch these first"))));
    }
    blocks
}

/// Selects the built-in sample, and prints a notice about it on standard error.
fn built_in(context: &Context) -> eyre::Result<Selection> {
    let blocks = sample().wrap_err("the built-in sample cannot be read")?;
    let numbers = blocks.iter().map(|recorded| recorded.block.header.number);
    let (first, last) = (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(0));
    let count = blocks.len();
    let named =
        format!("built-in sample: {count} blocks, {first}-{last}, of a chain made by anvil");
    let dir = context.cache_dir.display();
    diagnose(format_args!("no blocks are cached in {dir}; using the {named}"));
    diagnose("fetch real blocks with: blockrace fetch BLOCKS --rpc-url URL");
    let found =
        |block: RecordedBlock| (block.block.header.number, Ok(Source::BuiltIn(Box::new(block))));
    Ok(Selection { blocks: blocks.into_iter().map(found).collect(), named })
}

fn refuse_none(cached: &[BlockId], chain: Option<u64>, context: &Context) -> eyre::Result<()> {
    if cached.is_empty() {
        let of_chain = chain.map_or_else(String::new, |id| format!(" of chain {id}"));
        bail!(
            "no blocks are cached{of_chain} in {}; fetch blocks with: blockrace fetch BLOCKS --rpc-url URL",
            context.cache_dir.display()
        );
    }
    Ok(())
}

/// The cached blocks of a selection, and the count of blocks that are not cached.
pub(super) struct Found {
    /// Sorted by chain, number and hash. A number may have several blocks; all of them are here.
    pub(super) ids: Vec<BlockId>,
    /// Count of the selected numbers that are not cached.
    pub(super) missing: u64,
    /// The first selected number that is not cached.
    pub(super) first_missing: Option<BlockNumber>,
}

impl Found {
    /// Finds the blocks by their file names, without reading the files. Unlike in [`select`], a long range costs
    /// only as much as its cached blocks, and an empty cache is no error.
    ///
    /// # Errors
    /// If the list of blocks or the cache cannot be read.
    pub(super) fn new(args: CachedBlocks, context: &Context) -> eyre::Result<Self> {
        let cached = all_cached(args.chain, context)?;
        let Some(spec) = args.blocks else {
            return Ok(Self { ids: cached, missing: 0, first_missing: None });
        };
        let head = cached.iter().map(|id| id.number).max();
        let numbers = spec.load()?.resolve(head)?;
        let by_number = by_number(cached);
        let asked = numbers.ranges().iter().flat_map(|range| by_number.range(range.clone()));
        let mut ids: Vec<_> = asked.clone().flat_map(|(_, ids)| ids).copied().collect();
        ids.sort_unstable();
        let missing = numbers.count().saturating_sub(asked.count() as u64);
        let first_missing = numbers.iter().find(|number| !by_number.contains_key(number));
        Ok(Self { ids, missing, first_missing })
    }

    /// As [`Found::new`], but a selected number must not have blocks of several chains, since the user means one of
    /// them. A selection without numbers includes the blocks of every chain.
    ///
    /// # Errors
    /// As [`Found::new`], and if a selected number has blocks of several chains.
    pub(super) fn unambiguous(args: CachedBlocks, context: &Context) -> eyre::Result<Self> {
        let is_named = args.blocks.is_some();
        let found = Self::new(args, context)?;
        if is_named { found.of_one_chain_each() } else { Ok(found) }
    }

    fn of_one_chain_each(self) -> eyre::Result<Self> {
        let mut chain_of = BTreeMap::new();
        let mut other =
            |id: &&BlockId| *chain_of.entry(id.number).or_insert(id.chain_id) != id.chain_id;
        match self.ids.iter().find(|id| other(id)) {
            Some(id) => Err(of_several_chains().wrap_err(format!("block {}", id.number))),
            None => Ok(self),
        }
    }

    /// Prints an error for the selected blocks that are not cached.
    pub(super) fn report_missing(&self) -> Outcome {
        let Some(first) = self.first_missing else { return Outcome::Verified };
        match self.missing {
            1 => diagnose(format_args!("error: block {first} is not cached")),
            missing => diagnose(format_args!(
                "error: {missing} blocks are not cached; the first is {first}"
            )),
        }
        Outcome::Failed
    }
}

fn of_several_chains() -> eyre::Report {
    eyre!("blocks of several chains have this number; select one with --chain ID")
}

fn all_cached(chain: Option<u64>, context: &Context) -> eyre::Result<Vec<BlockId>> {
    let chains = match chain {
        Some(id) => vec![id],
        None => context.cache.chains().wrap_err("cannot list the cache")?,
    };
    let mut blocks = Vec::new();
    for chain in chains {
        blocks.extend(context.cache.list(chain).wrap_err("cannot list the cache")?);
    }
    Ok(blocks)
}

fn find(cached: &ByNumber, number: u64, context: &Context) -> eyre::Result<BlockId> {
    let found = cached.get(&number).map(Vec::as_slice).unwrap_or_default();
    match found {
        [id] => Ok(*id),
        [] => Err(CacheError::NotCached { number }.into()),
        [first, ..] if found.iter().all(|id| id.chain_id == first.chain_id) => {
            let paths = found.iter().map(|id| context.cache.path(id)).collect();
            Err(CacheError::Ambiguous { number, paths }.into())
        }
        _ => Err(of_several_chains()),
    }
}

/// The arguments that select these blocks.
pub(super) fn named(blocks: &CachedBlocks) -> Vec<String> {
    let chain = blocks.chain.map(|chain| format!("--chain {chain}"));
    blocks.blocks.as_ref().map(describe).into_iter().chain(chain).collect()
}

/// Joins values with commas, as in an argument.
pub(super) fn joined(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The selection as the user wrote it.
fn describe(spec: &crate::block::range::BlockSpec) -> String {
    use crate::block::range::BlockSpec;
    match spec {
        BlockSpec::Items(list) => list.to_string(),
        BlockSpec::File(path) => format!("@{}", path.display()),
    }
}
