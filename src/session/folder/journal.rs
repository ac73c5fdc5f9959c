//! The finished blocks of an unfinished chunk: a file to which each block appends one line of JSON.
//!
//! A process that is killed in the middle of a line leaves a line without its end. The next one removes that line, so
//! the block is done again. The writer holds a lock on the file, so two processes never append to one journal.

use crate::report::tables::BlockResult;
use alloy_primitives::{B256, BlockNumber};
use eyre::{WrapErr as _, bail};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// Number and hash of a block.
pub(super) type BlockKey = (BlockNumber, B256);

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// `None` while the file is closed, to bound the number of open files.
    file: Option<File>,
    end: u64,
    lines: BTreeMap<BlockKey, Line>,
}

/// The place of a block's line.
#[derive(Clone, Copy, Debug)]
struct Line {
    start: u64,
    length: u64,
    is_mismatch: bool,
}

/// The fields of a line that a scan needs.
#[derive(Deserialize)]
struct LineKey {
    block_number: BlockNumber,
    block_hash: B256,
    mismatch: bool,
}

impl Journal {
    /// Opens the journal, and creates it if it is missing.
    ///
    /// # Errors
    /// If the file cannot be read or written, if another process writes to it, or if a line is damaged.
    pub(super) fn open(path: PathBuf) -> eyre::Result<Self> {
        let mut file = locked(&path)?;
        let (lines, end) = scan(&file, &path)?;
        file.set_len(end)
            .and_then(|()| file.seek(SeekFrom::End(0)).map(drop))
            .wrap_err_with(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file: Some(file), end, lines })
    }

    /// Appends a block, and returns its line.
    ///
    /// # Errors
    /// If the line cannot be written.
    pub(super) fn append(&mut self, result: &BlockResult) -> eyre::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(result)?;
        line.push(b'\n');
        let key = (result.block_number, result.block_hash);
        let place =
            Line { start: self.end, length: line.len() as u64, is_mismatch: result.mismatch };
        let path = self.path.clone();
        let written = self.file()?.write_all(&line);
        written.wrap_err_with(|| format!("cannot write {}", path.display()))?;
        self.end += place.length;
        self.lines.insert(key, place);
        Ok(line)
    }

    /// Number of blocks.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Number of blocks with a wrong outcome.
    pub(super) fn mismatches(&self) -> usize {
        self.lines.values().filter(|line| line.is_mismatch).count()
    }

    pub(super) fn contains(&self, key: &BlockKey) -> bool {
        self.lines.contains_key(key)
    }

    /// Closes the file until the next block.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Calls `take` for each block, by ascending number.
    ///
    /// # Errors
    /// If the file cannot be read, and the error of `take`.
    pub(super) fn for_each(
        &mut self,
        mut take: impl FnMut(BlockResult) -> eyre::Result<()>,
    ) -> eyre::Result<()> {
        let lines: Vec<_> = self.lines.values().copied().collect();
        let path = self.path.clone();
        let file = self.file()?;
        for Line { start, length, .. } in lines {
            let mut line = vec![0; usize::try_from(length)?];
            file.seek(SeekFrom::Start(start))
                .and_then(|_| file.read_exact(&mut line))
                .wrap_err_with(|| format!("cannot read {}", path.display()))?;
            take(serde_json::from_slice(&line)?)?;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    /// Removes the file.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn remove(self) -> eyre::Result<()> {
        fs::remove_file(&self.path)
            .wrap_err_with(|| format!("cannot remove {}", self.path.display()))
    }

    fn file(&mut self) -> eyre::Result<&mut File> {
        if self.file.is_none() {
            let mut file = locked(&self.path)?;
            file.seek(SeekFrom::End(0))?;
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| eyre::eyre!("{} is closed", self.path.display()))
    }
}

/// Opens the file and locks it.
fn locked(path: &Path) -> eyre::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .wrap_err_with(|| format!("cannot create {}", folder.display()))?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).open(path);
    let file = file.wrap_err_with(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            bail!("another process writes to {}; give each its own --shard", path.display())
        }
        // Some file systems have no locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Finds the blocks of a journal, and the end of its last whole line.
fn scan(file: &File, path: &Path) -> eyre::Result<(BTreeMap<BlockKey, Line>, u64)> {
    let (mut lines, mut end, mut line) = (BTreeMap::new(), 0, Vec::new());
    let mut reader = BufReader::new(file);
    loop {
        line.clear();
        let length = read_line(&mut reader, &mut line)
            .wrap_err_with(|| format!("cannot read {}", path.display()))?;
        if !line.ends_with(b"\n") {
            return Ok((lines, end));
        }
        let key: LineKey = serde_json::from_slice(&line).wrap_err_with(|| {
            let number = lines.len() + 1;
            format!(
                "{}:{number} is damaged; remove the file to do its blocks again",
                path.display()
            )
        })?;
        let place = Line { start: end, length, is_mismatch: key.mismatch };
        lines.insert((key.block_number, key.block_hash), place);
        end += length;
    }
}

fn read_line(reader: &mut BufReader<&File>, line: &mut Vec<u8>) -> io::Result<u64> {
    Ok(reader.read_until(b'\n', line)? as u64)
}

/// The blocks of a journal that no process needs to write to.
///
/// # Errors
/// If the file cannot be read, or if a line is damaged.
pub(super) fn read(path: &Path) -> eyre::Result<Vec<BlockResult>> {
    let text = fs::read(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let parsed = lines.map(serde_json::from_slice);
    parsed.collect::<Result<_, _>>().wrap_err_with(|| format!("{} is damaged", path.display()))
}
