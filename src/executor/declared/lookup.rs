//! Values as the transactions before a certain one left them, out of those transactions' journals.

use super::{
    published::AccessError,
    run::Run,
    writers::{BySystem, earlier},
};
use crate::{
    executor::access::TxIndex,
    state::{NumberedAccount, is_removed},
};
use alloy_primitives::U256;
use revm::{
    DatabaseRef,
    state::{Account, AccountInfo},
};

impl Run<'_> {
    /// The account without its code as it was before the first transaction.
    pub(super) fn base(
        &self,
        account: &NumberedAccount,
    ) -> Result<Option<AccountInfo>, AccessError> {
        if self.by_system(account) != BySystem::Nothing {
            return Ok(self.begun.basic_ref(account.address)?);
        }
        self.storage.wait_for_account(account.number);
        // The code would be one that all workers share.
        Ok(account.info.as_ref().map(|info| AccountInfo {
            balance: info.balance,
            nonce: info.nonce,
            code_hash: info.code_hash,
            account_id: None,
            code: None,
        }))
    }

    /// The slot's value before `tx`, from its closest writer below, or from before the block.
    pub(super) fn slot(
        &self,
        account: &NumberedAccount,
        key: U256,
        tx: TxIndex,
    ) -> Result<U256, AccessError> {
        let listed = account.slot(key);
        let number = listed.as_ref().ok().copied().flatten().map(|listed| listed.number);
        let writers = self.declared.slot(account.number, number, key);
        let emptied = self.declared.emptied.of(account.number);
        let mut before = tx;
        while let Some(writer) =
            earlier(writers, before).last().max(earlier(emptied, before).last()).copied()
        {
            let left = self.outcome(writer, tx)?.state.get(&account.address);
            if let Some(value) = left.and_then(|account| left_in(account, key)) {
                return Ok(value);
            }
            before = writer;
        }
        if self.by_system(account) != BySystem::Nothing {
            return Ok(self.begun.storage_ref(account.address, key)?);
        }
        Ok(listed?.map_or(U256::ZERO, |listed| {
            self.storage.wait_for_slot(listed.number);
            listed.value
        }))
    }
}

/// What a transaction left in a slot; `None` if it left it alone.
fn left_in(account: &Account, key: U256) -> Option<U256> {
    if account.is_touched() && is_removed(account) {
        return Some(U256::ZERO);
    }
    let changed = account.storage.get(&key).filter(|slot| slot.is_changed());
    let fresh = account.is_created().then_some(U256::ZERO);
    changed.map(|slot| slot.present_value).or(fresh)
}
