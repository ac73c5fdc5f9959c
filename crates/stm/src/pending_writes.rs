//! Unpublished writes of an incarnation, for its own later reads.
//!
//! They are mostly empty. revm's journal answers most reads of a batch's own writes. The machine hands writes
//! over only when it empties the journal within a batch.

use crate::location::{AccountNumber, Location, Write, WriteSet};
use alloy_primitives::{U256, map::HashMap};

/// Writes of an unfinished incarnation, by location.
#[derive(Debug, Default)]
pub(super) struct PendingWrites(HashMap<Location, Write>);

impl PendingWrites {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the incarnation's own write to a location.
    pub(super) fn get(&self, location: Location) -> Option<Write> {
        if self.0.is_empty() {
            return None;
        }
        let written = self.0.get(&location).copied();
        written.or_else(|| {
            let emptied = self.0.contains_key(&Location::Storage(owner(location)?));
            emptied.then_some(Write::Set(U256::ZERO))
        })
    }

    /// Applies later writes on top.
    pub(super) fn extend(&mut self, writes: WriteSet) {
        for (location, _) in &writes {
            if let Location::Storage(account) = location {
                self.0.retain(|at, _| owner(*at) != Some(*account));
            }
        }
        for (location, write) in writes {
            let combined = match (self.0.get(&location), write) {
                (Some(Write::Set(value)), Write::Add(more)) => Write::Set(value.wrapping_add(more)),
                (Some(Write::Add(value)), Write::Add(more)) => Write::Add(value.wrapping_add(more)),
                (None, _) | (_, Write::Set(_)) => write,
            };
            self.0.insert(location, combined);
        }
    }

    /// Takes all writes, in any order.
    pub(super) fn take(&mut self) -> WriteSet {
        self.0.drain().collect()
    }
}

/// Returns the account that a slot belongs to.
const fn owner(location: Location) -> Option<AccountNumber> {
    match location {
        Location::Slot(account, _) | Location::OtherSlot(account, _) => Some(account),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BALANCE: Location = Location::Balance(1);
    const SLOT: Location = Location::Slot(1, 7);

    fn set(value: u64) -> Write {
        Write::Set(U256::from(value))
    }

    fn add(value: u64) -> Write {
        Write::Add(U256::from(value))
    }

    #[test]
    fn additions_are_applied_to_earlier_writes() {
        let mut own = PendingWrites::default();
        own.extend(vec![(BALANCE, add(1))]);
        own.extend(vec![(BALANCE, add(2))]);
        assert_eq!(own.get(BALANCE), Some(add(3)));
        own.extend(vec![(BALANCE, set(10))]);
        own.extend(vec![(BALANCE, add(2))]);
        assert_eq!(own.get(BALANCE), Some(set(12)));
    }

    #[test]
    fn a_cleared_storage_is_zero_except_for_later_writes() {
        let mut own = PendingWrites::default();
        own.extend(vec![(SLOT, set(5)), (Location::OtherSlot(2, U256::ONE), set(6))]);
        own.extend(vec![(Location::Storage(1), set(0)), (Location::Slot(1, 8), set(9))]);
        assert_eq!(own.get(SLOT), Some(set(0)));
        assert_eq!(own.get(Location::Slot(1, 8)), Some(set(9)));
        assert_eq!(own.get(Location::OtherSlot(2, U256::ONE)), Some(set(6)));
        assert_eq!(own.get(Location::Balance(1)), None);
        let mut all = own.take();
        all.sort_unstable_by_key(|(location, _)| *location);
        let kept = [Location::Storage(1), Location::Slot(1, 8), Location::OtherSlot(2, U256::ONE)];
        assert!(all.iter().map(|(location, _)| *location).eq(kept));
        assert!(own.is_empty());
    }
}
