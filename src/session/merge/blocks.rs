//! Merges output folders of `verify` and `analyze`: counts, mismatches, gaps and overlaps.

use super::{
    super::folder::FolderContent,
    coverage::{Asked, Coverage, Overlap},
};
use crate::report::tables::{BlockResult, TableSet};
use alloy_primitives::BlockNumber;
use eyre::ensure;
use std::collections::{BTreeMap, BTreeSet};

/// The merged results of `verify` or `analyze`.
#[derive(Debug)]
pub struct MergedBlocks {
    /// The command.
    pub command: &'static str,
    /// Number of blocks.
    pub blocks: usize,
    /// The blocks that do not match their headers, and the first difference of each.
    pub mismatches: Vec<(BlockNumber, String)>,
    /// Gaps and overlaps.
    pub coverage: Coverage,
}

/// Merges folders, each with its name.
///
/// # Errors
/// If the folders are of different commands or settings.
pub fn merge_blocks(folders: Vec<(String, Box<FolderContent>)>) -> eyre::Result<MergedBlocks> {
    let mut asked = Asked::default();
    let mut found = BTreeMap::new();
    let mut merged = MergedBlocks {
        command: folders.first().map_or(TableSet::Verdicts, |(_, first)| first.set).command(),
        blocks: 0,
        mismatches: vec![],
        coverage: Coverage::default(),
    };
    let first = folders.first().map(|(name, content)| (name.clone(), content.settings.clone()));
    for (name, content) in folders {
        if let Some((first, settings)) = &first {
            let different = settings.difference(&content.settings);
            let different = different.filter(|setting| *setting != "blocks");
            ensure!(different.is_none(), "{first} and {name} have other settings");
        }
        // Blocks that a filter leaves out are no gaps.
        if content.settings.get("filter").is_none_or(|filter| filter == "none") {
            asked.add_named(content.settings.get("blocks").unwrap_or_default())?;
        }
        for block in content.blocks {
            let key = (block.chain_id, block.block_number, block.block_hash);
            if let Some(first) = found.insert(key, name.clone()) {
                let (number, second) = (block.block_number, name.clone());
                merged.coverage.overlaps.push(Overlap { number, first, second });
                continue;
            }
            if block.mismatch {
                merged.mismatches.push((block.block_number, reason(&block)));
            }
        }
    }
    merged.blocks = found.len();
    let numbers: BTreeSet<_> = found.keys().map(|(_, number, _)| *number).collect();
    merged.coverage.gaps = asked.gaps(&numbers);
    Ok(merged)
}

/// The first difference of a block that does not match.
fn reason(block: &BlockResult) -> String {
    let rows = block.tables.values().flatten();
    let mut reasons = rows.filter_map(|row| row.get("what")?.as_str());
    reasons.next().unwrap_or_default().to_owned()
}
