//! Who has read what ahead of its turn, so that a publication makes only those suspect.
//!
//! Several transactions share a bit, and one that has read once counts as a reader for good: an error costs a
//! comparison too many.

use super::{Location, TxIndex, versions::fresh};
use crate::executor::sync::{AtomicU64, Ordering};
use std::ops::Range;

/// Transactions with different bits; as many as are executed at about the same time.
const CLASSES: usize = u64::BITS as usize;

/// Who may have read something else than it would now: a bit for each class of transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noticed(u64);

impl Noticed {
    /// Nobody has.
    pub const BY_NOBODY: Self = Self(0);
    /// Everybody may have.
    pub const BY_ALL: Self = Self(u64::MAX);

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

/// The readers of each location.
///
/// A reader is noted before it looks whether something is written, and a writer looks who has read after it has
/// written. All four accesses, those to [`Table`](super::versions::Table)'s marks included, are sequentially
/// consistent, so that of the two at least one sees the other. Where a location was written before, its lock orders the
/// two, or the reader missed the first writer's mark, and so stands before all who took the lock after that one.
#[derive(Debug, Default)]
pub(super) struct Readers {
    /// By account: of its balance or its nonce, which are mostly read together.
    accounts: Vec<AtomicU64>,
    slots: Vec<AtomicU64>,
}

impl Readers {
    /// Of so many, and nobody has read anything.
    pub(super) fn start_over(&mut self, accounts: usize, slots: usize) {
        fresh(&mut self.accounts, accounts);
        fresh(&mut self.slots, slots);
    }

    /// Where they are noted; `None` for what is rarely written, and counts as read by all.
    fn of(&self, location: Location) -> Option<&AtomicU64> {
        match location {
            Location::Balance(account) | Location::Nonce(account) => {
                self.accounts.get(account as usize)
            }
            Location::Slot(_, slot) => self.slots.get(slot as usize),
            Location::Code(_) | Location::Storage(_) | Location::OtherSlot(..) => None,
        }
    }

    /// Notes that this transaction is about to read.
    pub(super) fn note(&self, location: Location, tx: TxIndex) {
        let Some(readers) = self.of(location) else { return };
        // Others keep their copies of the line where there is no need to take it from them.
        if !Noticed(readers.load(Ordering::SeqCst)).is_by(tx) {
            readers.fetch_or(Noticed::by(tx).0, Ordering::SeqCst);
        }
    }

    /// Who may have read. If somebody has just written, all who read before that are among them.
    pub(super) fn so_far(&self, location: Location) -> Noticed {
        let readers = self.of(location);
        readers.map_or(Noticed::BY_ALL, |readers| Noticed(readers.load(Ordering::SeqCst)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_of_a_class_are_told_together() {
        let noticed = Noticed::by(3).and(Noticed::by(70));
        let mut among: Vec<_> = noticed.among(3..140).collect();
        among.sort_unstable();
        assert_eq!(among, [3, 6, 67, 70, 131, 134]);
        assert_eq!(noticed.among(4..6).count(), 0);
        assert_eq!(noticed.among(7..7).count(), 0);
        assert_eq!(Noticed::BY_ALL.among(5..205).count(), 200);
        assert_eq!(Noticed::BY_NOBODY.among(0..200).count(), 0);
    }
}
