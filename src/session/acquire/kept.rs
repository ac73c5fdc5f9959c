//! Finds the blocks that need no fetch, since the cache has a complete file of each.
//!
//! The folders of the asked chunks are listed once. A file is read unless the index of its chunk tells that it was
//! checked and has not changed. Blocking threads read the files in the order of the fetch, a few at a time, so that a
//! large cache or a long range does not delay the threads that talk to the node.
//!
//! A cached block counts only if it is the node's block of that number, since a reorganisation or a reset of a devnet
//! may have replaced it. Consecutive checked blocks whose headers link each of them to the next are compared by the
//! last one alone: its hash stands for its ancestors.

use super::{
    Acquired, Refused,
    headers::{AcquiredHeader, HeaderCheck},
};
use crate::{
    block::{
        BlockId, RecordedBlock, check_recorded_body,
        range::{BlockNumbers, CHUNK},
    },
    cache::{Cache, CacheError, CheckedFile},
    fetch::{Node, Nodes},
};
use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber};
use futures::{Stream, StreamExt, future};
use std::{collections::HashMap, iter, num::NonZeroUsize};

/// The blocks in the cache when it was listed.
pub(super) struct Kept {
    cache: Cache,
    nodes: Nodes,
    ids: HashMap<BlockNumber, Vec<BlockId>>,
    overwrite: bool,
    headers: HeaderCheck,
}

/// A cached block compared with the node's block of the same number.
enum Compared {
    /// The complete file of the node's block.
    Same(AcquiredHeader),
    /// The node has no block of this number, or does not answer.
    Unknown(AcquiredHeader),
    /// The block has not the hash that another source states.
    Refused(eyre::Report),
    /// There is no complete file of the node's block.
    Lacking,
}

impl Kept {
    /// Lists the cached blocks of the node's chain that have these numbers. With `overwrite` all blocks are fetched.
    ///
    /// # Errors
    /// If the cache cannot be listed.
    pub(super) fn of(
        cache: &Cache,
        nodes: &Nodes,
        numbers: &BlockNumbers,
        overwrite: bool,
        headers: HeaderCheck,
    ) -> Result<Self, CacheError> {
        let mut ids = HashMap::<_, Vec<_>>::new();
        for id in cache.list_of(nodes.first().chain_id(), numbers)? {
            ids.entry(id.number).or_default().push(id);
        }
        Ok(Self { cache: cache.clone(), nodes: nodes.clone(), ids, overwrite, headers })
    }

    /// Returns the `numbers` to fetch, in order. Reports each other number.
    pub(super) fn missing(
        &self,
        numbers: impl Iterator<Item = BlockNumber>,
        at_once: NonZeroUsize,
        report: impl Fn(Acquired),
    ) -> impl Stream<Item = BlockNumber> {
        let compared = futures::stream::iter(by_chunk(numbers)).then(move |chunk| async move {
            let linked = self.linked(&chunk, at_once).await;
            let numbers = chunk.into_iter().map(move |number| {
                let header = linked.get(&number).cloned();
                async move { (number, self.compare(number, header).await) }
            });
            futures::stream::iter(numbers).buffered(at_once.get())
        });
        let missing = move |(number, compared)| {
            let fetched = match compared {
                Compared::Lacking => Some(number),
                Compared::Same(header) => {
                    report(Acquired::AlreadyCached(header));
                    None
                }
                Compared::Unknown(header) => {
                    report(Acquired::NotCompared(header));
                    None
                }
                Compared::Refused(error) => {
                    report(Acquired::Fetched(number, Err(Refused::Failed(error))));
                    None
                }
            };
            future::ready(fetched)
        };
        compared.flatten().filter_map(missing)
    }

    /// Number of cached blocks in `numbers`, and the numbers that are not cached. Only the folder is read.
    pub(super) fn split(&self, numbers: &BlockNumbers) -> (u64, Vec<BlockNumber>) {
        let is_kept = |number: &BlockNumber| !self.overwrite && self.ids.contains_key(number);
        let missing: Vec<_> = numbers.iter().filter(|number| !is_kept(number)).collect();
        (numbers.count() - missing.len() as u64, missing)
    }

    /// The cached blocks of a number that are other blocks than the one with this hash.
    pub(super) fn others(&self, number: BlockNumber, hash: B256) -> impl Iterator<Item = BlockId> {
        let cached = self.ids.get(&number).into_iter().flatten();
        cached.filter(move |id| id.hash != hash).copied()
    }

    /// The first node that can be reached.
    fn node(&self) -> &Node {
        self.nodes.at(self.nodes.order(0)[0])
    }

    /// Headers of the checked blocks of a chunk that are the node's, by number.
    async fn linked(
        &self,
        chunk: &[BlockNumber],
        at_once: NonZeroUsize,
    ) -> HashMap<BlockNumber, Header> {
        let known = |number: &BlockNumber| self.ids.get(number).into_iter().flatten().copied();
        let ids: Vec<_> = chunk.iter().flat_map(known).collect();
        let runs = match self.overwrite || ids.is_empty() {
            true => Vec::new(),
            false => runs(self.checked(ids).await),
        };
        let asked = runs.into_iter().map(|run| async move {
            let (number, hash) = run.last().map(|(id, _)| (id.number, id.hash))?;
            (self.node().hash_at(number).await.ok()? == Some(hash)).then_some(run)
        });
        let same = futures::stream::iter(asked).buffer_unordered(at_once.get());
        let same: Vec<_> = same.filter_map(future::ready).collect().await;
        same.into_iter().flatten().map(|(id, header)| (id.number, header)).collect()
    }

