//! The output folder of `verify`, `analyze` and `replay`. A finished block stays, whatever ends the process.
//!
//! ```text
//! <output>/settings.json                                     command, settings and their digest
//! <output>/blocks.txt                                        numbers of the blocks, all shards included
//! <output>/<table>/<chain id>/<first>-<last>.parquet         a finished chunk of 1,000 block numbers
//! <output>/journal/<chain id>/<first>-<last>.jsonl           finished blocks of an unfinished chunk
//! <output>/machines/<name>.json                              the machines that took times
//! <output>/run.json                                          settings of a replay as in its JSON, date and build
//! ```
//!
//! A chunk is finished when every selected block of it has a result. Its tables are then written, each whole or not at
//! all, the first table last: a chunk with a file of the first table is done. A block with an error has no result, so its
//! chunk stays in the journal, and the next start tries the block again.
//!
//! Processes with different shards of one list may share a folder, since shards consist of whole chunks. An output may
//! be in a bucket; `remote` has the differences.

mod blocks;
mod content;
mod journal;
mod remote;
mod settings;
mod status;

pub use self::{
    blocks::FolderBlocks,
    content::{FolderContent, RunDescription},
    settings::OutputSettings,
    status::output_status,
};

pub(super) use self::{content::read, remote::in_folder};

use self::{
    content::DESCRIPTION_FILE, journal::Journal, remote::Remote, settings::FILE as SETTINGS_FILE,
};
use super::{BlockSource, SelectedBlock};
use crate::{
    block::{
        BlockId,
        range::{CHUNK, chunk_name},
    },
    cache::{Location, atomic::Replacement},
    report::{
        Machine, Provenance,
        tables::{
            BlockResult, TableSet,
            parquet::{Metadata, TableColumns, TableFile},
        },
    },
};
use alloy_primitives::{B256, ChainId, Keccak256, keccak256};
use eyre::{WrapErr as _, ensure};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

/// Maximum number of open journals. Blocks come nearly in order, so that few are in use.
const MOST_OPEN: usize = 16;

/// Keys of the metadata of a finished chunk.
const DIGEST_KEY: &str = "settings_digest";
const BLOCKS_KEY: &str = "blocks";
const BLOCKS_DIGEST_KEY: &str = "blocks_digest";
const MISMATCHES_KEY: &str = "mismatches";
const COMMIT_KEY: &str = "commit";
const RUSTC_KEY: &str = "rustc";
const PROFILE_KEY: &str = "profile";

/// A chunk of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ChunkId {
    chain_id: ChainId,
    index: u64,
}

impl ChunkId {
    const fn of(id: &BlockId) -> Self {
        Self { chain_id: id.chain_id, index: id.number / CHUNK }
    }

    /// The path below the folder of a table.
    fn path(self, extension: &str) -> PathBuf {
        let name = chunk_name(self.index);
        Path::new(&self.chain_id.to_string()).join(format!("{name}.{extension}"))
    }
}

/// The selected blocks of a chunk.
#[derive(Debug)]
struct Chunk {
    count: usize,
    digest: B256,
    journal: Option<Journal>,
}

/// Blocks that were done before this process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoneBefore {
    /// Number of blocks.
    pub blocks: usize,
    /// Number of these blocks with a wrong outcome.
    pub mismatches: usize,
}

/// An output folder that a process writes to.
#[derive(Debug)]
pub struct OutputFolder {
    /// The folder, or the local copy of an output in a bucket.
    root: PathBuf,
    /// The folder or URL, for messages.
    name: String,
    remote: Option<Remote>,
    set: TableSet,
    metadata: Metadata,
    /// The chunks that are not finished.
    chunks: BTreeMap<ChunkId, Chunk>,
    /// Chunks with open journals, the least recently used first.
    open: VecDeque<ChunkId>,
}

impl OutputFolder {
    /// Opens the folder for results with these settings, and creates it if it is missing. `asked` are the numbers of all
    /// shards; `None` if they may be others later.
    ///
    /// # Errors
    /// If the folder cannot be used, or has results with other settings or for other blocks.
    pub fn open(
        output: &Path,
        set: TableSet,
        settings: &OutputSettings,
        asked: Option<&FolderBlocks>,
        provenance: &Provenance,
    ) -> eyre::Result<Self> {
        let mut remote = match Location::parse(output)? {
            Location::Folder(_) => None,
            Location::Bucket(url) => Some(Remote::open(url)?),
        };
        let root = remote.as_ref().map_or(output, Remote::root).to_owned();
        let name = output.display().to_string();
        claim(&root, &name, settings, asked, remote.as_mut())?;
        let unknown = || "unknown".to_owned();
        let metadata = [
            (DIGEST_KEY, settings.digest().to_string()),
            ("command", set.command().to_owned()),
            (COMMIT_KEY, provenance.commit.clone().unwrap_or_else(unknown)),
            (RUSTC_KEY, provenance.rustc.clone().unwrap_or_else(unknown)),
            (PROFILE_KEY, provenance.profile.clone()),
            ("date", provenance.date.clone()),
        ];
        let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let (chunks, open) = (BTreeMap::new(), VecDeque::new());
        Ok(Self { root, name, remote, set, metadata, chunks, open })
    }

