//! Maps the indices of a [`IndexedState`] back to addresses and slot keys, for people.
//!
//! Executors only need the other direction, so these lists are built on request.

use super::IndexedState;
use alloy_primitives::{Address, U256};

/// Addresses and slot keys by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    accounts: Vec<Address>,
    slots: Vec<U256>,
}

impl Names {
    /// The address of the account with this number; `None` if there is no such account.
    pub fn account(&self, number: u32) -> Option<Address> {
        self.accounts.get(number as usize).copied()
    }

    /// The key of the slot with this number; `None` if there is no such slot.
    pub fn slot(&self, number: u32) -> Option<U256> {
        self.slots.get(number as usize).copied()
    }
}

impl IndexedState {
    /// Addresses and keys by index.
    pub fn names(&self) -> Names {
        Names {
            accounts: self.accounts().iter().map(|account| account.address).collect(),
            slots: self.slots().iter().map(|(key, _)| *key).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{PreAccount, PreState};

    #[test]
    fn every_index_maps_back_to_its_account_or_slot() {
        let mut state = PreState::default();
        for byte in 0..10 {
            let slots = (0..u64::from(byte)).map(|slot| (U256::from(slot), U256::ONE)).collect();
            let account = PreAccount { slots, ..Default::default() };
            state.accounts.insert(Address::repeat_byte(byte), account);
        }
        let numbered = IndexedState::new(&state);
        let names = numbered.names();
        for account in numbered.accounts() {
            assert_eq!(names.account(account.number), Some(account.address));
            for slot in account.slot_numbers() {
                let (key, _) = numbered.slots()[slot as usize];
                assert_eq!(names.slot(slot), Some(key));
            }
        }
        assert_eq!((names.account(10), names.slot(45)), (None, None));
    }
}
