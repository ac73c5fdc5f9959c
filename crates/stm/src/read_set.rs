//! Read set of an incarnation, and its validation.
//!
//! Most locations that a transaction reads are not written by the block. Such an entry needs no value. These
//! locations are stored apart and take a few bytes each, since the validating worker has to fetch them from
//! another core's cache.

use crate::{
    location::{AccountNumber, Location, TxIndex},
    memory::{Blocked, Memory, Observed},
    observe::Conflict,
    scheduler::Validation,
};
use alloy_primitives::U256;

/// Expectation about a location. It must hold at the transaction's turn, otherwise its incarnation is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The block's writes are the same as at the read.
    Exact(Observed),
    /// The value is equal to `value`. The incarnation assumed it without a read.
    Known {
        /// Value before the block.
        before: U256,
        /// Assumed value.
        value: U256,
    },
    /// The value is at least `minimum`. Nothing else about it matters.
    AtLeast {
        /// Value before the block.
        before: U256,
        /// Smallest sufficient value.
        minimum: U256,
    },
}

impl Expected {
    #[inline]
    pub(super) fn check(&self, now: Result<Observed, Blocked>) -> Validation {
        let (holds, otherwise) = match (self, now) {
            (Self::Exact(seen), now) => (now == Ok(*seen), Validation::Invalid),
            (Self::Known { before, value }, Ok(now)) => {
                (now.over(*before) == *value, Validation::Unresolved)
            }
            (Self::AtLeast { before, minimum }, Ok(now)) => {
                (now.over(*before) >= *minimum, Validation::Invalid)
            }
            // An estimate does not tell whether the final value will satisfy the expectation. It must not count
            // as valid: if its writer publishes the same value again, no further validation follows. At the
            // commit index there are no estimates.
            (Self::Known { .. } | Self::AtLeast { .. }, Err(_)) => (false, Validation::Unresolved),
        };
        if holds { Validation::Valid } else { otherwise }
    }
}

/// Compact form of a location that has an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbered {
    Balance(AccountNumber),
    Nonce(AccountNumber),
    Code(AccountNumber),
    Slot(AccountNumber, u32),
}

impl Numbered {
    const fn new(location: Location) -> Option<Self> {
        match location {
            Location::Balance(at) => Some(Self::Balance(at)),
            Location::Nonce(at) => Some(Self::Nonce(at)),
            Location::Code(at) => Some(Self::Code(at)),
            Location::Slot(account, slot) => Some(Self::Slot(account, slot)),
            Location::Storage(_) | Location::OtherSlot(..) => None,
        }
    }

    const fn location(self) -> Location {
        match self {
            Self::Balance(at) => Location::Balance(at),
            Self::Nonce(at) => Location::Nonce(at),
            Self::Code(at) => Location::Code(at),
            Self::Slot(account, slot) => Location::Slot(account, slot),
        }
    }
}

/// No lower transaction has written to the location.
pub(super) const UNWRITTEN: Expected = Expected::Exact(Observed { set: None, added: None });

/// Read set of an incarnation.
#[derive(Clone, Debug, Default)]
pub struct ReadSet {
    unwritten: Vec<Numbered>,
    others: Vec<(Location, Expected)>,
}

impl ReadSet {
    /// Adds an entry.
    #[inline]
    pub fn push(&mut self, location: Location, expected: Expected) {
        match Numbered::new(location) {
            Some(numbered) if expected == UNWRITTEN => self.unwritten.push(numbered),
            _ => self.others.push((location, expected)),
        }
    }

    /// Returns the number of entries.
    #[inline]
    pub const fn len(&self) -> usize {
        self.unwritten.len() + self.others.len()
    }

