//! Call classes: sets of transactions that probably behave alike, as far as the block itself shows.
//!
//! They affect speed only. They decide which transaction a reader waits for (`running`) and which transaction
//! starts next (`scheduler`). Validation does not use them.

/// Bit set of call classes. A class is a function of a contract. Transactions of one class probably access the
/// same locations. Several classes may share a bit, which costs time only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallClasses(u64);

impl CallClasses {
    /// Returns the set of one class, given any number that is unique to the class.
    #[inline]
    pub const fn of(hash: u64) -> Self {
        Self(1 << (hash % 64))
    }

    /// Inverse of [`CallClasses::bits`].
    #[inline]
    pub const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the bits, one per class.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the union.
    #[inline]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Returns whether the set is empty. Plain payments have no class.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Returns whether the sets have a class in common.
    #[inline]
    pub const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}
