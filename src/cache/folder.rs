//! A cache in a folder of the file system.
//!
//! No lock is needed, because files appear only by renaming (see `atomic`), and lines are added in one write.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use super::{
    CacheError, atomic,
    storage::{Content, Notes, Stamp, Storage},
};
use crate::input;

/// The folder of a cache, whether or not it exists.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) root: Arc<Path>,
}

impl Storage for Folder {
    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn names(
        &self,
        folders: &[PathBuf],
        take: &mut dyn FnMut(usize, &str),
    ) -> Result<(), CacheError> {
        for (position, folder) in folders.iter().enumerate() {
            for_each_name(folder, |name| take(position, name))?;
        }
        Ok(())
    }

    fn folders(&self, folder: &Path) -> Result<Vec<String>, CacheError> {
        let mut names = names(folder)?;
        names.retain(|name| folder.join(name).is_dir());
        Ok(names)
    }

    fn size(&self, file: &Path) -> io::Result<u64> {
        Ok(fs::metadata(file)?.len())
    }

    fn stamps(&self, files: &[PathBuf]) -> Vec<Option<Stamp>> {
        files.iter().map(|file| stamp(&fs::metadata(file).ok()?)).collect()
    }

    fn read(&self, file: &Path, limit: u64) -> io::Result<Content> {
        match self.size(file)? {
            size if size > limit => Ok(Content::TooLarge(size)),
            _ => input::read(file, limit).map(Content::Whole),
        }
    }

    fn write(&self, work: &Path, file: &Path, bytes: Vec<u8>) -> io::Result<()> {
        atomic::write(work, file, &bytes)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn notes(
        &self,
        folders: &[PathBuf],
        notes: Notes,
        take: &mut dyn FnMut(&str),
    ) -> Result<(), CacheError> {
        for folder in folders {
            let path = path_of(folder, notes);
            match input::read(&path, notes.limit()) {
                Ok(bytes) => take(&String::from_utf8_lossy(&bytes)),
                Err(missing) if missing.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(CacheError::Read { path, source }),
            }
        }
        Ok(())
    }

    fn note(&self, folder: &Path, notes: Notes, lines: String) -> Result<(), CacheError> {
        let path = path_of(folder, notes);
        fs::create_dir_all(folder)
            .and_then(|()| append(&path, lines))
            .map_err(|source| CacheError::Write { path, source })
    }
}

/// The file of the notes in a folder.
pub(super) fn path_of(folder: &Path, notes: Notes) -> PathBuf {
    folder.join(notes.name()).with_extension("txt")
}

/// The names in a folder, in no order. Names that are not UTF-8 are skipped.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, CacheError> {
    let mut names = Vec::new();
    for_each_name(folder, |name| names.push(name.to_owned()))?;
    Ok(names)
}

/// Calls `take` with each name, without a list of all of them.
fn for_each_name(folder: &Path, mut take: impl FnMut(&str)) -> Result<(), CacheError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(CacheError::list(folder)(source)),
    };
    for entry in entries {
        let name = entry.map_err(CacheError::list(folder))?.file_name();
        name.to_str().into_iter().for_each(&mut take);
    }
    Ok(())
}

fn stamp(metadata: &Metadata) -> Option<Stamp> {
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    metadata.is_file().then_some((metadata.len(), Some(modified.as_nanos())))
}

/// Appends whole lines in one write, so that the lines of several processes do not mix. A killed writer may have left
/// a line without its end.
fn append(path: &Path, mut lines: String) -> io::Result<()> {
    // A FIFO or device of this name is refused here, since opening it might wait.
    match input::open(path) {
        Ok(file) => {
            if !ends_a_line(file)? {
                lines.insert(0, '\n');
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().append(true).create(true).open(path)?.write_all(lines.as_bytes())
}

fn ends_a_line(mut file: File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
