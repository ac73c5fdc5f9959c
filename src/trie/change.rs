//! Changes of many keys at once, split by the children of a branch and worked on by several threads.

use alloy_primitives::B256;
use alloy_trie::Nibbles;
use rayon::prelude::*;

use super::{error::NodeError, node::Node};

/// Number of keys from which the children of a branch are worked on in parallel. A task of the pool costs about
/// as much as one key.
pub(super) const PARALLEL_KEYS: usize = 16;

/// One key with its new value.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: Nibbles,
    /// Position in the caller's list. It names the change in errors and guesses.
    pub(super) index: usize,
    /// The new value, which is not empty; `None` removes the key.
    pub(super) value: Option<Vec<u8>>,
}

/// Changes of distinct keys, in the ascending order of the keys.
#[derive(Clone, Debug, Default)]
pub struct Changes(pub(super) Vec<Change>);

/// The change that failed, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeError {
    /// Position of the change in the list that [`Changes::new`] got.
    pub index: usize,
    /// The node that is missing or malformed.
    pub source: NodeError,
}

impl Changes {
    /// Changes of distinct keys, in any order. A value must not be empty; `None` removes the key.
    pub fn new(changes: impl IntoIterator<Item = (B256, Option<Vec<u8>>)>) -> Self {
        let numbered = changes.into_iter().enumerate();
        let changes = numbered.map(|(index, (key, value))| Change::new(key, index, value));
        let mut changes: Vec<_> = changes.collect();
        changes.sort_unstable_by_key(|change| change.key);
        Self(changes)
    }
}

impl Change {
    fn new(key: B256, index: usize, value: Option<Vec<u8>>) -> Self {
        Self { key: Nibbles::unpack_array(&key.0), index, value }
    }

    /// The nibble of the key at `depth`, which is below 64.
    pub(super) fn nibble(&self, depth: usize) -> usize {
        usize::from(self.key.get_unchecked(depth))
    }

    /// An error of this change.
    pub(super) fn error(&self, source: NodeError) -> ChangeError {
        ChangeError { index: self.index, source }
    }
}

/// Runs `work` on each child that has changes. `changes` are in ascending order of their keys and lie below a
/// branch at `depth`.
///
/// # Errors
/// The error of the lowest key, for every number of threads.
pub(super) fn over_children<'a, T: Send>(
    children: &mut [Node<'a>; 16],
    changes: &mut [Change],
    depth: usize,
    work: impl Fn(&mut Node<'a>, &mut [Change]) -> Result<T, ChangeError> + Sync,
) -> Result<Vec<T>, ChangeError> {
    let parallel = changes.len() >= PARALLEL_KEYS && rayon::current_num_threads() > 1;
    if !parallel {
        let groups = changes.chunk_by_mut(|one, next| one.nibble(depth) == next.nibble(depth));
        return groups.map(|group| work(&mut children[group[0].nibble(depth)], group)).collect();
    }
    let groups = children.iter_mut().zip(by_nibble(changes, depth));
    let groups: Vec<_> = groups.filter(|(_, group)| !group.is_empty()).collect();
    let results = groups.into_par_iter().map(|(child, group)| work(child, group));
    // Collecting into a `Result` directly would report the error that comes first in time.
    results.collect::<Vec<_>>().into_iter().collect()
}

/// Splits changes by their nibble at `depth`.
fn by_nibble(mut changes: &mut [Change], depth: usize) -> [&mut [Change]; 16] {
    std::array::from_fn(|nibble| {
        let count = changes.partition_point(|change| change.nibble(depth) <= nibble);
        let (group, rest) = std::mem::take(&mut changes).split_at_mut(count);
        changes = rest;
        group
    })
}