    /// Returns whether there are no entries.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all entries, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (Location, Expected)> {
        let unwritten = self.unwritten.iter().map(|numbered| (numbered.location(), UNWRITTEN));
        unwritten.chain(self.others.iter().copied())
    }

    /// Returns the block's writes to a location as they were read, or `None` if it was not read. A location may
    /// have been read twice with different results. No validation succeeds then, so either result will do. A
    /// batch calls this for each slot that it wrote, so the scan skips the unwritten entries at a few bytes
    /// each.
    #[inline]
    pub fn seen(&self, location: Location) -> Option<Observed> {
        if Numbered::new(location).is_some_and(|numbered| self.unwritten.contains(&numbered)) {
            return Some(Observed::default());
        }
        self.others.iter().find_map(|(at, expected)| match expected {
            Expected::Exact(seen) if *at == location => Some(*seen),
            _ => None,
        })
    }

    /// Removes all entries.
    #[inline]
    pub fn clear(&mut self) {
        self.unwritten.clear();
        self.others.clear();
    }

    /// Takes the entries, and reserves space for as many again.
    #[inline]
    pub fn take(&mut self) -> Self {
        let unwritten = Vec::with_capacity(self.unwritten.len());
        let others = Vec::with_capacity(self.others.len());
        std::mem::replace(self, Self { unwritten, others })
    }

    /// Validates the read set of `tx`.
    pub fn compare(&self, memory: &Memory, tx: TxIndex) -> Validation {
        let same = |numbered: &Numbered| {
            let location = numbered.location();
            memory.is_unwritten(location)
                || UNWRITTEN.check(memory.read(location, tx)) == Validation::Valid
        };
        if !self.unwritten.iter().all(same) {
            return Validation::Invalid;
        }
        let mut found = Validation::Valid;
        for (location, expected) in &self.others {
            match expected.check(memory.read(*location, tx)) {
                Validation::Valid => {}
                Validation::Unresolved => found = Validation::Unresolved,
                Validation::Invalid => return Validation::Invalid,
            }
        }
        found
    }

    /// Returns the first expectation that does not hold for `tx`, and the last writer of its location. Returns
    /// `None` if all hold.
    pub fn conflict(&self, memory: &Memory, tx: TxIndex) -> Option<Conflict> {
        let fails = |(at, expected): &(Location, Expected)| {
            expected.check(memory.read(*at, tx)) != Validation::Valid
        };
        let (at, _) = self.iter().find(fails)?;
        Some(Conflict { at, by: memory.last_writer(at, tx) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::Write;

    fn reads() -> ReadSet {
        let mut reads = ReadSet::default();
        reads.push(Location::Slot(0, 1), UNWRITTEN);
        reads.push(Location::OtherSlot(0, U256::MAX), UNWRITTEN);
        reads.push(
            Location::Balance(1),
            Expected::AtLeast { before: U256::from(5), minimum: U256::from(3) },
        );
        reads
    }

    #[test]
    fn a_read_set_returns_all_entries() {
        assert_eq!(reads().len(), 3);
        let mut reads = reads();
        let all: Vec<_> = reads.take().iter().map(|(location, _)| location).collect();
        assert_eq!(
            all,
            [Location::Slot(0, 1), Location::OtherSlot(0, U256::MAX), Location::Balance(1)]
        );
        assert!(reads.is_empty());
    }

    #[test]
    fn seen_returns_the_value_that_was_read() {
        let mut reads = reads();
        let (at, seen) = (Location::Nonce(3), Observed { set: Some(U256::ONE), added: None });
        reads.push(at, Expected::Exact(seen));
        assert_eq!(reads.seen(at), Some(seen));
        for unwritten in [Location::Slot(0, 1), Location::OtherSlot(0, U256::MAX)] {
            assert_eq!(reads.seen(unwritten), Some(Observed::default()));
        }
        for not_seen in [Location::Slot(0, 2), Location::Slot(1, 1), Location::Balance(1)] {
            assert_eq!(reads.seen(not_seen), None, "{not_seen:?}");
        }
    }

    #[test]
    fn a_lower_write_to_any_entry_is_invalid() {
        let one = Write::Set(U256::ONE);
        for (location, _) in reads().iter() {
            let memory = Memory::new(2, 2);
            assert_eq!(reads().compare(&memory, 7), Validation::Valid);
            memory.publish(4, &vec![], &vec![(location, one)]);
            assert_eq!(reads().compare(&memory, 7), Validation::Invalid);
            assert_eq!(reads().compare(&memory, 4), Validation::Valid);
            let conflict = Conflict { at: location, by: Some(4) };
            assert_eq!(reads().conflict(&memory, 7), Some(conflict));
        }
    }

    #[test]
    fn a_cleared_storage_invalidates_reads_of_its_slots() {
        let memory = Memory::new(2, 2);
        memory.publish(4, &vec![], &vec![(Location::Storage(0), Write::Set(U256::from(4)))]);
        assert_eq!(reads().compare(&memory, 7), Validation::Invalid);
    }

    /// Regression test for a bug that the model check in `model/` found. A validation met an estimate and
    /// counted as valid. The same value was then published again, so the balance was never validated.
    #[test]
    fn c1_an_estimate_does_not_satisfy_a_minimum() {
        let (memory, at) = (Memory::new(1, 0), Location::Balance(0));
        let writes = vec![(at, Write::Add(U256::ONE))];
        let mut reads = ReadSet::default();
        reads.push(at, Expected::AtLeast { before: U256::from(5), minimum: U256::from(6) });
        let found = || reads.compare(&memory, 1);
        memory.publish(0, &vec![], &writes);
        assert_eq!(found(), Validation::Valid);
        memory.mark_estimates(0, &writes);
        assert_eq!(found(), Validation::Unresolved);
        memory.publish(0, &writes, &vec![]);
        assert_eq!(found(), Validation::Invalid);
    }
}
