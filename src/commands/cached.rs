//! Which cached blocks the user means.

use super::Context;
use crate::{
    cache::{BlockId, CacheError},
    cli::CachedBlocks,
};
use eyre::{WrapErr, bail};

/// The blocks to work on, in order, and how the user named them. A block that is not cached is an
/// error of its own, so that the others are still worked on.
pub(super) struct Selection {
    pub(super) blocks: Vec<(u64, Result<BlockId, eyre::Report>)>,
    pub(super) named: String,
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
        _ => bail!("block {number} is cached of several chains; say which with --chain ID"),
    }
}

fn describe(spec: &crate::block::range::BlockSpec) -> String {
    use crate::block::range::BlockSpec;
    match spec {
        BlockSpec::Items(list) => list.to_string(),
        BlockSpec::File(path) => format!("@{}", path.display()),
    }
}
