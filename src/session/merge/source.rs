//! Reads what is to be merged: output folders, and files of `replay --json`.

use super::{
    super::{
        folder::{self, FolderContent},
        provenance::build_of,
    },
    coverage,
};
use crate::{
    block::range::BlockNumbers,
    cache::Location,
    report::{
        Failure, Machine, Provenance, Settings,
        tables::{BlockResult, RaceDocument, TableSet},
    },
};
use eyre::{WrapErr as _, bail};
use std::{collections::BTreeSet, fs, path::Path};

/// The content of a path.
#[derive(Debug)]
pub enum MergeSource {
    /// Parts of a race, one for each machine.
    Races(Vec<RacePart>),
    /// The results of `verify` or `analyze`.
    Blocks(Box<FolderContent>),
}

/// Results of `replay` by one process or in one folder, of one machine.
#[derive(Clone, Debug)]
pub struct RacePart {
    /// The path, for messages.
    pub name: String,
    /// The machine.
    pub machine: Machine,
    /// The settings.
    pub settings: Settings,
    /// The numbers of the blocks, all shards included; `None` if they are not known.
    pub asked: Option<BlockNumbers>,
    /// Date and build.
    pub provenance: Provenance,
    /// All builds that took the results, in words.
    pub builds: BTreeSet<String>,
    /// The blocks.
    pub blocks: Vec<BlockResult>,
    /// The blocks that could not be run.
    pub failures: Vec<Failure>,
    /// Identifiers and texts of warnings.
    pub warnings: Vec<(String, String)>,
}

impl MergeSource {
    /// Reads a folder or bucket of `--output`, or a file of `replay --json`.
    ///
    /// # Errors
    /// If the path cannot be read, or holds something else.
    pub fn read(path: &Path) -> eyre::Result<Self> {
        let name = path.display().to_string();
        let is_bucket = matches!(Location::parse(path)?, Location::Bucket(_));
        if !is_bucket && !path.is_dir() {
            let text = fs::read(path).wrap_err_with(|| format!("cannot read {name}"))?;
            let document =
                RaceDocument::read(&text).wrap_err_with(|| format!("{name} cannot be merged"))?;
            return Ok(Self::Races(vec![of_document(name, document)]));
        }
        let content = folder::in_folder(path, folder::read)?;
        match content.set {
            TableSet::Races => of_folder(name, content).map(Self::Races),
            TableSet::Verdicts | TableSet::Analyses => Ok(Self::Blocks(content.into())),
        }
    }
}

fn of_document(name: String, document: RaceDocument) -> RacePart {
    let RaceDocument { provenance, machine, settings, warnings, blocks, failures } = document;
    let builds = BTreeSet::from([build_of(&provenance)]);
    RacePart {
        name,
        machine,
        settings,
        asked: None,
        provenance,
        builds,
        blocks,
        failures,
        warnings,
    }
}

/// A part for each machine of the folder.
fn of_folder(name: String, content: FolderContent) -> eyre::Result<Vec<RacePart>> {
    let Some(description) = content.description else {
        bail!("{name} does not describe its run");
    };
    let mut settings: Settings = serde_json::from_value(description.settings)
        .wrap_err_with(|| format!("{name} does not describe its settings"))?;
    // All shards may share the folder, and the first one has described it.
    coverage::forget_shard(&mut settings);
    let mut parts = Vec::new();
    for (machine, description_of_machine) in content.machines {
        let is_own = |block: &&BlockResult| block.machine() == Some(machine.as_str());
        parts.push(RacePart {
            name: name.clone(),
            machine: description_of_machine,
            settings: settings.clone(),
            asked: content.asked.clone(),
            provenance: description.provenance.clone(),
            builds: content.builds.clone(),
            blocks: content.blocks.iter().filter(is_own).cloned().collect(),
            failures: vec![],
            warnings: vec![],
        });
    }
    Ok(parts)
}
