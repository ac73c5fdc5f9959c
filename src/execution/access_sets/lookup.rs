//! Values of accounts and slots before a given transaction.

use super::{
    error::AccessError,
    run::Run,
    writers::{BySystem, earlier},
};
use crate::{execution::location::TxIndex, state::NumberedAccount};
use alloy_primitives::U256;
use revm::{DatabaseRef, state::AccountInfo};

impl Run<'_> {
    /// The account without its code, before the first transaction.
    pub(super) fn base(
        &self,
        account: &NumberedAccount,
    ) -> Result<Option<AccountInfo>, AccessError> {
        if self.by_system(account) != BySystem::Nothing {
            return Ok(self.begun.basic_ref(account.address)?);
        }
        self.storage.wait_for_account(account.number);
        // All workers would share this code and its reference counter, so the account has none.
        Ok(account.info.as_ref().map(|info| AccountInfo {
            balance: info.balance,
            nonce: info.nonce,
            code_hash: info.code_hash,
            account_id: None,
            code: None,
        }))
    }

    /// The slot's value before `tx`: from the closest earlier writer, or else from the state before
    /// the transactions.
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
            if let Some(value) = self.left_by(writer, tx)?.slot(account.number, key) {
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
