//! Array of entries by index. Each entry has a lock, a reader set and a mark that tells whether it was ever
//! written.

use super::readers::{Era, ReaderSet, Readers};
use crate::{
    location::TxIndex,
    sync::{AtomicBool, Mutex, Ordering},
};

/// Content that can be emptied without giving up its allocations.
pub(super) trait Forget: Default {
    /// Empties the content. It is then equal to a new one.
    fn forget(&mut self);
}

/// Each entry starts on its own cache line. A registered reader often writes to the same entry later, and then
/// already has the line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Entry<T> {
    readers: Readers,
    /// Content of an earlier block, as long as the entry is not marked as written.
    content: Mutex<T>,
}

/// Entries of one table. Most are never written, and reading such an entry takes no lock.
#[derive(Debug, Default)]
pub(super) struct Table<T> {
    /// Set before the first write, under the lock. A reader that misses the mark has read the value before that
    /// write. It registered before ([`Readers`]), so the publication requires its validation. The marks are
    /// stored side by side. Reads at the commit index need nothing else, and few cache lines hold all marks.
    written: Vec<AtomicBool>,
    /// Can be longer than `written`.
    entries: Vec<Entry<T>>,
    /// Era of the block that uses the table now.
    era: Era,
}

impl<T: Forget> Table<T> {
    #[cfg(test)]
    pub(super) const ENTRY_BYTES: usize = size_of::<Entry<T>>();

    /// Empties the table and sets its length. No entry is written or read.
    pub(super) fn start_over(&mut self, count: usize) {
        self.written.clear();
        self.written.resize_with(count, AtomicBool::default);
        if let Some(next) = self.era.next() {
            self.era = next;
        } else {
            // New entries belong to the first era.
            self.entries.clear();
            self.era = Era::default();
        }
        if self.entries.len() < count {
            self.entries.resize_with(count, Entry::default);
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.written.len()
    }

    #[inline]
    pub(super) fn fetch(&self, at: usize) {
        self.entries[at].readers.touch();
    }

    #[inline]
    pub(super) fn note_reader(&self, at: usize, tx: TxIndex) {
        self.entries[at].readers.note(self.era, tx);
    }

    #[inline]
    pub(super) fn readers(&self, at: usize) -> ReaderSet {
        self.entries[at].readers.so_far(self.era)
    }

    /// Applies `read` to an entry. Returns the default if the entry was never written.
    #[inline]
    pub(super) fn read<R: Default>(&self, at: usize, read: impl FnOnce(&T) -> R) -> R {
        if self.is_written(at) { read(&self.entries[at].content.lock()) } else { R::default() }
    }

    #[inline]
    pub(super) fn is_written(&self, at: usize) -> bool {
        self.written[at].load(Ordering::SeqCst)
    }

    #[inline]
    pub(super) fn write(&self, at: usize, write: impl FnOnce(&mut T)) {
        let mut content = self.entries[at].content.lock();
        // The store is skipped if the mark is set, since it would take the cache line from other cores.
        if !self.written[at].load(Ordering::Relaxed) {
            content.forget();
            self.written[at].store(true, Ordering::SeqCst);
        }
        write(&mut content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Forget for Vec<u8> {
        fn forget(&mut self) {
            self.clear();
        }
    }

    #[test]
    fn a_table_is_empty_after_all_eras_are_used_up() {
        let mut table = Table::<Vec<u8>>::default();
        for block in 0..=usize::from(u16::MAX) + 1 {
            table.start_over(2);
            assert_eq!(table.read(0, Vec::len), 0, "{block}");
            for place in [0, 1] {
                assert_eq!(table.readers(place), ReaderSet::EMPTY, "{place} in {block}");
            }
            table.note_reader(0, block);
            table.write(0, |entry| entry.push(1));
            assert_eq!(table.read(0, Vec::len), 1, "{block}");
            // Entry 1 is read in the first block only. Its era recurs at the end.
            if block == 0 {
                table.note_reader(1, block);
            }
        }
    }
}
