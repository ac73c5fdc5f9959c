//! Reads an output folder: finished chunks, and the journals of the others.

use super::{COMMIT_KEY, OutputSettings, PROFILE_KEY, RUSTC_KEY, blocks, journal};
use crate::{
    block::range::BlockNumbers,
    report::{
        Machine, Provenance,
        tables::{
            BlockResult, TableRow, TableSet,
            parquet::{Metadata, TableFile},
        },
    },
};
use alloy_primitives::{B256, BlockNumber, ChainId};
use eyre::{OptionExt as _, WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Name of the file that describes the run.
pub(super) const DESCRIPTION_FILE: &str = "run.json";

/// Everything in an output folder.
#[derive(Debug)]
pub struct FolderContent {
    /// The tables of the folder.
    pub set: TableSet,
    /// The settings.
    pub settings: OutputSettings,
    /// The numbers of the blocks, all shards included; `None` if they are not known.
    pub asked: Option<BlockNumbers>,
    /// The run as its report describes it; `None` without one.
    pub description: Option<RunDescription>,
    /// The machines by their names in the tables.
    pub machines: BTreeMap<String, Machine>,
    /// The builds that wrote the finished chunks, in words.
    pub builds: BTreeSet<String>,
    /// The results by chain, number and hash.
    pub blocks: Vec<BlockResult>,
}

/// The settings of a run as in its JSON, with date and build of the first process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunDescription {
    /// Date and build.
    pub provenance: Provenance,
    /// The settings of the report.
    pub settings: Value,
}

/// Reads a folder.
///
/// # Errors
/// If a file cannot be read, or if the folder is no output.
pub(in crate::session) fn read(root: &Path) -> eyre::Result<FolderContent> {
    let settings = OutputSettings::read(root)?
        .ok_or_eyre(format!("{} is no output of --output", root.display()))?;
    let set = settings.set().ok_or_eyre("the folder has results of an unknown command")?;
    let (mut blocks, mut builds) = (BTreeMap::new(), BTreeSet::new());
    for (place, table) in set.tables().iter().enumerate() {
        for path in files(&root.join(table.name))? {
            let of_file = || format!("{} cannot be read", path.display());
            // A file of another table without one of the first belongs to a chunk that is not finished.
            let first = root.join(set.tables()[0].name);
            let relative = path.strip_prefix(root.join(table.name))?;
            if place > 0 && !first.join(relative).exists() {
                continue;
            }
            let file = File::open(&path).wrap_err_with(of_file)?;
            let file = TableFile::open(file).wrap_err_with(of_file)?;
            builds.insert(build_of(&file.metadata));
            for row in file.rows().wrap_err_with(of_file)? {
                add(&mut blocks, table.name, row);
            }
        }
    }
    // A journal may outlive its chunk for a moment.
    for path in files(&root.join("journal"))? {
        for block in journal::read(&path)? {
            let key = (block.chain_id, block.block_number, block.block_hash);
            blocks.entry(key).or_insert(block);
        }
    }
    let description = match fs::read(root.join(DESCRIPTION_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        text => Some(serde_json::from_slice(&text?)?),
    };
    let machines = machines(root)?;
    let blocks = blocks.into_values().collect();
    let asked = blocks::of_folder(root, &settings)?;
    Ok(FolderContent { set, settings, asked, description, machines, builds, blocks })
}

type Blocks = BTreeMap<(ChainId, BlockNumber, B256), BlockResult>;

/// Adds a row of a finished chunk.
fn add(blocks: &mut Blocks, table: &str, row: TableRow) {
    let number = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
    let hash = row.get("block_hash").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let (chain_id, block_number) = (number("chain_id"), number("block_number"));
    let block_hash = hash.unwrap_or_default();
    let block = blocks.entry((chain_id, block_number, block_hash)).or_insert_with(|| BlockResult {
        chain_id,
        block_number,
        block_hash,
        mismatch: false,
        tables: BTreeMap::new(),
    });
    block.mismatch |= row.get("verdict").is_some_and(|verdict| verdict != "match");
    block.tables.entry(table.to_owned()).or_default().push(row);
}

/// The build that wrote a file, in words.
pub(super) fn build_of(metadata: &Metadata) -> String {
    let known = [COMMIT_KEY, RUSTC_KEY, PROFILE_KEY].map(|key| metadata.get(key));
    let known: Vec<_> = known.into_iter().flatten().map(String::as_str).collect();
    known.join(", ")
}

/// The files in the folders of the chains.
pub(super) fn files(folder: &Path) -> eyre::Result<Vec<PathBuf>> {
    let entries = |folder: &Path| -> eyre::Result<Vec<PathBuf>> {
        match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
            entries => Ok(entries?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?),
        }
    };
    let mut files = Vec::new();
    for chain in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        files.extend(entries(&chain)?);
    }
    // Temporary files of writers begin with a dot.
    let is_result = |path: &PathBuf| {
        !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
    };
    files.retain(is_result);
    let (folders, mut files): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| path.is_dir());
    for folder in folders {
        ensure!(
            entries(&folder)?.is_empty(),
            "{} is a journal as it is in a bucket; name the URL of the bucket in place of its copy",
            folder.display()
        );
    }
    files.sort_unstable();
    Ok(files)
}

fn machines(root: &Path) -> eyre::Result<BTreeMap<String, Machine>> {
    let mut machines = BTreeMap::new();
    let entries = match fs::read_dir(root.join("machines")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(machines),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        if let Some(name) = name.filter(|name| !name.starts_with('.')) {
            machines.insert(name, serde_json::from_slice(&fs::read(&path)?)?);
        }
    }
    Ok(machines)
}
