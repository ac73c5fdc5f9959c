//! The known state before a block, as hash maps.

use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, HashMap, U256Map},
};
use revm::{
    DatabaseRef, bytecode::Bytecode, database_interface::DBErrorMarker, state::AccountInfo,
};

/// The reason that a read of the pre-state has no answer.
///
/// A block that reads an unknown value cannot be replayed. A speculative execution may read one after it used a
/// stale value; its result is then discarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum StateError {
    /// Neither the account nor its absence is known.
    #[error("account {address} is not in the known pre-state")]
    UnknownAccount { address: Address },
    /// The account is known, but this slot is not.
    #[error("slot {slot:#x} of account {address} is not in the known pre-state")]
    UnknownSlot { address: Address, slot: U256 },
    /// An account has this code hash, but its code is unknown.
    #[error("the code with hash {hash} is not in the known pre-state")]
    UnknownCode { hash: B256 },
    /// `BLOCKHASH` needs an ancestor with an unknown header.
    #[error("the hash of ancestor block {number} is not known; its header is missing")]
    UnknownAncestor { number: u64 },
}

impl DBErrorMarker for StateError {}

/// One account before the block.
#[derive(Clone, Debug, Default)]
pub struct PreAccount {
    /// Balance, nonce, code hash and the analysed code, if it is known; `None` if the account is known not to
    /// exist.
    pub info: Option<AccountInfo>,
    /// Known slots, zero included.
    pub slots: U256Map<U256>,
    /// Whether every slot that is not listed is known to be zero. This holds if the account does not exist or
    /// its storage is empty.
    pub rest_is_zero: bool,
}

/// Flat state before the block. It contains only known values, including known absence.
#[derive(Clone, Debug, Default)]
pub struct PreState {
    /// Accounts by address.
    pub accounts: AddressMap<PreAccount>,
    /// Hashes of ancestors by block number, for `BLOCKHASH`.
    pub block_hashes: HashMap<u64, B256>,
}

impl PreState {
    fn account(&self, address: Address) -> Result<&PreAccount, StateError> {
        self.accounts.get(&address).ok_or(StateError::UnknownAccount { address })
    }
}

impl DatabaseRef for PreState {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        self.account(address).map(|account| account.info.clone())
    }

    /// Every known code is stored in its account, so revm calls this only for an unknown one.
    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        Err(StateError::UnknownCode { hash })
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        let account = self.account(address)?;
        match account.slots.get(&slot) {
            Some(value) => Ok(*value),
            None if account.rest_is_zero => Ok(U256::ZERO),
            None => Err(StateError::UnknownSlot { address, slot }),
        }
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        self.block_hashes.get(&number).copied().ok_or(StateError::UnknownAncestor { number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::repeat_byte(0xa1);

    #[test]
    fn an_unknown_value_is_an_error_and_never_zero() {
        let mut state = PreState::default();
        assert_eq!(state.basic_ref(ALICE), Err(StateError::UnknownAccount { address: ALICE }));

        state.accounts.insert(ALICE, PreAccount::default());
        assert_eq!(state.basic_ref(ALICE), Ok(None));
        assert_eq!(
            state.storage_ref(ALICE, U256::ONE),
            Err(StateError::UnknownSlot { address: ALICE, slot: U256::ONE })
        );
        assert_eq!(state.block_hash_ref(7), Err(StateError::UnknownAncestor { number: 7 }));
    }

    #[test]
    fn every_slot_of_an_empty_storage_is_zero() {
        let mut state = PreState::default();
        state.accounts.insert(ALICE, PreAccount { rest_is_zero: true, ..Default::default() });
        assert_eq!(state.storage_ref(ALICE, U256::ONE), Ok(U256::ZERO));
    }
}
