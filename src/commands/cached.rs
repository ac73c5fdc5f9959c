//! Which cached blocks the user means.

use super::{Context, Outcome};
use crate::{
    block::check_recorded_body,
    cache::{BlockId, Cache, CacheError},
    cli::CachedBlocks,
};
use alloy_primitives::BlockNumber;
use eyre::{WrapErr, bail, eyre};
use std::collections::BTreeMap;

/// The blocks to work on, in order, and how the user named them. A block that is not cached is an
/// error of its own, so that the others are still worked on.
pub(super) struct Selection {
    pub(super) blocks: Vec<(u64, Result<BlockId, eyre::Report>)>,
    pub(super) named: String,
}

/// Whether the file of a block is there and holds what its name certifies: the header by its hash, and
/// by the header transactions, ommers and withdrawals. The file's own checksum tells damage to the
/// rest, which was proved before it was stored; `cache check` proves it again.
pub(super) fn is_whole(cache: &Cache, id: &BlockId) -> bool {
    cache.get(id).is_ok_and(|recorded| check_recorded_body(&recorded).is_ok())
}

/// Finds the blocks by their file names; nothing is read yet.
///
/// # Errors
/// If the list of blocks or the cache cannot be read, or the cache is empty.
pub(super) fn select(args: CachedBlocks, context: &Context) -> eyre::Result<Selection> {
    let cached = all_cached(args.chain, context)?;
    if cached.is_empty() {
        bail!(
            "no blocks are cached in {}; fetch some with: blockrace fetch BLOCKS --rpc-url URL",
            context.cache_dir.display()
        );
    }
    let Some(spec) = args.blocks else {
        let blocks = cached.into_iter().map(|id| (id.number, Ok(id))).collect();
        return Ok(Selection { blocks, named: "all cached".to_owned() });
    };
    let named = describe(&spec);
    let head = cached.iter().map(|id| id.number).max();
    let numbers = spec.load()?.resolve(head)?;
    let blocks = numbers.iter().map(|number| (number, find(&cached, number, context))).collect();
    Ok(Selection { blocks, named })
}

/// The cached blocks that the user means, and how many more were asked for.
pub(super) struct Found {
    /// By chain, number and hash. All of a number, where there are several.
    pub(super) ids: Vec<BlockId>,
    /// How many of the numbers asked for are not cached.
    pub(super) missing: u64,
    /// The first of those.
    pub(super) first_missing: Option<BlockNumber>,
}

impl Found {
    /// Finds the blocks by their file names; nothing is read yet. Unlike for [`select`], a long range
    /// costs no more than what is cached of it, and no blocks at all are fine.
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
        let mut by_number: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for id in cached {
            by_number.entry(id.number).or_default().push(id);
        }
        let asked = numbers.ranges().iter().flat_map(|range| by_number.range(range.clone()));
        let mut ids: Vec<_> = asked.clone().flat_map(|(_, ids)| ids).copied().collect();
        ids.sort_unstable();
        let missing = numbers.count().saturating_sub(asked.count() as u64);
        let first_missing = numbers.iter().find(|number| !by_number.contains_key(number));
        Ok(Self { ids, missing, first_missing })
    }

    /// Refuses a number that blocks of several chains have, if the user might mean one of them only.
    ///
    /// # Errors
    /// If there is such a number.
    pub(super) fn of_one_chain_each(self) -> eyre::Result<Self> {
        let mut chain_of = BTreeMap::new();
        let mut other =
            |id: &&BlockId| *chain_of.entry(id.number).or_insert(id.chain_id) != id.chain_id;
        match self.ids.iter().find(|id| other(id)) {
            Some(id) => Err(of_several_chains(id.number)),
            None => Ok(self),
        }
    }

    /// Says what was asked for and is not there.
    pub(super) fn report_missing(&self) -> Outcome {
        let Some(first) = self.first_missing else { return Outcome::Verified };
        match self.missing {
            1 => eprintln!("error: block {first} is not cached"),
            missing => {
                eprintln!("error: {missing} blocks are not cached, the first of them {first}");
            }
        }
        Outcome::Failed
    }
}

fn of_several_chains(number: BlockNumber) -> eyre::Report {
    eyre!("block {number} is cached of several chains; say which with --chain ID")
}

fn all_cached(chain: Option<u64>, context: &Context) -> eyre::Result<Vec<BlockId>> {
    let chains = match chain {
        Some(id) => vec![id],
        None => context.cache.chains().wrap_err("cannot look into the cache")?,
    };
    let mut blocks = Vec::new();
    for chain in chains {
        blocks.extend(context.cache.list(chain).wrap_err("cannot look into the cache")?);
    }
    Ok(blocks)
}

fn find(cached: &[BlockId], number: u64, context: &Context) -> eyre::Result<BlockId> {
    let found: Vec<_> = cached.iter().filter(|id| id.number == number).collect();
    match found[..] {
        [id] => Ok(*id),
        [] => Err(CacheError::NotCached { number }.into()),
        [first, ..] if found.iter().all(|id| id.chain_id == first.chain_id) => {
            let paths = found.iter().map(|id| context.cache.path(id)).collect();
            Err(CacheError::Ambiguous { number, paths }.into())
        }
        _ => Err(of_several_chains(number)),
    }
}

fn describe(spec: &crate::block::range::BlockSpec) -> String {
    use crate::block::range::BlockSpec;
    match spec {
        BlockSpec::Items(list) => list.to_string(),
        BlockSpec::File(path) => format!("@{}", path.display()),
    }
}