    /// Stores the description of the machine, and returns the name of the machine in the tables.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add_machine(&mut self, machine: &Machine) -> eyre::Result<String> {
        let name = machine_name(machine)?;
        let file = Path::new("machines").join(format!("{name}.json"));
        self.write_new(&file, &serde_json::to_vec_pretty(machine)?)?;
        Ok(name)
    }

    /// Stores the description of the run, if there is none yet.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn describe(&mut self, run: &RunDescription) -> eyre::Result<()> {
        self.write_new(Path::new(DESCRIPTION_FILE), &serde_json::to_vec_pretty(run)?)
    }

    /// Writes a file, unless it exists.
    fn write_new(&mut self, file: &Path, text: &[u8]) -> eyre::Result<()> {
        let path = self.root.join(file);
        if !path.exists() {
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            write_whole(path, |file| Ok(file.write_all(text)?))?;
        }
        self.remote.as_mut().map_or(Ok(()), |remote| remote.push_new(file))
    }

    /// Leaves out the blocks that are done. Blocks without a source stay, since their errors are to be reported.
    ///
    /// # Errors
    /// If the folder cannot be read, if a finished chunk has other blocks than the selected ones, or if another process
    /// works on the same chunk.
    pub fn remaining(
        &mut self,
        blocks: Vec<SelectedBlock>,
    ) -> eyre::Result<(Vec<SelectedBlock>, DoneBefore)> {
        let mut ids = BTreeMap::<_, BTreeSet<_>>::new();
        let sources = blocks.iter().filter_map(|(_, source)| source.as_ref().ok());
        for id in sources.map(BlockSource::id) {
            ids.entry(ChunkId::of(&id)).or_default().insert((id.number, id.hash));
        }
        let mut before = DoneBefore::default();
        let mut finished = BTreeSet::new();
        for (id, blocks) in ids {
            let chunk = Chunk { count: blocks.len(), digest: digest(&blocks), journal: None };
            if let Some(mismatches) = self.is_finished(id, &chunk)? {
                before.blocks += chunk.count;
                before.mismatches += mismatches;
                finished.insert(id);
                // A process that was killed after its last table has left it.
                let _ = fs::remove_file(self.journal_path(id));
                self.remote.as_mut().map_or(Ok(()), |remote| remote.remove_journal(id))?;
                continue;
            }
            self.chunks.insert(id, chunk);
            self.remote.as_ref().map_or(Ok(()), |remote| remote.pull_journal(id))?;
            if self.journal_path(id).exists() {
                let journal = self.journal(id)?;
                let done = blocks.iter().filter(|key| journal.contains(key)).count();
                before.blocks += done;
                before.mismatches += journal.mismatches();
                self.finish_if_complete(id)?;
            }
        }
        let is_left = |(_, source): &SelectedBlock| {
            let Ok(source) = source else { return true };
            let id = source.id();
            let chunk = ChunkId::of(&id);
            let journal = self.chunks.get(&chunk).and_then(|chunk| chunk.journal.as_ref());
            let is_done = finished.contains(&chunk) || !self.chunks.contains_key(&chunk);
            !is_done && !journal.is_some_and(|journal| journal.contains(&(id.number, id.hash)))
        };
        Ok((blocks.into_iter().filter(is_left).collect(), before))
    }

    /// Keeps the result of a block. From here on it is done.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&mut self, result: &BlockResult) -> eyre::Result<()> {
        let (number, hash) = (result.block_number, result.block_hash);
        let id = ChunkId::of(&BlockId { chain_id: result.chain_id, number, hash });
        ensure!(self.chunks.contains_key(&id), "block {number} is not selected");
        let line = self.journal(id)?.append(result)?;
        self.remote.as_mut().map_or(Ok(()), |remote| remote.add(id, &line))?;
        self.finish_if_complete(id)
    }

    /// Uploads what is not in the bucket yet.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> eyre::Result<()> {
        self.remote.as_mut().map_or(Ok(()), Remote::upload)
    }

    /// Number of chunks that have blocks without a result.
    pub fn unfinished(&self) -> usize {
        self.chunks.len()
    }

    /// Number of mismatches of a finished chunk; `None` if it is not finished.
    fn is_finished(&self, id: ChunkId, chunk: &Chunk) -> eyre::Result<Option<usize>> {
        let relative = self.chunk_file(0, id);
        self.remote.as_ref().map_or(Ok(()), |remote| remote.pull(&relative))?;
        let Ok(file) = File::open(self.root.join(&relative)) else { return Ok(None) };
        let path = || format!("{}/{}", self.name, relative.display());
        let metadata =
            TableFile::open(file).wrap_err_with(|| format!("{} cannot be read", path()))?.metadata;
        ensure!(
            metadata.get(BLOCKS_DIGEST_KEY) == Some(&chunk.digest.to_string()),
            "{} has {} blocks, and {} others are selected there; name another folder",
            path(),
            metadata.get(BLOCKS_KEY).map_or("unknown", String::as_str),
            chunk.count
        );
        Ok(Some(metadata.get(MISMATCHES_KEY).and_then(|text| text.parse().ok()).unwrap_or(0)))
    }

    /// The file of a chunk in a table.
    fn chunk_file(&self, table: usize, id: ChunkId) -> PathBuf {
        Path::new(self.set.tables()[table].name).join(id.path("parquet"))
    }

    fn journal_path(&self, id: ChunkId) -> PathBuf {
        self.root.join("journal").join(id.path("jsonl"))
    }

    /// The journal of an unfinished chunk.
    fn journal(&mut self, id: ChunkId) -> eyre::Result<&mut Journal> {
        self.open.retain(|open| *open != id);
        self.open.push_back(id);
        if self.open.len() > MOST_OPEN {
            let oldest = self.open.pop_front();
            let chunk = oldest.and_then(|oldest| self.chunks.get_mut(&oldest));
            chunk.and_then(|chunk| chunk.journal.as_mut()).into_iter().for_each(Journal::close);
        }
        let path = self.journal_path(id);
        let chunk = self.chunks.get_mut(&id).ok_or_else(|| eyre::eyre!("no such chunk"))?;
        if chunk.journal.is_none() {
            chunk.journal = Some(Journal::open(path)?);
        }
        chunk.journal.as_mut().ok_or_else(|| eyre::eyre!("no journal"))
    }

    /// Writes the tables of a chunk whose blocks are all done, and removes its journal.
    fn finish_if_complete(&mut self, id: ChunkId) -> eyre::Result<()> {
        let Some(chunk) = self.chunks.get_mut(&id) else { return Ok(()) };
        let Some(journal) = &mut chunk.journal else { return Ok(()) };
        if journal.len() < chunk.count {
            return Ok(());
        }
        let mut tables: Vec<_> = self.set.tables().iter().map(TableColumns::new).collect();
        journal.for_each(|result| {
            tables.iter_mut().try_for_each(|table| table.append(&result)).map_err(Into::into)
        })?;
        let mut metadata = self.metadata.clone();
        metadata.insert(BLOCKS_KEY.to_owned(), chunk.count.to_string());
        metadata.insert(BLOCKS_DIGEST_KEY.to_owned(), chunk.digest.to_string());
        metadata.insert(MISMATCHES_KEY.to_owned(), journal.mismatches().to_string());
        // The first table is written last, since its file means that the chunk is done.
        for (table, columns) in tables.iter().enumerate().rev() {
            let file = self.chunk_file(table, id);
            let path = self.root.join(&file);
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            write_whole(path, |file| Ok(columns.write(&metadata, file)?))?;
            self.remote.as_mut().map_or(Ok(()), |remote| remote.push(&file))?;
        }
        self.open.retain(|open| *open != id);
        let journal = self.chunks.remove(&id).and_then(|chunk| chunk.journal);
        journal.map_or(Ok(()), Journal::remove)?;
        self.remote.as_mut().map_or(Ok(()), |remote| remote.remove_journal(id))
    }
}

