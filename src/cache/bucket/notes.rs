//! Collects the lines about blocks, and writes them as objects that are named by their content.
//!
//! An object cannot grow, so lines wait in memory until there are some hundred for a chunk, or until the end of the
//! run. A killed process loses lines and no block: a block without a line is only checked again. One task has all
//! lines, so no lock is needed.

use std::{
    collections::BTreeMap,
    io,
    sync::mpsc::{self, SyncSender},
};

use object_store::path::Path as Key;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{super::storage::Notes, objects::Objects, sha256, threads::Threads};

/// Number of lines of a chunk that are written together.
const TOGETHER: usize = 250;

/// Number of lines in memory at which all of them are written.
const MOST: usize = 5_000;

/// Length of a digest in a name, in hex digits.
const DIGEST: usize = 32;

/// An object that could not be written, and its error.
pub(super) type Failed = (Key, io::Error);

/// The place for lines.
#[derive(Debug)]
pub(super) struct NoteBook(UnboundedSender<Entry>);

#[derive(Debug)]
enum Entry {
    /// Lines for the notes in a folder.
    Lines(Key, Notes, String),
    /// Asks to write all lines.
    Flush(SyncSender<Result<(), Failed>>),
}

impl NoteBook {
    pub(super) fn new(objects: Objects, threads: &Threads) -> Self {
        let (sender, entries) = unbounded_channel();
        threads.start_work(keep(objects, entries));
        Self(sender)
    }

    /// Adds whole lines to the notes in a folder.
    pub(super) fn add(&self, folder: Key, notes: Notes, lines: String) {
        // The task ends only with the bucket.
        let _ = self.0.send(Entry::Lines(folder, notes, lines));
    }

    /// Writes all lines. Lines about checked files only save time, so it is no error if they cannot be written.
    pub(super) fn flush(&self) -> Result<(), Failed> {
        let (done, result) = mpsc::sync_channel(1);
        let _ = self.0.send(Entry::Flush(done));
        result.recv().unwrap_or(Ok(()))
    }
}

/// The task that has all lines.
async fn keep(objects: Objects, mut entries: UnboundedReceiver<Entry>) {
    let mut pending = Pending::default();
    while let Some(entry) = entries.recv().await {
        match entry {
            Entry::Lines(folder, notes, lines) => {
                if let Some(full) = pending.add((folder, notes), &lines) {
                    // After a failure, the lines stay until there are more, or until the end.
                    let _ = pending.write(&objects, &full).await;
                } else if pending.count >= MOST {
                    let _ = pending.write_all(&objects).await;
                }
            }
            Entry::Flush(done) => {
                let _ = done.send(pending.write_all(&objects).await);
            }
        }
    }
}

/// A folder and the kind of its notes.
type Place = (Key, Notes);

/// The lines that are not written yet.
#[derive(Default)]
struct Pending {
    lines: BTreeMap<Place, Vec<String>>,
    /// Number of all lines.
    count: usize,
}

impl Pending {
    /// Adds lines. Returns the place if its lines should be written.
    fn add(&mut self, place: Place, lines: &str) -> Option<Place> {
        let own = self.lines.entry(place.clone()).or_default();
        let before = own.len();
        own.extend(lines.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        self.count += own.len() - before;
        (own.len() / TOGETHER > before / TOGETHER).then_some(place)
    }

    async fn write(&mut self, objects: &Objects, place: &Place) -> Result<(), Failed> {
        let Some(mut lines) = self.lines.get(place).cloned() else { return Ok(()) };
        let count = lines.len();
        lines.push(String::new());
        let text = lines.join("\n");
        let key = key(place, &text);
        objects.put(&key, text.into()).await.map_err(|error| (key, error))?;
        self.lines.remove(place);
        self.count -= count;
        Ok(())
    }

    /// Writes all lines, up to the first error about confirmed headers.
    async fn write_all(&mut self, objects: &Objects) -> Result<(), Failed> {
        let (confirmed, checked): (Vec<_>, Vec<_>) =
            self.lines.keys().cloned().partition(|(_, notes)| *notes == Notes::Confirmed);
        for place in confirmed {
            self.write(objects, &place).await?;
        }
        for place in checked {
            if self.write(objects, &place).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// The key of an object with this text.
fn key((folder, notes): &Place, text: &str) -> Key {
    let digest = &sha256(text.as_bytes())[..DIGEST];
    folder.clone().join(format!("{}-{digest}.txt", notes.name()))
}

/// Whether an object of this name has such notes. A bucket may be the copy of a folder, whose file has no digest.
pub(super) fn is_of(notes: Notes, name: &str) -> bool {
    let middle = name.strip_prefix(notes.name()).and_then(|rest| rest.strip_suffix(".txt"));
    middle.is_some_and(|middle| middle.is_empty() || middle.starts_with('-'))
}
