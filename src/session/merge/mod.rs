//! Merges the results of several processes of `replay` or `verify` into one.
//!
//! A source is an output folder, or a file of `--json`. Results of different machines stay apart, since a speedup over
//! both would compare the machines. A block that several sources of one machine have counts once. Blocks that were asked
//! for and that no source has are named.

mod blocks;
mod coverage;
mod source;

pub use self::{
    blocks::{MergedBlocks, merge_blocks},
    coverage::{Coverage, Overlap},
    source::{MergeSource, RacePart},
};

use self::coverage::RequestedBlocks;
use super::{machine_name, merged_warnings};
use crate::report::{Failure, Machine, Provenance, Report, Settings, tables::BlockResult};
use alloy_primitives::{B256, BlockNumber, ChainId};
use eyre::{ensure, eyre};
use std::collections::{BTreeMap, BTreeSet};

/// The merged results of `replay`.
#[derive(Debug)]
pub struct MergedRaces {
    /// A report for each machine, by its name.
    pub machines: Vec<(String, Report)>,
    /// Gaps and overlaps.
    pub coverage: Coverage,
}

/// Merges parts of a race.
///
/// # Errors
/// If there are none, if their settings differ, or if a row cannot be read.
pub fn merge_races(parts: Vec<RacePart>) -> eyre::Result<MergedRaces> {
    refuse_other_settings(&parts)?;
    let mut asked = RequestedBlocks::default();
    let mut groups = BTreeMap::<String, Group>::new();
    let mut coverage = Coverage::default();
    for part in parts {
        asked.add(&part.settings, part.asked.as_ref())?;
        coverage.builds.extend(part.builds.iter().cloned());
        let name = machine_name(&part.machine)?;
        groups.entry(name).or_insert_with(|| Group::new(&part)).add(part, &mut coverage);
    }
    let numbers = groups.values().flat_map(Group::numbers).collect::<BTreeSet<_>>();
    coverage.gaps = asked.gaps(&numbers);
    coverage.missing_shards = asked.missing_shards();
    let named = asked.named();
    let report = |(name, group): (String, Group)| Ok((name, group.report(&named)?));
    let machines = groups.into_iter().map(report).collect::<eyre::Result<_>>()?;
    Ok(MergedRaces { machines, coverage })
}

/// Settings without those that name the blocks and the part of a process.
fn comparable(settings: &Settings) -> Settings {
    Settings {
        blocks: String::new(),
        command: String::new(),
        oracle_knowledge: vec![],
        carried_by_blocks: vec![],
        ..settings.clone()
    }
}

fn refuse_other_settings(parts: &[RacePart]) -> eyre::Result<()> {
    let first = parts.first().ok_or_else(|| eyre!("there are no results to merge"))?;
    for part in parts {
        let (one, other) = (comparable(&first.settings), comparable(&part.settings));
        let [one, other] = [one, other].map(serde_json::to_value);
        let (one, other) = (one?, other?);
        let fields = one.as_object().into_iter().flatten();
        let different = fields.filter(|(name, value)| other.get(name.as_str()) != Some(value));
        let names: Vec<_> = different.map(|(name, _)| name.as_str()).collect();
        ensure!(
            names.is_empty(),
            "{} and {} have other settings: {}",
            first.name,
            part.name,
            names.join(", ")
        );
    }
    Ok(())
}

/// Chain, number and hash of a block.
type BlockKey = (ChainId, BlockNumber, B256);

/// The parts of one machine.
struct Group {
    machine: Machine,
    settings: Settings,
    provenance: Provenance,
    blocks: BTreeMap<BlockKey, BlockResult>,
    /// The source of each block, for messages.
    sources: BTreeMap<(ChainId, BlockNumber), String>,
    failures: Vec<Failure>,
    warnings: Vec<(String, String)>,
    /// Number of blocks that carry the knowledge of an executor, by its name.
    carried: BTreeMap<String, usize>,
}

impl Group {
    fn new(part: &RacePart) -> Self {
        Self {
            machine: part.machine.clone(),
            settings: part.settings.clone(),
            provenance: part.provenance.clone(),
            blocks: BTreeMap::new(),
            sources: BTreeMap::new(),
            failures: vec![],
            warnings: vec![],
            carried: BTreeMap::new(),
        }
    }

    fn add(&mut self, part: RacePart, coverage: &mut Coverage) {
        let mut fresh = 0;
        for block in part.blocks {
            let (chain, number) = (block.chain_id, block.block_number);
            let key = (chain, number, block.block_hash);
            if self.blocks.contains_key(&key) {
                let first = self.sources.get(&(chain, number)).cloned().unwrap_or_default();
                coverage.overlaps.push(Overlap { number, first, second: part.name.clone() });
                continue;
            }
            fresh += 1;
            self.sources.insert((chain, number), part.name.clone());
            self.blocks.insert(key, block);
        }
        let knowledge =
            part.settings.oracle_knowledge.iter().chain(&part.settings.carried_by_blocks);
        for known in knowledge {
            // The blocks of an overlap are counted once.
            let carried = known.carried_by.min(fresh);
            *self.carried.entry(known.executor.clone()).or_default() += carried;
        }
        self.provenance = later(&self.provenance, part.provenance);
        self.failures.extend(part.failures);
        self.warnings.extend(part.warnings);
    }

    fn numbers(&self) -> impl Iterator<Item = BlockNumber> {
        let failed = self.failures.iter().map(|failure| failure.block);
        self.blocks.keys().map(|(_, number, _)| *number).chain(failed)
    }

    fn report(self, named: &str) -> eyre::Result<Report> {
        let mut settings = self.settings;
        settings.oracle_knowledge.append(&mut settings.carried_by_blocks);
        let carried = |name: &str| self.carried.get(name).copied().unwrap_or_default();
        settings.note_carried(self.blocks.len(), carried);
        coverage::forget_shard(&mut settings);
        settings.blocks = named.to_owned();
        let done: BTreeSet<_> = self.blocks.keys().map(|(_, number, _)| *number).collect();
        let mut report = Report {
            provenance: self.provenance,
            machine: self.machine,
            settings,
            rows: vec![],
            failures: self
                .failures
                .into_iter()
                .filter(|each| !done.contains(&each.block))
                .collect(),
            self_checks: vec![],
            preparation: vec![],
            profiled: vec![],
            warnings: vec![],
            pictures: vec![],
            explorer: None,
        };
        for block in self.blocks.values() {
            let rows = block.race_rows()?;
            report.rows.extend(rows.rows);
            report.self_checks.extend(rows.self_checks);
            report.preparation.extend(rows.preparation);
            report.profiled.extend(rows.profiled);
        }
        report.warnings = merged_warnings(&report, &self.warnings);
        Ok(report)
    }
}

/// The later of two dates. The commit of a build that differs is not named.
fn later(one: &Provenance, other: Provenance) -> Provenance {
    let commit = (one.commit == other.commit).then(|| one.commit.clone()).flatten();
    // Dates in UTC of one format sort by time.
    Provenance { date: one.date.clone().max(other.date), commit, ..one.clone() }
}
