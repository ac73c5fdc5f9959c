//! Derives an account from its value before the block and the block's writes.

use crate::{
    execution::location::Location,
    state::{AccountFields, NumberedAccount, NumberedSlot, StateError},
};
use alloy_primitives::{B256, KECCAK256_EMPTY, U256, map::B256Map};
use blockrace_stm::memory::Observed;
use parking_lot::RwLock;
use revm::{bytecode::Bytecode, primitives::hardfork::SpecId, state::AccountInfo};

/// Codes that transactions of this block have deployed, by hash. The lock guards the whole map. A code is
/// inserted before its hash is published, and never changes.
pub(super) type NewCodes = RwLock<B256Map<Bytecode>>;

/// Account before the block, as values of locations. All fields are zero if it did not exist.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    pub(super) balance: U256,
    pub(super) nonce: U256,
    pub(super) code_hash: U256,
}

impl Before {
    pub(super) fn new(base: Option<&AccountInfo>) -> Self {
        base.map_or_else(Self::default, |info| Self {
            balance: info.balance,
            nonce: U256::from(info.nonce),
            code_hash: info.code_hash.into(),
        })
    }

    /// Returns the account with these values. Returns `None` if it does not exist.
    pub(super) fn with(
        &self,
        balance: Observed,
        nonce: U256,
        code_hash: U256,
        spec: SpecId,
    ) -> Option<AccountFields> {
        let absent = code_hash.is_zero();
        if absent && nonce.is_zero() && !exists_by_payment(balance, spec) {
            return None;
        }
        let code_hash = if absent { KECCAK256_EMPTY } else { B256::from(code_hash) };
        let balance = balance.over(self.balance);
        Some(AccountFields { nonce: nonce.saturating_to(), balance, code_hash })
    }
}

/// Returns whether payments by this block make an account exist that has neither nonce nor code. Before
/// EIP-161, a payment of zero is enough.
fn exists_by_payment(paid: Observed, spec: SpecId) -> bool {
    if spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
        !paid.over(U256::ZERO).is_zero()
    } else {
        paid.added.is_some() || !paid.over(U256::ZERO).is_zero()
    }
}

/// Returns the account for revm, with the code of its hash. Empty code is left out. revm adds its own where
/// necessary, and all threads would count references to a shared one.
pub(super) fn info(
    fields: AccountFields,
    base: Option<&AccountInfo>,
    new_codes: &NewCodes,
) -> AccountInfo {
    let code = match base {
        _ if fields.code_hash == KECCAK256_EMPTY => None,
        Some(base) if base.code_hash == fields.code_hash => base.code.clone(),
        _ => new_codes.read().get(&fields.code_hash).cloned(),
    };
    AccountInfo {
        balance: fields.balance,
        nonce: fields.nonce,
        code_hash: fields.code_hash,
        account_id: None,
        code,
    }
}

/// Returns a slot's location. It uses the slot's index if the lookup found one, and the key otherwise.
pub(super) fn slot_location(
    account: &NumberedAccount,
    looked_up: &Result<Option<NumberedSlot>, StateError>,
    slot: U256,
) -> Location {
    match looked_up {
        Ok(Some(listed)) => Location::Slot(account.number, listed.number),
        Ok(None) | Err(_) => Location::OtherSlot(account.number, slot),
    }
}
