//! Who has read what ahead of its turn, so that a publication makes only those suspect.
//!
//! Several transactions share a bit, and one that has read once counts as a reader for good: an error costs a
//! comparison too many.

use super::TxIndex;
use crate::executor::sync::{AtomicU64, Ordering};
use std::ops::Range;

/// Transactions with different bits; as many as are executed at about the same time. The rest of a word is the era's.
const CLASSES: usize = (u64::BITS - u16::BITS) as usize;

/// The bits of all classes.
const EVERYBODY: u64 = (1 << CLASSES) - 1;

/// Who may have read something else than it would now: a bit for each class of transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderSet(u64);

impl ReaderSet {
    /// How far apart two transactions are that are told together.
    pub const CLASSES: usize = CLASSES;

    /// Nobody has.
    pub const EMPTY: Self = Self(0);
    /// Everybody may have.
    pub const ALL: Self = Self(EVERYBODY);

    /// This transaction has.
    pub const fn by(tx: TxIndex) -> Self {
        Self(1 << (tx % CLASSES))
    }

    /// Those of either.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether this transaction may have.
    pub const fn is_by(self, tx: TxIndex) -> bool {
        self.0 & Self::by(tx).0 != 0
    }

    /// Those of these transactions that may have, in any order.
    pub fn among(self, txs: Range<TxIndex>) -> impl Iterator<Item = TxIndex> {
        let first_of_each = txs.start..txs.end.min(txs.start + CLASSES);
        let firsts = first_of_each.filter(move |tx| self.is_by(*tx));
        firsts.flat_map(move |first| (first..txs.end).step_by(CLASSES))
    }
}

/// Tells the blocks apart that note their readers at the same places, one block after the other, so that no place has
/// to be wiped for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Era(u16);

impl Era {
    /// The one after; `None` after the last. The first is that of places where nobody was ever noted.
    pub(super) const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    const fn with(self, readers: ReaderSet) -> u64 {
        (self.0 as u64) << CLASSES | readers.0
    }

    /// Who is noted, if that was in this era.
    const fn readers(self, noted: u64) -> Option<ReaderSet> {
        let same = noted >> CLASSES == self.0 as u64;
        if same { Some(ReaderSet(noted & EVERYBODY)) } else { None }
    }
}

/// The readers of one location, or of some that are mostly read together, with the era that they are of.
///
/// A reader is noted before it looks whether something is written, and a writer looks who has read after it has
/// written. All four accesses, those to [`Table`](super::table::Table)'s marks included, are sequentially
/// consistent, so that of the two at least one sees the other. Where a location was written before, its lock orders the
/// two, or the reader missed the first writer's mark, and so stands before all who took the lock after that one.
#[derive(Debug, Default)]
pub(super) struct Readers(AtomicU64);

impl Readers {
    /// Notes that this transaction is about to read.
    pub(super) fn note(&self, era: Era, tx: TxIndex) {
        let (by, noted) = (ReaderSet::by(tx), self.0.load(Ordering::SeqCst));
        match era.readers(noted) {
            // Others keep their copies of the line where there is no need to take it from them.
            Some(readers) if readers.is_by(tx) => return,
            None if self.replace(noted, era.with(by)) => return,
            // It is of this era, and so is what somebody else has just noted in place of an older one.
            Some(_) | None => {}
        }
        self.0.fetch_or(by.0, Ordering::SeqCst);
    }

    fn replace(&self, noted: u64, by: u64) -> bool {
        self.0.compare_exchange(noted, by, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Brings it into the cache. What it says is not used, so that nothing orders this.
    pub(super) fn touch(&self) {
        std::hint::black_box(self.0.load(Ordering::Relaxed));
    }

    /// Who may have read. If somebody has just written, all who read before that are among them.
    pub(super) fn so_far(&self, era: Era) -> ReaderSet {
        era.readers(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_of_a_class_are_told_together() {
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
    fn who_has_read_in_another_era_does_not_count() {
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
