//! Where a transaction with declared reads finds its values.
//!
//! For each kind of value there is one way to the transaction that has it:
//!
//! - A **slot** is in what its last declared writer below the reader left. If that one did not write it after
//!   all, the writer before counts, and so on down to the state before the block. Emptying the storage as a
//!   whole (creation, EIP-6780's removal) counts as a write of zero.
//! - **Nonce and code** are in what the last transaction left that was declared to change either. Where only the nonce has
//!   changed and the transaction was not declared to need it, those before the block stand in.
//! - A **balance** is summed up from the state before the block over all its writers only if the transaction was
//!   declared to need it exactly. Else the balance before the block stands in for it: the worker notes
//!   what the transaction demands of it, and whether that was met is found out when the block is put together.
//!
//! Whoever is asked for and still runs is waited for, if it was declared to be read from. Anybody else who has not
//! run is an error ([`AccessError::Undeclared`]), as the schedule starts everything after what it was declared
//! to read from.

use super::{run::Run, writers::earlier};
use crate::{
    executor::{
        access::TxIndex,
        codes::supply,
        demands::{BalanceRule, Demand, Demanding, Demands, Loaded, Need},
        fees::left_with,
        snapshot::is_bare,
        worker::{Speculative, Starting},
    },
    state::{NumberedAccount, StateError},
};
use alloy_primitives::{Address, B256, U256, map::B256Map};
use revm::{
    Database,
    bytecode::Bytecode,
    context_interface::Block as _,
    database_interface::DBErrorMarker,
    state::{AccountId, AccountInfo},
};

/// Why a read has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::executor) enum AccessError {
    /// Whoever wrote the value has not run, so the read was not declared, or the run was given up. The attempt
    /// is dropped, and nobody sees this.
    #[error("a transaction read what it had not declared")]
    Undeclared,
    /// The state before the block does not know.
    #[error(transparent)]
    State(#[from] StateError),
}

impl DBErrorMarker for AccessError {}

/// One worker's window on what transactions left. It numbers accounts for revm as the pre-state does.
#[derive(Debug)]
pub(in crate::executor) struct AccessListDb<'a> {
    run: &'a Run<'a>,
    codes: &'a B256Map<Bytecode>,
    starting: Option<Starting>,
    demands: Demands<()>,
}

impl<'a> AccessListDb<'a> {
    pub(in crate::executor) fn new(run: &'a Run<'a>, codes: &'a B256Map<Bytecode>) -> Self {
        Self { run, codes, starting: None, demands: Demands::default() }
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
        if self.run.rule == BalanceRule::Exact {
            return Err(AccessError::Undeclared);
        }
        if self.run.declared.stale[tx].contains(&account.number) && !self.may_authorise(account) {
            return Ok(base);
        }
        match self.identity(account, base)? {
            // What only payments made exist was declared to be needed exactly.
            None if self.run.rule == BalanceRule::Existence => Err(AccessError::Undeclared),
            identity => Ok(identity),
        }
    }

    /// Whether its nonce may matter to an authorisation (EIP-7702), declared or not. The sender's is known.
    fn may_authorise(&self, account: &NumberedAccount) -> bool {
        self.starting
            .is_some_and(|starting| starting.delegates && starting.sender != account.address)
    }

    /// The account after these transactions, exactly: their changes one after the other, with the fees that
    /// no account holds.
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

    /// The account with nonce and code as they are, and the balance that it had before the block.
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

impl Demanding for AccessListDb<'_> {
    fn demand(&mut self, address: Address, demand: Demand) {
        self.demands.demand(address, demand);
    }
}

impl Speculative for AccessListDb<'_> {
    fn begin(&mut self, starting: Starting) {
        self.demands.clear(starting.delegates);
        self.starting = Some(starting);
    }

    fn needs(&self) -> Vec<(Address, Need)> {
        match self.run.rule {
            BalanceRule::Exact => Vec::new(),
            BalanceRule::Existence | BalanceRule::Emptiness => {
                self.demands.needs().map(|(address, (), need)| (address, need)).collect()
            }
        }
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
        self.demands.loaded(Loaded { address, balance, bare, look: () });
        Ok(found)
    }

    /// Every known code hangs on its account, so revm only comes here for one that was not given.
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
