//! An output in a bucket. A process works on a local copy of what it needs, and uploads what it writes.
//!
//! The keys are the paths of a folder, but for journals: an object cannot grow, so a journal is a prefix with an object
//! for each upload,
//!
//! ```text
//! <output>/journal/<chain id>/<first>-<last>/<digest of the lines>.jsonl
//! ```
//!
//! Finished blocks are uploaded after [`PERIOD`] at the latest, if another block is finished then, and at the end. A
//! process that is killed loses those that were finished since the last upload. Two processes with the same chunk do
//! its blocks twice and disturb each other in nothing else, since no object has content that depends on its writer.

use super::{ChunkId, SETTINGS_FILE, write_whole};
use crate::{
    cache::{BucketFiles, BucketUrl, Location},
    measure::Stopwatch,
};
use alloy_primitives::{hex, keccak256};
use eyre::{OptionExt as _, WrapErr as _, bail, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// Time between two uploads of finished blocks.
const PERIOD: Duration = Duration::from_secs(1);

/// The folder of the journals.
const JOURNALS: &str = "journal";

/// The bucket of an output, and the local copy.
#[derive(Debug)]
pub(super) struct Remote {
    url: BucketUrl,
    files: BucketFiles,
    copy: TempDir,
    /// The files in the bucket, as far as this process knows.
    there: BTreeSet<PathBuf>,
    /// Lines of journals that are not in the bucket yet.
    lines: BTreeMap<ChunkId, Vec<u8>>,
    since_upload: Stopwatch,
}

impl Remote {
    /// Lists the output.
    ///
    /// # Errors
    /// If the bucket cannot be listed, or has other files there.
    pub(super) fn open(url: BucketUrl) -> eyre::Result<Self> {
        let files = BucketFiles::connect(&url)?;
        let there: BTreeSet<_> = files.list()?.into_iter().collect();
        if let (Some(foreign), false) = (there.first(), there.contains(Path::new(SETTINGS_FILE))) {
            bail!(
                "{url} has the file {} and no {SETTINGS_FILE}, so it is no output; name a new prefix",
                foreign.display()
            );
        }
        let copy = tempfile::Builder::new().prefix("blockrace-output-").tempdir();
        let copy = copy.wrap_err("cannot create a temporary folder for the local copy")?;
        let (lines, since_upload) = (BTreeMap::new(), Stopwatch::start());
        Ok(Self { url, files, copy, there, lines, since_upload })
    }

    /// The local copy.
    pub(super) fn root(&self) -> &Path {
        self.copy.path()
    }

    /// Copies a file from the bucket, if it is there.
    ///
    /// # Errors
    /// If it cannot be read, or if the copy cannot be written.
    pub(super) fn pull(&self, file: &Path) -> eyre::Result<()> {
        if !self.there.contains(file) {
            return Ok(());
        }
        let (bytes, path) = (self.files.read(file)?, self.copy.path().join(file));
        fs::create_dir_all(path.parent().unwrap_or(self.root()))?;
        write_whole(path, |file| Ok(file.write_all(&bytes)?))
    }

    /// Copies the journal of a chunk from the bucket, if it is there.
    ///
    /// # Errors
    /// If it cannot be read, or if the copy cannot be written.
    pub(super) fn pull_journal(&self, chunk: ChunkId) -> eyre::Result<()> {
        self.journal(chunk).iter().try_for_each(|part| self.pull_part(part))
    }

    /// Appends an object of a journal to the copy of the journal.
    fn pull_part(&self, part: &Path) -> eyre::Result<()> {
        let bytes = self.files.read(part)?;
        let chunk = part.parent().ok_or_eyre("a journal has a folder")?;
        let path = self.copy.path().join(chunk).with_extension("jsonl");
        fs::create_dir_all(path.parent().unwrap_or(self.root()))?;
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(&bytes));
        written.wrap_err_with(|| format!("cannot write {}", path.display()))
    }

    /// Copies the whole output.
    fn pull_all(&self) -> eyre::Result<()> {
        self.there.iter().try_for_each(|file| match file.starts_with(JOURNALS) {
            true => self.pull_part(file),
            false => self.pull(file),
        })
    }

    /// Uploads a file of the copy.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub(super) fn push(&mut self, file: &Path) -> eyre::Result<()> {
        self.files.write(file, fs::read(self.copy.path().join(file))?)?;
        self.there.insert(file.to_owned());
        Ok(())
    }

    /// Uploads a file of the copy, unless the bucket has it.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub(super) fn push_new(&mut self, file: &Path) -> eyre::Result<()> {
        if self.there.contains(file) { Ok(()) } else { self.push(file) }
    }

    /// Adds a line to the journal of a chunk, and uploads all new lines if it is time.
    ///
    /// # Errors
    /// If the lines cannot be written.
    pub(super) fn add(&mut self, chunk: ChunkId, line: &[u8]) -> eyre::Result<()> {
        self.lines.entry(chunk).or_default().extend_from_slice(line);
        if self.since_upload.elapsed() < PERIOD { Ok(()) } else { self.upload() }
    }

    /// Uploads the lines that are not in the bucket yet.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(super) fn upload(&mut self) -> eyre::Result<()> {
        while let Some((chunk, lines)) = self.lines.pop_first() {
            let digest = hex::encode(&keccak256(&lines)[..8]);
            let part = journal_folder(chunk).join(format!("{digest}.jsonl"));
            self.files.write(&part, lines)?;
            self.there.insert(part);
        }
        self.since_upload.lap();
        Ok(())
    }

    /// Removes the journal of a finished chunk.
    ///
    /// # Errors
    /// If an object cannot be removed.
    pub(super) fn remove_journal(&mut self, chunk: ChunkId) -> eyre::Result<()> {
        self.lines.remove(&chunk);
        for part in self.journal(chunk) {
            self.files.remove(&part)?;
            self.there.remove(&part);
        }
        Ok(())
    }

    /// The objects of a journal.
    fn journal(&self, chunk: ChunkId) -> Vec<PathBuf> {
        let folder = journal_folder(chunk);
        let below = self.there.range(folder.clone()..);
        below.take_while(|file| file.starts_with(&folder)).cloned().collect()
    }
}

/// The prefix of a journal.
fn journal_folder(chunk: ChunkId) -> PathBuf {
    Path::new(JOURNALS).join(chunk.path("jsonl")).with_extension("")
}

/// Calls `read` with the folder of an output, or with a local copy of an output in a bucket.
///
/// # Errors
/// If the bucket cannot be read, and the error of `read`.
pub(in crate::session) fn in_folder<T>(
    output: &Path,
    read: impl FnOnce(&Path) -> eyre::Result<T>,
) -> eyre::Result<T> {
    let url = match Location::parse(output)? {
        Location::Folder(folder) => return read(&folder),
        Location::Bucket(url) => url,
    };
    let remote = Remote::open(url)?;
    ensure!(!remote.there.is_empty(), "{} is no output of --output", remote.url);
    remote.pull_all()?;
    read(remote.root()).wrap_err_with(|| format!("the output {} cannot be read", remote.url))
}
