//! What kinds of transactions there are: those that do the same, as far as the block itself tells.
//!
//! A matter of speed alone. Whom a reader waits for (`running`) and which transaction is started next
//! (`scheduler`) follow from it; what is read counts as everything that is.

/// Kinds of transactions, such as those that call the same function of the same contract: what one of a kind
/// has done, the next will probably do. Several may share a bit, which costs time only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallClasses(u64);

impl CallClasses {
    /// One kind, by any number that it alone has.
    pub const fn of(hash: u64) -> Self {
        Self(1 << (hash % 64))
    }

    /// As [`CallClasses::bits`] gave them.
    pub const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// One bit for each.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Those of either.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether nothing is known to do the same, such as of plain payments.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether some kind is in both.
    pub const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}
