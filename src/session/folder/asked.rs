//! The numbers of the blocks that an output folder is for.
//!
//! The settings name the blocks as on the command line. A file of that name may change or be absent later, so the numbers
//! are in the folder as well, in the form of a list of blocks.

use super::{OutputSettings, SETTINGS_FILE};
use crate::{
    block::range::{BlockNumbers, BlockSpec, Names},
    cache::atomic::Replacement,
};
use eyre::{WrapErr as _, ensure};
use std::{fmt::Write as _, io::Write as _, path::Path};

/// Name of the file in the folder.
pub(super) const FILE: &str = "blocks.txt";

/// Writes the numbers, or compares them with those of an earlier start.
///
/// # Errors
/// If the folder is for other blocks, or if it cannot be used.
pub(super) fn claim(root: &Path, numbers: &BlockNumbers) -> eyre::Result<()> {
    if let Some(there) = read(root)? {
        ensure!(
            text(&there) == text(numbers),
            "{} is for other blocks: the list has changed since {SETTINGS_FILE} was written; name another folder",
            root.display()
        );
        return Ok(());
    }
    let write = || -> eyre::Result<()> {
        let mut file = Replacement::beside(root.join(FILE))?;
        file.file().write_all(text(numbers).as_bytes())?;
        Ok(file.commit()?)
    };
    write().wrap_err_with(|| format!("cannot write to {}", root.display()))
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

/// A line for each range.
fn text(numbers: &BlockNumbers) -> String {
    let mut text = String::new();
    for range in numbers.ranges() {
        let (first, last) = (range.start(), range.end());
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

    #[test]
    fn other_blocks_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let numbers = |ranges: &[_]| ranges.iter().cloned().collect::<BlockNumbers>();
        let first = numbers(&[7..=9, 3..=3]);
        assert_eq!(read(root.path()).unwrap(), None);
        claim(root.path(), &first).unwrap();
        assert_eq!(read(root.path()).unwrap(), Some(first.clone()));
        claim(root.path(), &first).unwrap();
        let refused = claim(root.path(), &numbers(&[7..=9])).unwrap_err().to_string();
        assert!(refused.contains("is for other blocks"), "{refused}");
    }
}