/// Makes settings and numbers those of a new output, and refuses an output that has others.
fn claim(
    root: &Path,
    name: &str,
    settings: &OutputSettings,
    asked: Option<&FolderBlocks>,
    mut remote: Option<&mut Remote>,
) -> eyre::Result<()> {
    let files = [SETTINGS_FILE, blocks::FILE].map(Path::new);
    if let Some(remote) = &remote {
        files.iter().try_for_each(|file| remote.pull(file))?;
    }
    settings.claim(root, name)?;
    let has_grown = asked.map_or(Ok(false), |asked| asked.claim(root, name))?;
    let Some(remote) = &mut remote else { return Ok(()) };
    remote.push_new(files[0])?;
    match (asked, has_grown) {
        (None, _) => Ok(()),
        (Some(_), true) => remote.push(files[1]),
        (Some(_), false) => remote.push_new(files[1]),
    }
}

/// The name of a machine in the tables.
///
/// # Errors
/// If the machine cannot be encoded.
pub fn machine_name(machine: &Machine) -> eyre::Result<String> {
    let digest = keccak256(serde_json::to_vec(machine)?);
    Ok(alloy_primitives::hex::encode(&digest[..8]))
}

/// Writes a file, or leaves it as it was.
fn write_whole(
    path: PathBuf,
    write: impl FnOnce(&mut File) -> eyre::Result<()>,
) -> eyre::Result<()> {
    let name = path.display().to_string();
    let written = || {
        let mut file = Replacement::beside(path)?;
        write(file.file())?;
        Ok::<_, eyre::Report>(file.commit()?)
    };
    written().wrap_err_with(|| format!("cannot write {name}"))
}

/// Keccak-256 of the numbers and hashes of blocks.
fn digest(blocks: &BTreeSet<journal::BlockKey>) -> B256 {
    let mut hasher = Keccak256::new();
    for (number, hash) in blocks {
        hasher.update(number.to_be_bytes());
        hasher.update(hash);
    }
    hasher.finalize()
}