    /// The blocks of a chunk whose files are unchanged since they were checked, and whose rules are the node's.
    async fn checked(&self, ids: Vec<BlockId>) -> Vec<(BlockId, Header)> {
        let (cache, node) = (self.cache.clone(), self.node().clone());
        let read = move || {
            let unchanged = cache.unchanged(&ids).into_iter();
            let counts = unchanged.filter(|(_, checked)| has_rules_of(checked, &node));
            counts.map(|(id, checked)| (id, checked.header)).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }

    /// Compares a cached block with the node's. `linked` is the header of a checked block that is known to be the
    /// node's.
    async fn compare(&self, number: BlockNumber, linked: Option<Header>) -> Compared {
        let Some(ids) = self.ids.get(&number).filter(|_| !self.overwrite) else {
            return Compared::Lacking;
        };
        let node = self.node();
        let (header, is_same) = match linked {
            Some(header) => (Some(header), true),
            None => {
                let (known, is_same) = match node.hash_at(number).await {
                    Ok(Some(hash)) => (ids.iter().find(|id| id.hash == hash), true),
                    _ => (ids.first(), false),
                };
                let Some(id) = known else { return Compared::Lacking };
                (self.whole(*id).await, is_same)
            }
        };
        let Some(header) = header else { return Compared::Lacking };
        match (self.headers.check(node, &header).await, is_same) {
            (Ok(header), true) => Compared::Same(header),
            (Ok(header), false) => Compared::Unknown(header),
            (Err(error), _) => Compared::Refused(error),
        }
    }

    /// The header of a cached block with a complete file. Reads the file, and adds it to the index.
    async fn whole(&self, id: BlockId) -> Option<Header> {
        let (cache, node) = (self.cache.clone(), self.node().clone());
        // If the check itself fails, the block is fetched again.
        let read = move || {
            let recorded = cache.get(&id).ok()?;
            if !is_kept(&recorded, &node) {
                return None;
            }
            cache.note_checked(&recorded);
            Some(recorded.block.header)
        };
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }
}

/// Groups numbers by chunk, as far as those of a chunk follow each other.
fn by_chunk(numbers: impl Iterator<Item = BlockNumber>) -> impl Iterator<Item = Vec<BlockNumber>> {
    let mut numbers = numbers.peekable();
    iter::from_fn(move || {
        let first = numbers.next()?;
        let is_near = |number: &BlockNumber| number / CHUNK == first / CHUNK;
        let others = iter::from_fn(|| numbers.next_if(is_near));
        Some(iter::once(first).chain(others).collect())
    })
}

/// Splits blocks into runs in which each is the parent of the next.
fn runs(mut blocks: Vec<(BlockId, Header)>) -> Vec<Vec<(BlockId, Header)>> {
    blocks.sort_by_key(|(id, _)| *id);
    let mut runs = Vec::<Vec<_>>::new();
    for (id, header) in blocks {
        let is_child = |run: &&mut Vec<(BlockId, Header)>| {
            run.last().is_some_and(|(last, _)| last.hash == header.parent_hash)
        };
        match runs.iter_mut().rev().take(MOST_BRANCHES).find(is_child) {
            Some(run) => run.push((id, header)),
            None => runs.push(vec![(id, header)]),
        }
    }
    runs
}

/// Number of runs among which the parent of a block is looked for. A reorganisation leaves two or three.
const MOST_BRANCHES: usize = 4;

/// Whether a checked block has the node's rules. Rules that the node does not know at the time of the block do not
/// count.
fn has_rules_of(checked: &CheckedFile, node: &Node) -> bool {
    let of_node = node.chain_at(&checked.header);
    of_node.map_or(true, |of_node| of_node.digest() == checked.rules)
}

/// Whether a cached block is complete and has the node's rules. Rules that the node does not know at the time of the
/// block do not count.
fn is_kept(recorded: &RecordedBlock, node: &Node) -> bool {
    let of_node = node.chain_at(&recorded.block.header);
    let has_rules = match (recorded.chain(), of_node) {
        (Ok(own), Ok(of_node)) => own.digest() == of_node.digest(),
        (own, _) => own.is_ok(),
    };
    has_rules && check_recorded_body(recorded).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(number: u64, parent: B256) -> (BlockId, Header) {
        let header = Header { number, parent_hash: parent, ..Header::default() };
        (BlockId { chain_id: 1, number, hash: header.hash_slow() }, header)
    }

    #[test]
    fn numbers_of_a_chunk_that_follow_each_other_are_one_group() {
        let groups: Vec<_> = by_chunk([998, 999, 1_000, 1_500, 3, 2_000].into_iter()).collect();
        assert_eq!(groups, [vec![998, 999], vec![1_000, 1_500], vec![3], vec![2_000]]);
    }

    #[test]
    fn a_run_ends_at_a_gap_and_at_another_parent() {
        let [first, apart] = [child(1, B256::ZERO), child(5, B256::ZERO)];
        let second = child(2, first.0.hash);
        let sibling = child(2, B256::repeat_byte(9));
        let third = child(3, sibling.0.hash);
        let blocks = [&apart, &third, &sibling, &second, &first].map(Clone::clone);
        let mut found: Vec<Vec<_>> = runs(blocks.to_vec())
            .into_iter()
            .map(|run| run.into_iter().map(|(id, _)| id).collect())
            .collect();
        found.sort();
        let mut expected = [vec![first.0, second.0], vec![sibling.0, third.0], vec![apart.0]];
        expected.sort();
        assert_eq!(found, expected);
    }
}
