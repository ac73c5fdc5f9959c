//! The numbers of the blocks that an output folder is for.
//!
//! The settings name the blocks as on the command line. A file of that name may change or be absent later, so the numbers
//! are in the folder as well, in the form of a list of blocks. If all cached blocks are selected, the list grows with the
//! cache. So a shard without results is missed.

use super::{OutputSettings, SETTINGS_FILE};
use crate::{
    block::range::{BlockNumbers, BlockSpec, Names},
    cache::atomic::Replacement,
};
use eyre::{WrapErr as _, ensure};
use std::{fmt::Write as _, io::Write as _, path::Path};

/// Name of the file in the folder.
pub(super) const FILE: &str = "blocks.txt";

/// The numbers of the blocks that an output is for, all shards included.
#[derive(Clone, Debug)]
pub struct FolderBlocks {
    /// The numbers.
    pub numbers: BlockNumbers,
    /// Whether a later start may add numbers, since the selection is all that is cached.
    pub may_grow: bool,
}

impl FolderBlocks {
    /// Writes the numbers, or compares them with those of an earlier start. Returns whether an existing file has changed.
    /// Messages call the folder `name`.
    ///
    /// # Errors
    /// If the folder is for other blocks, or if it cannot be used.
    pub(super) fn claim(&self, root: &Path, name: &str) -> eyre::Result<bool> {
        let there = read(root)?;
        let before = there.as_ref().map(text);
        let after = match there {
            Some(there) if self.may_grow => {
                let ranges = there.ranges().iter().chain(self.numbers.ranges());
                text(&ranges.cloned().collect())
            }
            _ => text(&self.numbers),
        };
        if before.as_ref() == Some(&after) {
            return Ok(false);
        }
        ensure!(
            before.is_none() || self.may_grow,
            "{name} is for other blocks: the list has changed since {SETTINGS_FILE} was written; name another folder",
        );
        let write = || -> eyre::Result<()> {
            let mut file = Replacement::beside(root.join(FILE))?;
            file.file().write_all(after.as_bytes())?;
            Ok(file.commit()?)
        };
        write().wrap_err_with(|| format!("cannot write to {}", root.display()))?;
        Ok(before.is_some())
    }
}

/// The numbers that a folder is for. A folder of an earlier release has them in its settings only. `None` if they are not
/// known, or if a filter chooses among them.
///
/// # Errors
/// If the file cannot be read, or is no list of blocks.
pub(super) fn of_folder(
    root: &Path,
    settings: &OutputSettings,
) -> eyre::Result<Option<BlockNumbers>> {
    let is_filtered = settings.get("filter").is_some_and(|filter| filter != "none");
    match read(root)? {
        None if !is_filtered => {
            Ok(BlockSpec::numbers_in(settings.get("blocks").unwrap_or_default())?)
        }
        numbers => Ok(numbers),
    }
}

/// The numbers in the file; `None` if the folder does not have it.
fn read(root: &Path) -> eyre::Result<Option<BlockNumbers>> {
    let path = root.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(BlockSpec::File(path).load()?.resolve(&Names::new())?))
}

/// A line for each range in ascending order. Adjacent ranges are one.
fn text(numbers: &BlockNumbers) -> String {
    let mut text = String::new();
    for (first, last) in numbers.spans() {
        let written = match first == last {
            true => writeln!(text, "{first}"),
            false => writeln!(text, "{first}-{last}"),
        };
        written.expect("a string has room");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::RangeInclusive;

    fn numbers(ranges: &[RangeInclusive<u64>]) -> BlockNumbers {
        ranges.iter().cloned().collect()
    }

    fn claim(root: &Path, ranges: &[RangeInclusive<u64>], may_grow: bool) -> eyre::Result<bool> {
        FolderBlocks { numbers: numbers(ranges), may_grow }.claim(root, "out")
    }

    #[test]
    fn other_blocks_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let first = [7..=9, 3..=3];
        assert_eq!(read(root).unwrap(), None);
        claim(root, &first, false).unwrap();
        let there = read(root).unwrap().unwrap();
        assert_eq!(there.ranges(), [3..=3, 7..=9]);
        assert!(!claim(root, &first, false).unwrap());
        let refused = claim(root, &[7..=9], false).unwrap_err().to_string();
        assert!(refused.starts_with("out is for other blocks"), "{refused}");
    }

    #[test]
    fn all_cached_blocks_may_become_more_and_none_is_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert!(!claim(root, &[7..=9], true).unwrap());
        assert!(claim(root, &[9..=12, 1..=2], true).unwrap());
        assert!(!claim(root, &[1..=1], true).unwrap());
        assert_eq!(read(root).unwrap().unwrap().ranges(), [1..=2, 7..=12]);
    }
}
