//! Cached blocks for benches.

use blockrace::{
    block::{ReplayJob, prepare},
    cache::{BlockId, Cache, RecordedBlock},
};
use std::{env, path::PathBuf};

/// The cached blocks with the most gas, at most `count`. The cache is the folder in
/// `BLOCKRACE_CACHE`, or the user's cache. If there are none, it returns an empty list and prints a
/// message on standard error.
pub(crate) fn heaviest(count: usize) -> Vec<RecordedBlock> {
    let folder = env::var_os("BLOCKRACE_CACHE").map(PathBuf::from);
    let folder = folder.or_else(|| dirs::cache_dir().map(|dir| dir.join("blockrace")));
    let cache = Cache::new(folder.unwrap_or_default());
    let mut blocks: Vec<_> = ids(&cache).iter().filter_map(|id| cache.get(id).ok()).collect();
    if blocks.is_empty() {
        eprintln!("SKIPPED: no cached blocks; fetch some, or set BLOCKRACE_CACHE to their folder");
    }
    blocks.sort_by_key(|recorded| std::cmp::Reverse(recorded.block.header.gas_used));
    blocks.truncate(count);
    blocks
}

fn ids(cache: &Cache) -> Vec<BlockId> {
    let chains = cache.chains().unwrap_or_default();
    chains.into_iter().flat_map(|chain| cache.list(chain).unwrap_or_default()).collect()
}

/// The block, ready to execute.
pub(crate) fn job(recorded: RecordedBlock) -> ReplayJob {
    prepare(recorded, |_| ()).expect("the cached block's witness is valid")
}
