//! The pre-state with dense indices for accounts and slots, so that tables over them are arrays.

use super::{PreAccount, PreState, StateError};
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, HashMap, U256Map},
};
use revm::state::AccountInfo;
use std::ops::Range;

/// The index of a slot among all slots of the pre-state, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberedSlot {
    /// Index from 0, without gaps.
    pub number: u32,
    /// Value before the block.
    pub value: U256,
}

/// The index of an account among all accounts of the pre-state, and its known values.
#[derive(Clone, Debug)]
pub struct NumberedAccount {
    /// Index from 0, without gaps, ascending by address.
    pub number: u32,
    /// Address of the account.
    pub address: Address,
    /// Fields and code, as in [`PreAccount`](super::PreAccount).
    pub info: Option<AccountInfo>,
    slots: U256Map<NumberedSlot>,
    numbers: Range<u32>,
    rest_is_zero: bool,
}

impl NumberedAccount {
    /// The slot if it is listed; `None` if it is not listed but known to be zero.
    ///
    /// # Errors
    /// [`StateError::UnknownSlot`] if its value is unknown.
    pub fn slot(&self, slot: U256) -> Result<Option<NumberedSlot>, StateError> {
        match self.slots.get(&slot) {
            Some(listed) => Ok(Some(*listed)),
            None if self.rest_is_zero => Ok(None),
            None => Err(StateError::UnknownSlot { address: self.address, slot }),
        }
    }

    /// The indices of the listed slots, ascending by key.
    pub fn slot_numbers(&self) -> Range<u32> {
        self.numbers.clone()
    }
}

/// A [`PreState`] with dense indices for its accounts and slots. It holds the same values.
#[derive(Clone, Debug, Default)]
pub struct IndexedState {
    numbers: AddressMap<u32>,
    accounts: Vec<NumberedAccount>,
    /// Key and value of every listed slot, by index.
    slots: Vec<(U256, U256)>,
    block_hashes: HashMap<u64, B256>,
}

impl IndexedState {
    /// Assigns indices: to accounts by address, to slots by account and key.
    pub fn new(state: &PreState) -> Self {
        let mut numbered = Self { block_hashes: state.block_hashes.clone(), ..Self::default() };
        let mut accounts: Vec<_> = state.accounts.iter().collect();
        accounts.sort_unstable_by_key(|(address, _)| **address);
        for (number, (address, account)) in (0..).zip(accounts) {
            numbered.numbers.insert(*address, number);
            let account = numbered.number(number, *address, account);
            numbered.accounts.push(account);
        }
        numbered
    }

    fn number(&mut self, number: u32, address: Address, account: &PreAccount) -> NumberedAccount {
        let mut listed: Vec<_> =
            account.slots.iter().map(|(slot, value)| (*slot, *value)).collect();
        listed.sort_unstable();
        let first = self.slots.len() as u32;
        self.slots.extend(&listed);
        let slots = (first..).zip(listed);
        NumberedAccount {
            number,
            address,
            info: account.info.clone(),
            slots: slots
                .map(|(number, (slot, value))| (slot, NumberedSlot { number, value }))
                .collect(),
            numbers: first..self.slots.len() as u32,
            rest_is_zero: account.rest_is_zero,
        }
    }

    /// All accounts, by index.
    pub fn accounts(&self) -> &[NumberedAccount] {
        &self.accounts
    }

    /// Key and value of every listed slot, by index.
    pub fn slots(&self) -> &[(U256, U256)] {
        &self.slots
    }

    /// The account with this address.
    ///
    /// # Errors
    /// [`StateError::UnknownAccount`] if the account is unknown.
    pub fn account(&self, address: Address) -> Result<&NumberedAccount, StateError> {
        let number = self.numbers.get(&address).ok_or(StateError::UnknownAccount { address })?;
        Ok(&self.accounts[*number as usize])
    }

    /// The index of an account that the EVM has loaded. It is the id set at loading, or is looked up by address
    /// if the account did not exist.
    ///
    /// # Errors
    /// [`StateError::UnknownAccount`] if the account is unknown.
    pub fn number_loaded(&self, address: Address, info: &AccountInfo) -> Result<u32, StateError> {
        match info.account_id {
            Some(id) => Ok(id.get() as u32),
            None => Ok(self.account(address)?.number),
        }
    }

    /// An account that the EVM has loaded.
    ///
    /// # Errors
    /// The errors of [`IndexedState::number_loaded`].
    pub fn loaded(
        &self,
        address: Address,
        info: &AccountInfo,
    ) -> Result<&NumberedAccount, StateError> {
        Ok(&self.accounts[self.number_loaded(address, info)? as usize])
    }

    /// The hash of an ancestor.
    ///
    /// # Errors
    /// [`StateError::UnknownAncestor`] if its header is unknown.
    pub fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        self.block_hashes.get(&number).copied().ok_or(StateError::UnknownAncestor { number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_follow_addresses_and_keys_without_gaps() {
        let mut state = PreState::default();
        for byte in (0..10).rev() {
            let slots = (0..u64::from(byte)).rev().map(|slot| (U256::from(slot), U256::ONE));
            let account = PreAccount { slots: slots.collect(), ..Default::default() };
            state.accounts.insert(Address::repeat_byte(byte), account);
        }
        let numbered = IndexedState::new(&state);
        let mut next_slot = 0;
        for (number, account) in (0..).zip(numbered.accounts()) {
            assert_eq!(
                (account.number, account.address),
                (number, Address::repeat_byte(number as u8))
            );
            for (key, slot) in (0..).zip(account.slot_numbers()) {
                assert_eq!(slot, next_slot);
                let listed = account.slot(U256::from(key)).expect("it is known");
                assert_eq!(listed, Some(NumberedSlot { number: slot, value: U256::ONE }));
                assert_eq!(numbered.slots()[slot as usize], (U256::from(key), U256::ONE));
                next_slot += 1;
            }
        }
        assert_eq!((numbered.accounts().len(), numbered.slots().len()), (10, 45));
    }
}
