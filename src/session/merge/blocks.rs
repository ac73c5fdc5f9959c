//! Merges output folders of `verify` and `analyze`: counts, mismatches, gaps and overlaps.

use super::{
    super::{
        folder::{FolderContent, OutputSettings},
        provenance,
        selection::ALL_CACHED,
    },
    coverage::{Coverage, Overlap, RequestedBlocks},
};
use crate::report::{
    Machine,
    analysis::{AnalysisReport, AnalysisSettings},
    tables::{BlockResult, TableSet},
    verification::{VerificationReport, VerificationSettings},
};
use alloy_primitives::BlockNumber;
use eyre::ensure;
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    num::{NonZeroU32, NonZeroUsize},
};

/// The merged results of `verify` or `analyze`.
#[derive(Debug)]
pub struct MergedBlocks {
    /// The command.
    pub command: &'static str,
    /// The blocks in words.
    pub named: String,
    /// The results by chain, number and hash, each block once.
    pub blocks: Vec<BlockResult>,
    /// The settings, without the blocks of each folder.
    pub settings: Option<OutputSettings>,
    /// The machines by their names in the results; empty for `verify`.
    pub machines: BTreeMap<String, Machine>,
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
    let (mut asked, mut names) = (RequestedBlocks::default(), BTreeSet::new());
    let mut found = BTreeMap::<_, (String, BlockResult)>::new();
    let mut merged = MergedBlocks {
        command: folders.first().map_or(TableSet::Verdicts, |(_, first)| first.set).command(),
        named: String::new(),
        blocks: vec![],
        settings: folders.first().map(|(_, first)| first.settings.clone()),
        machines: BTreeMap::new(),
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
        names.insert(content.settings.get("blocks").unwrap_or_default().to_owned());
        // Without numbers, such as with a filter, no gap is known.
        if let Some(numbers) = &content.asked {
            asked.add_numbers(numbers);
        }
        merged.coverage.builds.extend(content.builds);
        merged.machines.extend(content.machines);
        for block in content.blocks {
            let key = (block.chain_id, block.block_number, block.block_hash);
            match found.entry(key) {
                Entry::Occupied(there) => {
                    let (first, _) = there.get();
                    let (number, first, second) =
                        (block.block_number, String::clone(first), name.clone());
                    merged.coverage.overlaps.push(Overlap { number, first, second });
                }
                Entry::Vacant(free) => {
                    if block.mismatch {
                        merged.mismatches.push((block.block_number, reason(&block)));
                    }
                    free.insert((name.clone(), block));
                }
            }
        }
    }
    let numbers: BTreeSet<_> = found.keys().map(|(_, number, _)| *number).collect();
    merged.named = names.into_iter().collect::<Vec<_>>().join(", ");
    merged.coverage.gaps = asked.gaps(&numbers);
    merged.blocks = found.into_values().map(|(_, block)| block).collect();
    Ok(merged)
}

impl MergedBlocks {
    /// The report of `verify`. It has the date of the merge.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn verification(&self) -> eyre::Result<VerificationReport> {
        let blocks: Result<Vec<_>, _> =
            self.blocks.iter().map(BlockResult::verdict_records).collect();
        let settings = VerificationSettings {
            executor: self.setting("--executor").unwrap_or_default().to_owned(),
            jobs: None,
            blocks: self.named.clone(),
            command: self.command_line(&["--executor"]),
        };
        let (provenance, blocks) = (provenance(), blocks?.concat());
        Ok(VerificationReport { provenance, settings, blocks, failures: vec![] })
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.settings.as_ref()?.get(name)
    }

    /// The command of the results, with these options. Rules from a file are left out, since only their digest is known.
    fn command_line(&self, options: &[&str]) -> String {
        let blocks = (self.named != ALL_CACHED).then(|| self.named.clone());
        let chain = self.setting("--chain").filter(|chain| *chain != "any");
        let chain = chain.map(|chain| format!("--chain {chain}"));
        let filter = self.setting("filter").filter(|filter| *filter != "none");
        let options =
            options.iter().filter_map(|name| Some(format!("{name} {}", self.setting(name)?)));
        let words = [format!("blockrace {}", self.command)].into_iter().chain(blocks).chain(chain);
        let words = words.chain(filter.map(str::to_owned)).chain(options);
        words.collect::<Vec<_>>().join(" ")
    }

    /// The report of each machine of `analyze`, by the machine's name.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn analyses(&self) -> eyre::Result<Vec<(String, AnalysisReport)>> {
        let setting = |name: &str| self.setting(name);
        let threads = setting("--threads").unwrap_or_default().split(',');
        let threads: Vec<NonZeroUsize> = threads.filter_map(|text| text.parse().ok()).collect();
        let runs = setting("--iterations").and_then(|text| text.parse().ok());
        let runs = runs.unwrap_or(NonZeroU32::MIN);
        let mut reports = Vec::new();
        for (name, machine) in &self.machines {
            let own = self.blocks.iter().filter(|block| block.machine() == Some(name.as_str()));
            let blocks: Result<Vec<_>, _> = own.map(BlockResult::analysed).collect();
            let settings = AnalysisSettings {
                threads: threads.clone(),
                runs,
                blocks: self.named.clone(),
                command: self.command_line(&["--threads", "--iterations"]),
            };
            let blocks = blocks?.into_iter().flatten().collect();
            let (machine, failures) = (machine.clone(), vec![]);
            let provenance = provenance();
            let report = AnalysisReport { provenance, machine, settings, blocks, failures };
            reports.push((name.clone(), report));
        }
        Ok(reports)
    }
}

/// The first difference of a block that does not match.
fn reason(block: &BlockResult) -> String {
    let rows = block.tables.values().flatten();
    let mut reasons = rows.filter_map(|row| row.get("what")?.as_str());
    reasons.next().unwrap_or_default().to_owned()
}
