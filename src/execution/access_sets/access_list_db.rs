//! Finds the values that a transaction with declared accesses reads.
//!
//! Each kind of value has one rule.
//!
//! A **slot** comes from the effects of its last declared writer before the reader. If that
//! transaction did not write the slot after all, the writer before it counts, and so on down to the
//! pre-state. Clearing the whole storage (creation, removal by EIP-6780) counts as a write of zero.
//!
//! **Nonce and code** come from the effects of the last declared writer of either. If only the
//! nonce has changed and the reader does not depend on it, the reader gets the values from before
//! the block.
//!
//! A **balance** is the sum of the pre-state and the changes of all its writers, if the reader
//! declared an exact dependency. Otherwise the reader sees the balance from before the block. The
//! worker records the actual dependency, which is validated at the end of the block.
//!
//! A reader waits for a declared source that is not done. Any other transaction that is not done is
//! an error ([`AccessError::Undeclared`]), as the schedule starts a transaction after its declared
//! sources.

use super::{error::AccessError, run::Run, writers::earlier};
use crate::{
    execution::{
        beneficiary::left_with,
        codes::supply,
        dependency::{BalanceRule, BalanceTracker, BalanceUse, Dependencies, Dependency, Loaded},
        location::TxIndex,
        speculative_db::is_bare,
        worker::{Speculative, Starting},
    },
    state::{NumberedAccount, StateError},
};
use alloy_primitives::{Address, B256, U256, map::B256Map};
use revm::{
    Database,
    bytecode::Bytecode,
    context_interface::Block as _,
    state::{AccountId, AccountInfo},
};

/// One worker's database over the effects of earlier transactions. Account ids for revm are the
/// numbers of the pre-state.
#[derive(Debug)]
pub(crate) struct AccessListDb<'a> {
    run: &'a Run<'a>,
    codes: &'a B256Map<Bytecode>,
    starting: Option<Starting>,
    dependencies: Dependencies,
}

impl<'a> AccessListDb<'a> {
    pub(crate) fn new(run: &'a Run<'a>, codes: &'a B256Map<Bytecode>) -> Self {
        Self { run, codes, starting: None, dependencies: Dependencies::default() }
    }

    fn tx(&self) -> TxIndex {
        self.starting.map_or(0, |starting| starting.tx)
    }

    /// The account as the transaction may see it, without code.
    fn load(&self, account: &NumberedAccount) -> Result<Option<AccountInfo>, AccessError> {
        let tx = self.tx();
        let before = earlier(self.run.declared.info.of(account.number), tx);
        let base = self.run.base(account)?;
        if before.is_empty() {
            return Ok(base);
        }
        if self.run.declared.exact[tx].contains(&account.number) {
            return self.replay(account, before, base);
        }
        if self.run.declared.stale[tx].contains(&account.number) && !self.may_authorise(account) {
            return Ok(base);
        }
        match self.identity(account, base)? {
            // An account that exists only by payments is declared as an exact dependency.
            None if self.run.rule == BalanceRule::Existence => Err(AccessError::Undeclared),
            identity => Ok(identity),
        }
    }

    /// Whether the account's nonce may matter to an authorisation (EIP-7702), declared or not. The
    /// sender's nonce is known.
    fn may_authorise(&self, account: &NumberedAccount) -> bool {
        self.starting
            .is_some_and(|starting| starting.delegates && starting.sender != account.address)
    }

    /// The account after these transactions, exactly. It applies their changes in order, with the
    /// deferred fees.
    fn replay(
        &self,
        account: &NumberedAccount,
        writers: &[TxIndex],
        base: Option<AccountInfo>,
    ) -> Result<Option<AccountInfo>, AccessError> {
        let env = &self.run.job.env;
        let is_beneficiary = account.address == env.block_env.beneficiary();
        let mut info = base;
        for tx in writers {
            let left = self.run.left_by(*tx, self.tx())?;
            if let Some(account) = left.touched(account.number) {
                let after = account.over(info.as_ref(), self.run.rule);
                info = after.map(|info| AccountInfo { code: account.code.clone(), ..info });
            }
            if let Some(fee) = left.deferred_fee.filter(|_| is_beneficiary) {
                info = left_with(info, fee, env.cfg_env.spec);
            }
        }
        Ok(info)
    }

    /// The account with its current nonce and code, and its balance from before the block.
    fn identity(
        &self,
        account: &NumberedAccount,
        base: Option<AccountInfo>,
    ) -> Result<Option<AccountInfo>, AccessError> {
        let writers = self.run.declared.identity.of(account.number);
        let Some(writer) = earlier(writers, self.tx()).last() else { return Ok(base) };
        let left = self.run.left_by(*writer, self.tx())?.account(account.number);
        let balance = base.map_or(U256::ZERO, |base| base.balance);
        left.map(|left| left.identity(balance)).ok_or(AccessError::Undeclared)
    }
}

impl BalanceTracker for AccessListDb<'_> {
    fn note_use(&mut self, address: Address, balance_use: BalanceUse) {
        self.dependencies.note_use(address, balance_use);
    }

    fn note_emptiness_of_all(&mut self) {
        self.dependencies.note_emptiness_of_all();
    }
}

impl Speculative for AccessListDb<'_> {
    fn begin(&mut self, starting: Starting) {
        self.dependencies.clear();
        self.starting = Some(starting);
    }

    fn dependencies(&self) -> Vec<(Address, Dependency)> {
        self.dependencies.iter().collect()
    }
}

impl Database for AccessListDb<'_> {
    type Error = AccessError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, AccessError> {
        let account = self.run.job.indexed_state.account(address)?;
        let mut found = self.load(account)?;
        let balance = found.as_ref().map_or(U256::ZERO, |info| info.balance);
        if let Some(info) = &mut found {
            supply(info, self.codes);
            info.account_id = AccountId::new(account.number as usize);
            if let Some(starting) = self.starting.filter(|starting| starting.sender == address) {
                info.nonce = starting.nonce;
            }
        }
        let bare = self.run.rule == BalanceRule::Emptiness && is_bare(found.as_ref());
        self.dependencies.loaded(Loaded { address, balance, bare });
        Ok(found)
    }

    /// Each known code is part of its account, so revm asks here only for an unknown one.
    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, AccessError> {
        Err(StateError::UnknownCode { hash }.into())
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, AccessError> {
        self.run.slot(self.run.job.indexed_state.account(address)?, slot, self.tx())
    }

    fn storage_by_account_id(
        &mut self,
        _address: Address,
        account: AccountId,
        slot: U256,
    ) -> Result<U256, AccessError> {
        self.run.slot(&self.run.job.indexed_state.accounts()[account.get()], slot, self.tx())
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, AccessError> {
        Ok(self.run.job.indexed_state.block_hash(number)?)
    }
}
