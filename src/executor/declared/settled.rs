//! The state that the transactions of a block leave, account by account.
//!
//! What the block made of an account is found by going through those who visit it, in block order, so that it is
//! also where it is checked what they took for granted: that a sender's nonce is what the block says, and
//! that balances are what the transactions needed.
//! Slots have their last writer.

use super::{
    left::AccountEffect,
    published::AccessError,
    run::{Run, UndeclaredRead},
    writers::BySystem,
};
use crate::{
    executor::{access::TxIndex, demands::Need, fees::left_with},
    state::{AccountChange, AccountFields, NumberedAccount},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, U256};
use revm::{DatabaseRef, bytecode::Bytecode, context_interface::Block as _, state::AccountInfo};
use std::borrow::Cow;

/// The state after all transactions, of a run in which all are done.
#[derive(Clone, Copy, Debug)]
pub(super) struct FinalState<'a> {
    run: &'a Run<'a>,
    /// Those that are to be checked beside the declared visitors, ascending.
    strangers: &'a [UndeclaredRead],
}

/// What became of an account but for its slots.
struct AccountOutcome {
    info: Option<AccountInfo>,
    /// Whether the storage that it had before the block is gone.
    is_emptied: bool,
}

impl<'a> FinalState<'a> {
    pub(super) const fn new(run: &'a Run<'a>, strangers: &'a [UndeclaredRead]) -> Self {
        Self { run, strangers }
    }

    /// What the transactions made of an account; `None` if it is as it was.
    ///
    /// # Errors
    /// [`AccessError::Undeclared`] if one of them took something for granted that is not so.
    pub(super) fn change(
        &self,
        account: &NumberedAccount,
    ) -> Result<Option<AccountChange>, AccessError> {
        let AccountOutcome { info, is_emptied } = self.fate(account)?;
        let after = info.as_ref().map(AccountFields::from);
        let slots =
            if after.is_some() { self.changed_slots(account, is_emptied)? } else { Vec::new() };
        Ok(AccountChange::between(account.info.as_ref(), after, is_emptied, slots))
    }

    fn fate(&self, account: &NumberedAccount) -> Result<AccountOutcome, AccessError> {
        let is_emptied = self.run.by_system(account) == BySystem::Emptied;
        let mut fate = AccountOutcome { info: self.run.base(account)?, is_emptied };
        if account.address == self.run.job.env.block_env.beneficiary() {
            let spec = self.run.job.env.cfg_env.spec;
            for tx in 0..self.end() {
                match self.run.left_by(tx, self.end())?.deferred_fee {
                    // It has not loaded the account, or it would have paid itself.
                    Some(fee) => {
                        fate.info = left_with(fate.info, fee, spec);
                        fate.is_emptied |= fate.info.is_none();
                    }
                    None => self.visit(tx, account, &mut fate)?,
                }
            }
        } else {
            for tx in self.visitors(account).iter() {
                self.visit(*tx, account, &mut fate)?;
            }
        }
        Ok(fate)
    }

    /// All that visit the account, in block order.
    fn visitors(&self, account: &NumberedAccount) -> Cow<'a, [TxIndex]> {
        let declared = self.run.declared.visitors.of(account.number);
        let first = self.strangers.partition_point(|(of, _)| *of < account.number);
        let strangers = self.strangers[first..].iter().take_while(|(of, _)| *of == account.number);
        let mut visitors = Cow::Borrowed(declared);
        if strangers.clone().next().is_some() {
            visitors.to_mut().extend(strangers.map(|(_, tx)| *tx));
            visitors.to_mut().sort_unstable();
        }
        visitors
    }

    /// Goes on with what a transaction made of the account, its fee left out.
    fn visit(
        &self,
        tx: TxIndex,
        account: &NumberedAccount,
        fate: &mut AccountOutcome,
    ) -> Result<(), AccessError> {
        let left = self.run.left_by(tx, self.end())?.account(account.number);
        self.check(tx, account.address, fate.info.as_ref(), left)?;
        if let Some(left) = left.filter(|left| left.is_touched()) {
            fate.info = left.over(fate.info.as_ref(), self.run.rule);
            fate.is_emptied |= left.is_created() || fate.info.is_none();
        }
        Ok(())
    }

    /// Whether what the transaction took for granted of the account is so.
    fn check(
        &self,
        tx: TxIndex,
        address: Address,
        found: Option<&AccountInfo>,
        left: Option<&AccountEffect>,
    ) -> Result<(), AccessError> {
        let transaction = &self.run.job.transactions[tx];
        let nonce = found.map_or(0, |info| info.nonce);
        let balance = found.map_or(U256::ZERO, |info| info.balance);
        let is_enough = left.is_none_or(|left| match left.need {
            None => true,
            Some(Need::Exact) => left.seen == balance,
            Some(Need::AtLeast(minimum)) => balance >= minimum,
        });
        let holds = (transaction.signer() != address || transaction.nonce() == nonce) && is_enough;
        if holds { Ok(()) } else { Err(AccessError::Undeclared) }
    }

    /// Slots that differ from what they would be without the block's writes, ascending.
    fn changed_slots(
        &self,
        account: &NumberedAccount,
        is_emptied: bool,
    ) -> Result<Vec<(U256, U256)>, AccessError> {
        let (declared, base) = (self.run.declared, &self.run.job.indexed_state);
        let by_system = self.run.by_system(account) != BySystem::Nothing;
        let is_written = |slot: &u32| by_system || !declared.slots.of(*slot).is_empty();
        let listed = account.slot_numbers().filter(is_written);
        let listed = listed.map(|slot| base.slots()[slot as usize]);
        let unlisted = declared.unlisted.get(&account.number);
        let others = unlisted.into_iter().flatten().map(|key| (*key, U256::ZERO));
        let mut slots = Vec::new();
        for (key, before) in listed.chain(others) {
            let value = self.run.slot(account, key, self.end())?;
            if value != (if is_emptied { U256::ZERO } else { before }) {
                slots.push((key, value));
            }
        }
        slots.sort_unstable();
        Ok(slots)
    }

    /// What comes after all transactions reads like one more.
    const fn end(&self) -> TxIndex {
        self.run.job.transactions.len()
    }

    /// The code of an account that has this one after the block.
    fn code(&self, account: &NumberedAccount, hash: B256) -> Result<Option<Bytecode>, AccessError> {
        if let Some(before) = account.info.as_ref().filter(|info| info.code_hash == hash) {
            return Ok(before.code.clone());
        }
        let Some(writer) = self.run.declared.identity.of(account.number).last() else {
            return Ok(None);
        };
        let left = self.run.left_by(*writer, self.end())?.account(account.number);
        Ok(left.and_then(|left| left.code.clone()))
    }
}

impl DatabaseRef for FinalState<'_> {
    type Error = AccessError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, AccessError> {
        let account = self.run.job.indexed_state.account(address)?;
        let Some(info) = self.fate(account)?.info else { return Ok(None) };
        let code = self.code(account, info.code_hash)?;
        Ok(Some(AccountInfo { code, ..info }))
    }

    /// Every known code hangs on its account, so revm only comes here for one that was not given.
    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, AccessError> {
        Ok(self.run.begun.code_by_hash_ref(hash)?)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, AccessError> {
        self.run.slot(self.run.job.indexed_state.account(address)?, slot, self.end())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, AccessError> {
        Ok(self.run.job.indexed_state.block_hash(number)?)
    }
}
