//! The pre-state with its accounts and slots numbered, so that tables over them are arrays.

use super::{PreState, StateError};
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, HashMap, U256Map},
};
use revm::state::AccountInfo;

/// A slot's number among all slots of the pre-state, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberedSlot {
    /// From 0, without gaps.
    pub number: u32,
    /// Before the block.
    pub value: U256,
}

/// An account's number among all accounts of the pre-state, and what is known of it.
#[derive(Clone, Debug)]
pub struct NumberedAccount {
    /// From 0, without gaps.
    pub number: u32,
    /// As in [`PreAccount`](super::PreAccount).
    pub info: Option<AccountInfo>,
    slots: U256Map<NumberedSlot>,
    rest_is_zero: bool,
}

impl NumberedAccount {
    /// The slot, if it is listed; `None` if it is not, but known to be zero.
    ///
    /// # Errors
    /// [`StateError::UnknownSlot`] where it is neither.
    pub fn slot(&self, address: Address, slot: U256) -> Result<Option<NumberedSlot>, StateError> {
        match self.slots.get(&slot) {
            Some(listed) => Ok(Some(*listed)),
            None if self.rest_is_zero => Ok(None),
            None => Err(StateError::UnknownSlot { address, slot }),
        }
    }

    /// All that are listed, by key, in no order.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&U256, &NumberedSlot)> {
        self.slots.iter()
    }
}

/// A [`PreState`] whose accounts and slots are numbered. Holds the same, and knows no more.
#[derive(Clone, Debug, Default)]
pub struct NumberedState {
    accounts: AddressMap<NumberedAccount>,
    slots: u32,
    block_hashes: HashMap<u64, B256>,
}

impl NumberedState {
    /// Numbers what is known.
    pub fn new(state: &PreState) -> Self {
        let mut numbered = Self { block_hashes: state.block_hashes.clone(), ..Self::default() };
        numbered.accounts.reserve(state.accounts.len());
        for (number, (address, account)) in (0..).zip(&state.accounts) {
            let slots = account.slots.iter().map(|(slot, value)| {
                let number = numbered.slots;
                numbered.slots += 1;
                (*slot, NumberedSlot { number, value: *value })
            });
            let account = NumberedAccount {
                number,
                info: account.info.clone(),
                slots: slots.collect(),
                rest_is_zero: account.rest_is_zero,
            };
            numbered.accounts.insert(*address, account);
        }
        numbered
    }

    /// How many accounts are numbered.
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// How many slots are numbered.
    pub const fn slot_count(&self) -> usize {
        self.slots as usize
    }

    /// All of them, in no order.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (&Address, &NumberedAccount)> {
        self.accounts.iter()
    }

    /// The account.
    ///
    /// # Errors
    /// [`StateError::UnknownAccount`] where it is not known.
    pub fn account(&self, address: Address) -> Result<&NumberedAccount, StateError> {
        self.accounts.get(&address).ok_or(StateError::UnknownAccount { address })
    }

    /// The hash of an ancestor.
    ///
    /// # Errors
    /// [`StateError::UnknownAncestor`] where its header is not known.
    pub fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        self.block_hashes.get(&number).copied().ok_or(StateError::UnknownAncestor { number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::PreAccount;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_have_no_gaps_and_no_repetitions() {
        let mut state = PreState::default();
        for byte in 0..10 {
            let slots = (0..u64::from(byte)).map(|slot| (U256::from(slot), U256::ONE)).collect();
            let account = PreAccount { slots, ..Default::default() };
            state.accounts.insert(Address::repeat_byte(byte), account);
        }
        let numbered = NumberedState::new(&state);
        let accounts: BTreeSet<_> =
            numbered.accounts.values().map(|account| account.number).collect();
        let slots = numbered.accounts.values().flat_map(|account| account.slots.values());
        let slots: BTreeSet<_> = slots.map(|slot| slot.number).collect();
        assert_eq!(accounts, (0..10).collect());
        assert_eq!(slots, (0..45).collect());
        assert_eq!((numbered.account_count(), numbered.slot_count()), (10, 45));
    }
}
