//! What an incarnation depends on, and whether it still holds.
//!
//! Most of what a transaction reads nobody has written, and that is all there is to say of it. So those
//! locations are kept apart, a few bytes each: the worker that compares has to fetch them from another
//! processor.

use super::{
    memory::{AccountNumber, Blocked, Location, Memory, Observed, TxIndex},
    scheduler::Validation,
};
use crate::executor::observe::Conflict;
use alloy_primitives::U256;

/// Something that must hold of a location when the transaction's turn comes, for its incarnation to
/// stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The block has written the same as when it was read.
    Seen(Observed),
    /// The value, given the one before the block, is this. Expected without having been read.
    Value {
        /// The value before the block.
        before: U256,
        /// The value to find.
        value: U256,
    },
    /// The value, given the one before the block, is enough. All else about it does not matter.
    AtLeast {
        /// The value before the block.
        before: U256,
        /// What is enough.
        minimum: U256,
    },
}

impl Expected {
    pub(super) fn check(&self, now: Result<Observed, Blocked>) -> Validation {
        let (holds, otherwise) = match (self, now) {
            (Self::Seen(seen), now) => (now == Ok(*seen), Validation::Invalid),
            (Self::Value { before, value }, Ok(now)) => {
                (now.over(*before) == *value, Validation::Unresolved)
            }
            (Self::AtLeast { before, minimum }, Ok(now)) => {
                (now.over(*before) >= *minimum, Validation::Invalid)
            }
            // An estimate does not say that it will be less, nor that it will be enough: if what it stands for is
            // published again unchanged, nothing makes the incarnation suspect. At the frontier there are none.
            (Self::Value { .. } | Self::AtLeast { .. }, Err(_)) => (false, Validation::Unresolved),
        };
        if holds { Validation::Valid } else { otherwise }
    }
}

/// A location that has numbers, in few bytes.
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

/// Nobody below has written.
pub(super) const UNWRITTEN: Expected = Expected::Seen(Observed { set: None, added: None });

/// All that an incarnation depends on.
#[derive(Clone, Debug, Default)]
pub struct ReadSet {
    unwritten: Vec<Numbered>,
    others: Vec<(Location, Expected)>,
}

impl ReadSet {
    /// Adds a dependency.
    pub fn push(&mut self, location: Location, expected: Expected) {
        match Numbered::new(location) {
            Some(numbered) if expected == UNWRITTEN => self.unwritten.push(numbered),
            _ => self.others.push((location, expected)),
        }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.unwritten.len() + self.others.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (Location, Expected)> {
        let unwritten = self.unwritten.iter().map(|numbered| (numbered.location(), UNWRITTEN));
        unwritten.chain(self.others.iter().copied())
    }

    /// What the block had written to a location when it was read, if it was. If it was read twice and differed, no
    /// comparison will pass, whichever this is. A batch asks for each slot that it wrote, so that most others are passed
    /// over at a few bytes each.
    pub fn seen(&self, location: Location) -> Option<Observed> {
        if Numbered::new(location).is_some_and(|numbered| self.unwritten.contains(&numbered)) {
            return Some(Observed::default());
        }
        self.others.iter().find_map(|(at, expected)| match expected {
            Expected::Seen(seen) if *at == location => Some(*seen),
            _ => None,
        })
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.unwritten.clear();
        self.others.clear();
    }

    /// Takes them, and makes room for as many.
    pub fn take(&mut self) -> Self {
        let unwritten = Vec::with_capacity(self.unwritten.len());
        let others = Vec::with_capacity(self.others.len());
        std::mem::replace(self, Self { unwritten, others })
    }

    /// Whether everything that was expected holds for `tx`.
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

    /// The first of the expectations that do not hold for `tx`, and who wrote there last; `None` if all
    /// hold.
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
    use crate::executor::block_stm::memory::Write;

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
    fn all_that_was_pushed_is_there() {
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
    fn what_was_seen_is_found_again() {
        let mut reads = reads();
        let (at, seen) = (Location::Nonce(3), Observed { set: Some(U256::ONE), added: None });
        reads.push(at, Expected::Seen(seen));
        assert_eq!(reads.seen(at), Some(seen));
        for unwritten in [Location::Slot(0, 1), Location::OtherSlot(0, U256::MAX)] {
            assert_eq!(reads.seen(unwritten), Some(Observed::default()));
        }
        for not_seen in [Location::Slot(0, 2), Location::Slot(1, 1), Location::Balance(1)] {
            assert_eq!(reads.seen(not_seen), None, "{not_seen:?}");
        }
    }

    #[test]
    fn a_write_to_any_of_them_is_found_by_those_above() {
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
    fn a_storage_that_was_emptied_is_found_by_readers_of_its_slots() {
        let memory = Memory::new(2, 2);
        memory.publish(4, &vec![], &vec![(Location::Storage(0), Write::Set(U256::from(4)))]);
        assert_eq!(reads().compare(&memory, 7), Validation::Invalid);
    }

    /// Found by the model check in `model/`: the check counted, the same was published again, and the balance was
    /// never compared.
    #[test]
    fn c1_an_estimate_does_not_say_that_there_is_enough() {
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
