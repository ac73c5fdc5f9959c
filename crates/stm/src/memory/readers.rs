//! Reader sets: the transactions that have read a location speculatively. A publication requires validation
//! only of them.
//!
//! Several transactions share a bit. A bit stays set until the block ends. Either inaccuracy costs an
//! unnecessary validation and nothing else.

use crate::{
    location::TxIndex,
    sync::{AtomicU64, Ordering},
};
use std::ops::Range;

/// Number of classes, and thus of bits. It is about the number of transactions that run in the same period. The
/// era takes the rest of the word.
const CLASSES: usize = (u64::BITS - u16::BITS) as usize;

/// Bits of all classes.
const ALL_CLASSES: u64 = (1 << CLASSES) - 1;

/// Reader set with one bit per class of transactions. A member may have read a value that has changed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderSet(u64);

impl ReaderSet {
    /// Transactions at this distance share a bit.
    pub const CLASSES: usize = CLASSES;

    /// The empty set.
    pub const EMPTY: Self = Self(0);
    /// The set of all transactions.
    pub const ALL: Self = Self(ALL_CLASSES);

    /// Set of one transaction.
    pub const fn by(tx: TxIndex) -> Self {
        Self(1 << (tx % CLASSES))
    }

    /// Returns the union.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Returns whether this transaction may be in the set.
    pub const fn is_by(self, tx: TxIndex) -> bool {
        self.0 & Self::by(tx).0 != 0
    }

    /// Returns the transactions of a range that may be in the set, in any order.
    pub fn among(self, txs: Range<TxIndex>) -> impl Iterator<Item = TxIndex> {
        let first_of_each = txs.start..txs.end.min(txs.start + CLASSES);
        let firsts = first_of_each.filter(move |tx| self.is_by(*tx));
        firsts.flat_map(move |first| (first..txs.end).step_by(CLASSES))
    }
}

/// Number of the block that a reader set belongs to. Consecutive blocks use the same memory. With eras, no
/// reader set has to be cleared between blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Era(u16);

impl Era {
    /// Returns the next era, or `None` after the last. New reader sets belong to the first era.
    pub(super) const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    const fn with(self, readers: ReaderSet) -> u64 {
        (self.0 as u64) << CLASSES | readers.0
    }

    /// Returns the registered readers, if they registered in this era.
    const fn readers(self, noted: u64) -> Option<ReaderSet> {
        let same = noted >> CLASSES == self.0 as u64;
        if same { Some(ReaderSet(noted & ALL_CLASSES)) } else { None }
    }
}

/// Reader set of one location, or of two that are mostly read together, with its era.
///
/// A reader registers before it checks whether the location is written. A writer writes before it loads the
/// reader set. All four accesses are sequentially consistent, including those to the marks of
/// [`Table`](super::table::Table). Therefore at least one of the two sees the other.
///
/// If the location was written before, its lock orders reader and writer. Or the reader missed the first
/// writer's mark. Then it comes before all workers that took the lock after that writer.
#[derive(Debug, Default)]
pub(super) struct Readers(AtomicU64);

impl Readers {
    /// Registers a transaction that is about to read.
    pub(super) fn note(&self, era: Era, tx: TxIndex) {
        let (by, noted) = (ReaderSet::by(tx), self.0.load(Ordering::SeqCst));
        match era.readers(noted) {
            // The store is skipped if the bit is set, since it would take the cache line from other cores.
            Some(readers) if readers.is_by(tx) => return,
            None if self.replace(noted, era.with(by)) => return,
            // The word belongs to this era. If the exchange failed, another worker has just replaced an older
            // era.
            Some(_) | None => {}
        }
        self.0.fetch_or(by.0, Ordering::SeqCst);
    }

    fn replace(&self, noted: u64, by: u64) -> bool {
        self.0.compare_exchange(noted, by, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Loads the word into the cache. The value is not used, so the load is relaxed.
    pub(super) fn touch(&self) {
        std::hint::black_box(self.0.load(Ordering::Relaxed));
    }

    /// Returns the readers so far. After a write, it includes all transactions that read before that write.
    pub(super) fn so_far(&self, era: Era) -> ReaderSet {
        era.readers(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_of_a_class_share_a_bit() {
        let readers = ReaderSet::by(3).and(ReaderSet::by(54));
        let mut among: Vec<_> = readers.among(3..110).collect();
        among.sort_unstable();
        assert_eq!(among, [3, 6, 51, 54, 99, 102]);
        assert_eq!(readers.among(4..6).count(), 0);
        assert_eq!(readers.among(7..7).count(), 0);
        assert_eq!(ReaderSet::ALL.among(5..205).count(), 200);
        assert_eq!(ReaderSet::EMPTY.among(0..200).count(), 0);
    }

    #[test]
    fn readers_of_an_earlier_era_are_forgotten() {
        let (readers, mut era) = (Readers::default(), Era::default());
        while let Some(next) = era.next() {
            era = next;
            assert_eq!(readers.so_far(era), ReaderSet::EMPTY);
            readers.note(era, CLASSES - 1);
            readers.note(era, CLASSES);
            assert_eq!(readers.so_far(era), ReaderSet::by(CLASSES - 1).and(ReaderSet::by(0)));
        }
        assert_eq!(era, Era(u16::MAX));
    }
}
