//! What is behind one lock each, by number, with who has read it, and whether anything was ever written there.

use super::{
    TxIndex,
    readers::{Era, ReaderSet, Readers},
};
use crate::executor::sync::{AtomicBool, Mutex, Ordering};

/// What can be emptied without giving its room back.
pub(super) trait Forget: Default {
    /// Is as good as new then.
    fn forget(&mut self);
}

/// On a line of the cache of its own, or several: who is noted here mostly writes here, too, and fetches it once.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Entry<T> {
    readers: Readers,
    /// Where nothing is marked as written, that is what an earlier block has left there.
    content: Mutex<T>,
}

/// So many entries. To most nothing is ever written, and reading that takes no lock.
#[derive(Debug, Default)]
pub(super) struct Table<T> {
    /// Set before the first write, under the lock. A reader that misses it saw what was there before the write; it was
    /// noted before ([`Readers`]), so that the publication makes it suspect. They stand together, for whoever reads in
    /// its turn looks at nothing else, and few lines of the cache hold them all.
    written: Vec<AtomicBool>,
    /// There may be more of them than marks.
    entries: Vec<Entry<T>>,
    /// Since it started over.
    era: Era,
}

impl<T: Forget> Table<T> {
    #[cfg(test)]
    pub(super) const ENTRY_BYTES: usize = size_of::<Entry<T>>();

    /// So many, none of them written, nor read.
    pub(super) fn start_over(&mut self, count: usize) {
        self.written.clear();
        self.written.resize_with(count, AtomicBool::default);
        if let Some(next) = self.era.next() {
            self.era = next;
        } else {
            // New entries are of the first era.
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

    pub(super) fn fetch(&self, at: usize) {
        self.entries[at].readers.touch();
    }

    pub(super) fn note_reader(&self, at: usize, tx: TxIndex) {
        self.entries[at].readers.note(self.era, tx);
    }

    pub(super) fn readers(&self, at: usize) -> ReaderSet {
        self.entries[at].readers.so_far(self.era)
    }

    /// What `read` makes of an entry; the default if nothing was ever written there.
    pub(super) fn read<R: Default>(&self, at: usize, read: impl FnOnce(&T) -> R) -> R {
        if self.is_written(at) { read(&self.entries[at].content.lock()) } else { R::default() }
    }

    pub(super) fn is_written(&self, at: usize) -> bool {
        self.written[at].load(Ordering::SeqCst)
    }

    pub(super) fn write(&self, at: usize, write: impl FnOnce(&mut T)) {
        let mut content = self.entries[at].content.lock();
        // Others keep their copies of the line where there is no need to take it from them.
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
    fn a_table_that_has_used_up_its_eras_forgets_as_well() {
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
            // What nobody touches until its era comes again.
            if block == 0 {
                table.note_reader(1, block);
            }
        }
    }
}
